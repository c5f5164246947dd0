import { decodeMemberListRequest, encodeMemberListResponse } from "../../../codec/index.ts";
import { headerAt } from "../response-header.ts";
import type { MethodHandler, UnaryHandler } from "../transport.ts";
import type { ServiceContext } from "./service-context.ts";

/** etcdserverpb.Cluster: MemberList. The headers of this service carry no revision. */
export function createClusterService(context: ServiceContext): Record<string, MethodHandler> {
  const { node, guard } = context;

  const answer = (): Buffer =>
    encodeMemberListResponse({
      header: headerAt(0, node),
      members: node.members().toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    });

  const memberList: UnaryHandler = (bytes, call) => {
    const request = decodeMemberListRequest(bytes);
    guard.admit(call, false);
    return request.linearizable ? node.readBarrier().then(answer) : answer();
  };

  return { MemberList: { kind: "unary", handle: memberList } };
}
