import {
  type DeleteRangeRequest,
  type DeleteRangeResponse,
  decodeDeleteRangeResponse,
  decodeMemberAddResponse,
  decodePutResponse,
  decodeTxnResponse,
  encodeDeleteRangeRequest,
  encodeMemberAddRequest,
  encodeMemberIdRequest,
  encodePutRequest,
  encodeTxnRequest,
  type Member,
  type MemberAddRequest,
  type MemberAddResponse,
  type PutRequest,
  type PutResponse,
  type RangeRequest,
  type RangeResponse,
  type TxnRequest,
  type TxnResponse,
} from "../../../codec/index.ts";
import { assert } from "../../../lib/assert.ts";
import type { ByteString } from "../../../lib/bytes.ts";
import { RequestError } from "../../../lib/errors.ts";
import { assertValidRange, type LastChange } from "../../mvcc/index.ts";
import type { ServerNode } from "../../node/index.ts";
import type { CallContext, MethodTable } from "../transport.ts";

/** What the plain key API asks of the member. Rejections are RequestError or StatusError. */
export interface KeyOperations {
  range(request: RangeRequest): Promise<RangeResponse>;
  put(request: PutRequest): Promise<PutResponse>;
  deleteRange(request: DeleteRangeRequest): Promise<DeleteRangeResponse>;
  txn(request: TxnRequest): Promise<TxnResponse>;
  /** KvReader.lastChange, linearizable. */
  lastChange(key: ByteString): Promise<LastChange | undefined>;
  /** As this member knows them now. */
  members(): Member[];
  memberAdd(request: MemberAddRequest): Promise<MemberAddResponse>;
  memberRemove(id: bigint): Promise<void>;
}

/** An HTTP request has no gRPC metadata, and a write that was proposed is not taken back when its client leaves. */
const httpCall: CallContext = {
  metadata: new Map(),
  timeoutMs: undefined,
  peer: "http",
  onCancel() {},
  isCancelled: false,
};

/**
 * Writes go through the handlers of the KV service, so that checks, quota and alarms are those of gRPC. Reads follow
 * the same steps but skip the wire form, which would hold a large listing in memory a second time.
 */
export function createKeyOperations(node: ServerNode, methods: MethodTable): KeyOperations {
  const call = async (path: string, request: Buffer): Promise<Buffer> => {
    const method = methods.get(path);
    assert(method?.kind === "unary", `${path} is a unary method`);
    return method.handle(request, httpCall);
  };
  return {
    async range(request) {
      if (node.isLearner && !request.serializable) throw new RequestError("learner");
      assertValidRange(request);
      if (!request.serializable) await node.readBarrier();
      return node.kv.range(request);
    },
    async put(request) {
      return decodePutResponse(await call("/etcdserverpb.KV/Put", encodePutRequest(request)));
    },
    async deleteRange(request) {
      const response = await call("/etcdserverpb.KV/DeleteRange", encodeDeleteRangeRequest(request));
      return decodeDeleteRangeResponse(response);
    },
    async txn(request) {
      return decodeTxnResponse(await call("/etcdserverpb.KV/Txn", encodeTxnRequest(request)));
    },
    async lastChange(key) {
      if (node.isLearner) throw new RequestError("learner");
      await node.readBarrier();
      return node.kv.lastChange(key);
    },
    members: () => node.members(),
    async memberAdd(request) {
      const answer = await call("/etcdserverpb.Cluster/MemberAdd", encodeMemberAddRequest(request));
      return decodeMemberAddResponse(answer);
    },
    async memberRemove(id) {
      await call("/etcdserverpb.Cluster/MemberRemove", encodeMemberIdRequest({ id }));
    },
  };
}
