import { Flags } from "@oclif/core";
import type { Connected } from "../../cli/index.ts";
import { ConnectedCommand, ExitWith, exitCode, formatSize, toHexId } from "../../cli/index.ts";
import type { Member, StatusResponse } from "../../client/index.ts";

/** One member as far as it could be asked. */
interface MemberStatus {
  readonly member: Member;
  readonly endpoint: string;
  readonly status: StatusResponse | undefined;
  /** Why it could not be asked; undefined when it answered. */
  readonly failure: string | undefined;
  readonly alarms: readonly string[];
}

export default class ClusterStatus extends ConnectedCommand {
  static override summary = "Show every member: role, health, log position and size.";
  static override description =
    `Asks the members of the cluster, found through --endpoints, one by one. LAG is how many log entries a member has yet to apply, behind the furthest of all.

Exit code 9 when some member is not healthy, 4 when none answers. The live screen comes with a later version: today the table is printed once, with or without --once.`;
  static override hiddenAliases = ["endpoint:status"];
  static override examples = [
    "<%= config.bin %> <%= command.id %> --once",
    "<%= config.bin %> <%= command.id %> --once -o json | jq -e '.members|all(.healthy)'",
  ];
  static override flags = {
    once: Flags.boolean({ description: "Print the table once and end" }),
    cluster: Flags.boolean({ hidden: true, description: "Accepted for etcdctl's sake: always so" }),
  };

  protected override async execute(): Promise<void> {
    const { flags } = await this.parse(ClusterStatus);
    const out = this.outputFor(flags);
    const connected = await this.connect(flags);
    const { members, header } = await connected.client.cluster.memberList({ serializable: true });
    const statuses = await askAll(connected, members);
    const furthest = Math.max(0, ...statuses.map(({ status }) => status?.raftIndex ?? 0));
    if (out.isJson) {
      await out.json({
        clusterId: toHexId(header.clusterId),
        members: statuses.map((status) => toRecord(status, furthest)),
      });
    } else {
      await out.table(
        columns,
        statuses.map((status) => toRow(status, furthest)),
      );
    }
    for (const { member, endpoint, failure } of statuses) {
      if (failure !== undefined) out.notice(`${member.name || toHexId(member.id)} (${endpoint}): ${failure}`);
    }
    if (statuses.every(({ status }) => status === undefined)) throw new ExitWith(exitCode.unavailable);
    if (!statuses.every(isHealthy)) throw new ExitWith(exitCode.partial);
  }
}

const columns = [
  "NAME",
  "ID",
  "ENDPOINT",
  "ROLE",
  "HEALTH",
  "TERM",
  "INDEX",
  "APPLIED",
  "LAG",
  "DB SIZE",
  "IN USE",
  "VERSION",
];

/**
 * The endpoints the user named come first, since addresses that members advertise may not be reachable from here;
 * members behind none of them are asked where they say they are.
 */
async function askAll(
  { client, library, timeoutMs }: Connected,
  members: readonly Member[],
): Promise<MemberStatus[]> {
  const named = await Promise.all(
    client.endpoints.map(async (endpoint, endpointIndex) => ({
      endpoint,
      answer: await settle(client.maintenance.status({ endpointIndex })),
    })),
  );
  const alarms = await settle(client.maintenance.alarms());
  return Promise.all(
    members.map(async (member): Promise<MemberStatus> => {
      const raised =
        alarms instanceof Error
          ? []
          : alarms.filter((alarm) => alarm.memberId === member.id).map(({ type }) => type);
      for (const { endpoint, answer } of named) {
        if (!(answer instanceof Error) && answer.header?.memberId === member.id) {
          return { member, endpoint, status: answer, failure: undefined, alarms: raised };
        }
      }
      if (member.clientUrls.length === 0) {
        return { member, endpoint: "-", status: undefined, failure: "not started", alarms: raised };
      }
      const other = library.connect({ endpoints: member.clientUrls, timeoutMs, retryRoundsMax: 1 });
      try {
        const answer = await settle(other.maintenance.status());
        const endpoint = other.endpoints[0]!;
        return answer instanceof Error
          ? { member, endpoint, status: undefined, failure: answer.message, alarms: raised }
          : { member, endpoint, status: answer, failure: undefined, alarms: raised };
      } finally {
        other.close();
      }
    }),
  );
}

/** The value, or the error as a value. */
function settle<T>(promise: Promise<T>): Promise<T | Error> {
  return promise.catch((error: unknown) => {
    if (error instanceof Error) return error;
    throw error;
  });
}

function roleOf({ status, member }: MemberStatus): string {
  if (member.isLearner || status?.isLearner) return "learner";
  if (status === undefined) return "-";
  return status.leader === member.id ? "leader" : "follower";
}

/** "ok", or what is wrong in a word. */
function healthOf({ status, alarms }: MemberStatus): string {
  if (status === undefined) return "unreachable";
  if (status.leader === 0n) return "no leader";
  if (alarms.length > 0) return alarms.join(",");
  return status.errors.length > 0 ? status.errors.join(",") : "ok";
}

function isHealthy(status: MemberStatus): boolean {
  return healthOf(status) === "ok";
}

function toRecord(memberStatus: MemberStatus, furthest: number) {
  const { member, endpoint, status, failure } = memberStatus;
  return {
    name: member.name,
    id: toHexId(member.id),
    endpoint,
    role: roleOf(memberStatus),
    healthy: isHealthy(memberStatus),
    health: healthOf(memberStatus),
    ...(failure === undefined ? {} : { error: failure }),
    ...(status === undefined
      ? {}
      : {
          leader: toHexId(status.leader),
          term: status.raftTerm,
          index: status.raftIndex,
          applied: status.raftAppliedIndex,
          lag: furthest - status.raftAppliedIndex,
          dbSizeBytes: status.dbSize,
          dbSizeInUseBytes: status.dbSizeInUse,
          quotaBytes: status.dbSizeQuota,
          version: status.version,
        }),
  };
}

function toRow(memberStatus: MemberStatus, furthest: number): string[] {
  const { member, endpoint, status } = memberStatus;
  const who = [
    member.name || "-",
    toHexId(member.id),
    endpoint,
    roleOf(memberStatus),
    healthOf(memberStatus),
  ];
  if (status === undefined) return [...who, "-", "-", "-", "-", "-", "-", "-"];
  return [
    ...who,
    String(status.raftTerm),
    String(status.raftIndex),
    String(status.raftAppliedIndex),
    String(furthest - status.raftAppliedIndex),
    formatSize(status.dbSize),
    formatSize(status.dbSizeInUse),
    status.version,
  ];
}
