import { connect, type MetaStoreClient } from "../../../src/client/index.ts";
import type { Member as MemberMessage, StatusResponse } from "../../../src/codec/index.ts";

const CHANGE_TIMEOUT_MS = 10_000;
const MOVE_TIMEOUT_MS = 5_000;

/** What an operator does to a cluster through one member. Nothing is tried again. */
export class Admin {
  readonly client: MetaStoreClient;

  constructor(endpoint: string) {
    this.client = connect({ endpoints: endpoint, retryRoundsMax: 1, connectTimeoutMs: 500 });
  }

  status(timeoutMs = 500): Promise<StatusResponse> {
    return this.client.maintenance.status({ timeoutMs });
  }

  async members(timeoutMs = 5_000): Promise<readonly MemberMessage[]> {
    return (await this.client.cluster.memberList({ timeoutMs })).members;
  }

  async memberAdd(peerUrl: string, isLearner: boolean): Promise<void> {
    await this.client.cluster.memberAdd([peerUrl], { learner: isLearner, timeoutMs: CHANGE_TIMEOUT_MS });
  }

  async memberRemove(id: bigint): Promise<void> {
    await this.client.cluster.memberRemove(id, { timeoutMs: CHANGE_TIMEOUT_MS });
  }

  async memberPromote(id: bigint): Promise<void> {
    await this.client.cluster.memberPromote(id, { timeoutMs: CHANGE_TIMEOUT_MS });
  }

  /** Only the leader takes this. */
  async moveLeader(target: bigint): Promise<void> {
    await this.client.maintenance.moveLeader(target, { endpointIndex: 0, timeoutMs: MOVE_TIMEOUT_MS });
  }

  close(): void {
    this.client.close();
  }
}
