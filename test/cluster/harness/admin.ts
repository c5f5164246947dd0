import { connect, type MetaStoreClient } from "../../../src/client/index.ts";
import type { Member as MemberMessage, StatusResponse } from "../../../src/codec/index.ts";
import { Message, RawClient } from "../../harness/index.ts";

/** A protobuf varint of 64 bits: member ids do not fit in a number. */
function idField(field: number, id: bigint): Buffer {
  const out = [field * 8];
  let rest = id;
  while (rest >= 0x80n) {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  out.push(Number(rest));
  return Buffer.from(out);
}

/** What an operator does to a cluster through one member. Nothing is tried again. */
export class Admin {
  readonly client: MetaStoreClient;
  readonly #raw: RawClient;

  constructor(endpoint: string) {
    this.client = connect({ endpoints: endpoint, retryRoundsMax: 1, connectTimeoutMs: 500 });
    this.#raw = new RawClient(endpoint);
  }

  status(timeoutMs = 500): Promise<StatusResponse> {
    return this.client.maintenance.status({ timeoutMs });
  }

  async members(timeoutMs = 5_000): Promise<readonly MemberMessage[]> {
    return (await this.client.cluster.memberList({ timeoutMs })).members;
  }

  async memberAdd(peerUrl: string, isLearner: boolean): Promise<void> {
    const request = new Message().bytes(1, peerUrl).integer(2, isLearner ? 1 : 0);
    await this.#raw.call("/etcdserverpb.Cluster/MemberAdd", request, 10_000);
  }

  async memberRemove(id: bigint): Promise<void> {
    await this.#raw.call("/etcdserverpb.Cluster/MemberRemove", idField(1, id), 10_000);
  }

  async memberPromote(id: bigint): Promise<void> {
    await this.#raw.call("/etcdserverpb.Cluster/MemberPromote", idField(1, id), 10_000);
  }

  /** Only the leader takes this. */
  async moveLeader(target: bigint): Promise<void> {
    await this.#raw.call("/etcdserverpb.Maintenance/MoveLeader", idField(1, target), 5_000);
  }

  close(): void {
    this.client.close();
    this.#raw.close();
  }
}
