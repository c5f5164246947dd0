import {
  decodeMemberAddRequest,
  decodeMemberIdRequest,
  decodeMemberListRequest,
  decodeMemberUpdateRequest,
  encodeMemberAddResponse,
  encodeMembersResponse,
  type Member,
} from "../../../codec/index.ts";
import { parsePeerUrls } from "../peer-urls.ts";
import { headerAt } from "../response-header.ts";
import type { MethodHandler, UnaryHandler } from "../transport.ts";
import type { ServiceContext } from "./service-context.ts";

/**
 * etcdserverpb.Cluster (semantics-cluster, part A). The headers of this service carry no revision. What the cluster
 * itself must allow is checked by the member (node.memberAdd and the rest); here only what a request says.
 */
export function createClusterService(context: ServiceContext): Record<string, MethodHandler> {
  const { node, guard } = context;

  const header = () => headerAt(0, node);
  const answer = (members: readonly Member[]): Buffer =>
    encodeMembersResponse({ header: header(), members: byId(members) });

  const memberList: UnaryHandler = (bytes, call) => {
    const request = decodeMemberListRequest(bytes);
    guard.admit(call, false);
    if (!request.linearizable) return answer(node.members());
    return node.readBarrier().then(() => answer(node.members()));
  };

  const memberAdd: UnaryHandler = (bytes, call) => {
    const request = decodeMemberAddRequest(bytes);
    guard.admit(call, false);
    return node
      .memberAdd(parsePeerUrls(request.peerUrls), request.isLearner)
      .then(({ member, members }) =>
        encodeMemberAddResponse({ header: header(), member, members: byId(members) }),
      );
  };

  const memberRemove: UnaryHandler = (bytes, call) => {
    const request = decodeMemberIdRequest(bytes);
    guard.admit(call, false);
    return node.memberRemove(request.id).then(answer);
  };

  /** etcd takes any text for a URL here, and is then unable to reach the member. */
  const memberUpdate: UnaryHandler = (bytes, call) => {
    const request = decodeMemberUpdateRequest(bytes);
    guard.admit(call, false);
    return node.memberUpdate(request.id, parsePeerUrls(request.peerUrls)).then(answer);
  };

  const memberPromote: UnaryHandler = (bytes, call) => {
    const request = decodeMemberIdRequest(bytes);
    guard.admit(call, false);
    return node.memberPromote(request.id).then(answer);
  };

  return {
    MemberAdd: { kind: "unary", handle: memberAdd },
    MemberRemove: { kind: "unary", handle: memberRemove },
    MemberUpdate: { kind: "unary", handle: memberUpdate },
    MemberList: { kind: "unary", handle: memberList },
    MemberPromote: { kind: "unary", handle: memberPromote },
  };
}

function byId(members: readonly Member[]): Member[] {
  return members.toSorted((left, right) => (left.id < right.id ? -1 : 1));
}
