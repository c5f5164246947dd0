import type { EndpointStatus, Member } from "../client/index.ts";
import type { Connected } from "./base-command.ts";
import { CommandError, exitCode } from "./exit-codes.ts";

export interface FoundLeader {
  readonly leader: Member;
  readonly members: readonly Member[];
  readonly term: number;
  /** Where it is reached among the client's endpoints; undefined when it is behind none of them. */
  readonly endpointIndex: number | undefined;
}

/**
 * The leader, as the endpoint in the newest term knows it.
 *
 * @throws CommandError when none knows a leader, MetaStoreError when none answers
 */
export async function findLeader({ client }: Connected): Promise<FoundLeader> {
  const statuses = await client.maintenance.statuses();
  const newest = statuses.filter(knowsLeader).sort((a, b) => b.status.raftTerm - a.status.raftTerm)[0];
  if (newest === undefined) {
    const failure = statuses.find(({ status }) => status === undefined)?.error;
    if (failure !== undefined && statuses.every(({ status }) => status === undefined)) throw failure;
    throw new CommandError(
      "UNAVAILABLE",
      exitCode.unavailable,
      "the cluster has no leader",
      "more than half of its voters must run and reach each other: metastore cluster status --once",
    );
  }
  const { leader: leaderId, raftTerm: term } = newest.status;
  const { members } = await client.cluster.memberList({ serializable: true });
  const leader = members.find(({ id }) => id === leaderId) ?? unknownMember(leaderId);
  const own = statuses.find(({ status }) => status?.header?.memberId === leaderId);
  return { leader, members, term, endpointIndex: own?.endpointIndex };
}

type Answered = EndpointStatus & { readonly status: NonNullable<EndpointStatus["status"]> };

function knowsLeader(answer: EndpointStatus): answer is Answered {
  return answer.status !== undefined && answer.status.leader !== 0n;
}

/** The list may be older than the election. */
function unknownMember(id: bigint): Member {
  return { id, name: "", peerUrls: [], clientUrls: [], isLearner: false };
}
