import type { IncomingMessage, ServerResponse } from "node:http";
import { alarmType, sortOrder, sortTarget } from "../../../codec/index.ts";
import { AssertionError } from "../../../lib/assert.ts";
import { EMPTY } from "../../../lib/bytes.ts";
import type { Log } from "../../../lib/log.ts";
import type { ServerNode } from "../../node/index.ts";
import { sendBody, sendPlainError } from "./errors.ts";

export type CheckKind = "livez" | "readyz";

/** Told of every health answer; the metrics implement it. */
export interface HealthObserver {
  /** One answer of /health. */
  healthServed(isHealthy: boolean): void;
  /** One check of /livez or /readyz. */
  checkRan(kind: CheckKind, name: string, passed: boolean): void;
}

interface Check {
  readonly name: string;
  /** Rejects with the reason when the member fails the check. */
  run(): Promise<void>;
}

export interface HealthChecks {
  /** GET /health (etcd http.md section 2.2). */
  serveHealth(query: URLSearchParams, res: ServerResponse): Promise<void>;
  /** GET /livez or /readyz: all checks of the kind (section 2.3). */
  serveRoot(kind: CheckKind, query: URLSearchParams, res: ServerResponse): Promise<void>;
  /** GET /livez/NAME or /readyz/NAME; false when there is no such check. */
  serveSingle(kind: CheckKind, name: string, query: URLSearchParams, res: ServerResponse): Promise<boolean>;
}

export function createHealthChecks(node: ServerNode, observer: HealthObserver, log: Log): HealthChecks {
  const serializableRead: Check = { name: "serializable_read", run: () => readLocal(node) };
  const checks: Record<CheckKind, readonly Check[]> = {
    livez: [serializableRead],
    readyz: [
      {
        name: "data_corruption",
        run: async () => {
          const isCorrupt = node.alarms().some(({ alarm }) => alarm === alarmType.corrupt);
          if (isCorrupt) throw new Error("alarm activated: CORRUPT");
        },
      },
      serializableRead,
      {
        name: "linearizable_read",
        run: async () => {
          await node.readBarrier();
          await readLocal(node);
        },
      },
      {
        name: "non_learner",
        run: async () => {
          if (node.isLearner) throw new Error("not supported for learner");
        },
      },
    ],
  };

  async function runChecks(
    kind: CheckKind,
    selected: readonly Check[],
    excluded: ReadonlySet<string>,
    isVerbose: boolean,
    res: ServerResponse,
  ): Promise<void> {
    const failed: string[] = [];
    let lines = "";
    for (const check of selected) {
      if (excluded.has(check.name)) {
        lines += `[+]${check.name} excluded: ok\n`;
        continue;
      }
      const reason = await failureOf(() => check.run());
      observer.checkRan(kind, check.name, reason === undefined);
      if (reason === undefined) {
        lines += `[+]${check.name} ok\n`;
      } else {
        failed.push(check.name);
        lines += `[-]${check.name} failed: ${reason}\n`;
      }
    }
    if (failed.length > 0) {
      log.warn("health check failed", { path: `/${kind}`, checks: failed, output: lines });
      sendPlainError(res, 503, lines.trimEnd());
      return;
    }
    res.setHeader("X-Content-Type-Options", "nosniff");
    sendBody(res, "text/plain; charset=utf-8", isVerbose ? `${lines}ok\n` : "ok\n");
  }

  return {
    async serveHealth(query, res) {
      const reason = await unhealthyReason(node, query);
      observer.healthServed(reason === undefined);
      if (reason === undefined) {
        sendBody(res, "text/plain; charset=utf-8", JSON.stringify({ health: "true", reason: "" }));
        return;
      }
      log.warn("serving /health false", { reason });
      sendPlainError(res, 503, JSON.stringify({ health: "false", reason }));
    },

    async serveRoot(kind, query, res) {
      const excluded = new Set(query.getAll("exclude").filter((name) => name !== ""));
      const unknown = [...excluded].filter((name) => !checks[kind].some((check) => check.name === name));
      if (unknown.length > 0) log.warn("unknown health checks are excluded", { path: `/${kind}`, unknown });
      await runChecks(kind, checks[kind], excluded, query.has("verbose"), res);
    },

    async serveSingle(kind, name, query, res) {
      const check = checks[kind].find((candidate) => candidate.name === name);
      if (check === undefined) return false;
      await runChecks(kind, [check], new Set(), query.has("verbose"), res);
      return true;
    },
  };
}

/** 405 for everything but GET, in Go's words; false when that answer was sent. */
export function isGet(req: IncomingMessage, res: ServerResponse): boolean {
  if (req.method === "GET") return true;
  res.setHeader("Allow", "GET");
  sendPlainError(res, 405, "Method Not Allowed");
  return false;
}

async function unhealthyReason(node: ServerNode, query: URLSearchParams): Promise<string | undefined> {
  const excluded = new Set(query.getAll("exclude"));
  for (const { alarm } of node.alarms()) {
    const name =
      alarm === alarmType.noSpace ? "NOSPACE" : alarm === alarmType.corrupt ? "CORRUPT" : "UNKNOWN";
    if (!excluded.has(name)) return `ALARM ${name}`;
  }
  const isSerializable = query.get("serializable") === "true";
  if (!isSerializable && node.leaderId === 0n) return "RAFT NO LEADER";
  // No time-out of our own: the read answers or fails by the member's, and a probe has its own patience.
  const failure = await failureOf(async () => {
    if (!isSerializable) await node.readBarrier();
    await readLocal(node);
  });
  return failure === undefined ? undefined : `RANGE ERROR:${failure}`;
}

async function failureOf(run: () => Promise<void>): Promise<string | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    if (error instanceof AssertionError) throw error;
    return error instanceof Error ? error.message : String(error);
  }
}

async function readLocal(node: ServerNode): Promise<void> {
  await node.kv.range({
    key: EMPTY,
    rangeEnd: EMPTY,
    limit: 1,
    revision: 0,
    sortOrder: sortOrder.none,
    sortTarget: sortTarget.key,
    serializable: true,
    keysOnly: true,
    countOnly: false,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
  });
}
