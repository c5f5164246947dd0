import { Flags } from "@oclif/core";
import {
  type Connected,
  ConnectedCommand,
  causeText,
  ExitWith,
  exitCode,
  type JsonRecord,
} from "../../cli/index.ts";
import type { EndpointHealth } from "../../client/index.ts";

export default class ClusterHealth extends ConnectedCommand {
  static override summary = "Tell whether each endpoint can serve the cluster.";
  static override description =
    `Healthy is an endpoint that serves a linearizable read, for which it needs a leader and a quorum, while no alarm is raised. A learner, which serves no such reads, is healthy while it follows a leader.

Exit code 9 when some endpoint is not healthy, 4 when none serves the read.`;
  static override hiddenAliases = ["endpoint:health"];
  static override examples = [
    "<%= config.bin %> <%= command.id %> --endpoints 10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379",
    "<%= config.bin %> <%= command.id %> --cluster -o json | jq -e .healthy",
  ];
  static override flags = {
    cluster: Flags.boolean({
      description: "Ask every member at the client URLs that it advertises, found through --endpoints",
    }),
  };

  protected override async execute(): Promise<void> {
    const { flags } = await this.parse(ClusterHealth);
    const out = this.outputFor(flags);
    const connected = await this.connect(flags);
    const healths = flags.cluster
      ? await askMembers(connected)
      : await connected.client.maintenance.healths();
    const isHealthy = healths.every((health) => health.isHealthy);
    if (out.format === "json") await out.json({ healthy: isHealthy, endpoints: healths.map(toRecord) });
    else if (out.format === "jsonl") for (const health of healths) await out.json(toRecord(health));
    else if (out.format === "table") {
      await out.table(
        ["ENDPOINT", "HEALTH", "TOOK", "ERROR"],
        healths.map((health) => [
          health.endpoint,
          health.isHealthy ? "ok" : "unhealthy",
          tookText(health),
          reasonOf(health) ?? "",
        ]),
      );
    } else for (const health of healths) await out.line(sentence(health));
    if (isHealthy) return;
    throw new ExitWith(
      healths.every((health) => health.error !== undefined && !isLearner(health))
        ? exitCode.unavailable
        : exitCode.partial,
    );
  }
}

async function askMembers({ client, library, options }: Connected): Promise<EndpointHealth[]> {
  const { members } = await client.cluster.memberList({ serializable: true });
  // A member that was added and never started is nowhere to be asked; it is no endpoint either.
  const endpoints = members.flatMap(({ clientUrls }) => clientUrls.slice(0, 1));
  const all = library.connect({ ...options, endpoints });
  try {
    return await all.maintenance.healths();
  } finally {
    all.close();
  }
}

function toRecord(health: EndpointHealth): JsonRecord {
  const reason = reasonOf(health);
  return {
    endpoint: health.endpoint,
    healthy: health.isHealthy,
    tookMs: Math.round(health.tookMs * 1_000) / 1_000,
    ...(isLearner(health) ? { learner: true } : {}),
    ...(reason === undefined ? {} : { error: reason }),
  };
}

function tookText({ tookMs }: EndpointHealth): string {
  return `${tookMs.toFixed(3)}ms`;
}

function isLearner({ error }: EndpointHealth): boolean {
  return error?.etcdCode === "learner";
}

/** Why it is not healthy. */
function reasonOf(health: EndpointHealth): string | undefined {
  const { isHealthy, error, alarms } = health;
  if (isHealthy) return undefined;
  if (isLearner(health)) return "a learner that follows no leader";
  if (error !== undefined) return causeText(error);
  if (alarms.length === 0) return undefined;
  const names = alarms.map(({ type }) => type.toUpperCase());
  return `active alarms: ${[...new Set(names)].join(", ")}`;
}

/** As etcdctl words it, for those who search its output. */
function sentence(health: EndpointHealth): string {
  const { endpoint, isHealthy } = health;
  if (isHealthy && isLearner(health)) return `${endpoint} is healthy: a learner that follows the leader`;
  return isHealthy
    ? `${endpoint} is healthy: successfully committed proposal: took = ${tookText(health)}`
    : `${endpoint} is unhealthy: ${reasonOf(health) ?? "unknown"}`;
}
