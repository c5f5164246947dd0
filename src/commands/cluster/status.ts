import type { ReadStream, WriteStream } from "node:tty";
import { Flags } from "@oclif/core";
import type { Connected, Output } from "../../cli/index.ts";
import { ConnectedCommand, ExitWith, exitCode, parseDuration, wantsColor } from "../../cli/index.ts";
import { UsageError } from "../../lib/errors.ts";
import {
  advance,
  type ClusterModel,
  ClusterObserver,
  isHealthy,
  openLiveScreen,
  statusColumns,
  statusRecord,
  statusRow,
} from "../../tui/index.ts";

const intervalMsMin = 200;
/** How long one picture waits for the members, and how long one of them may be silent before it counts as lost. */
const livePatienceMsMax = 600;
const liveTimeoutMsMax = 2_000;

export default class ClusterStatus extends ConnectedCommand {
  static override summary = "Show every member: role, health, log position and size.";
  static override description =
    `On a terminal a live screen, until q is pressed: members, throughput, latency, space, alarms and events, with ? for help. In a pipe, with --once or with an --output the members are printed once, with --watch again and again.

The members are found through --endpoints and asked one by one. LAG is how many log entries a member has yet to apply, behind the furthest of all. FSYNC P99 needs /metrics on the client address.

Exit code 9 when some member is not healthy, 4 when none answers; 0 when the live screen is left with q.`;
  static override hiddenAliases = ["endpoint:status", "top"];
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --once",
    "<%= config.bin %> <%= command.id %> --once -o json | jq -e '.members|all(.healthy)'",
    "<%= config.bin %> <%= command.id %> --watch --interval 5s -o jsonl >> status.jsonl",
    "<%= config.bin %> <%= command.id %> --endpoints 10.0.0.1:2379 --interval 500ms",
  ];
  static override flags = {
    once: Flags.boolean({ description: "Print the members once and end", exclusive: ["watch", "tui"] }),
    watch: Flags.boolean({
      description: "Print the members at every interval, until Ctrl-C",
      exclusive: ["tui"],
    }),
    tui: Flags.boolean({ description: "The live screen, or an error where it cannot be shown" }),
    interval: Flags.string({
      description: "Time between two looks at the cluster, at least 200ms",
      helpValue: "<duration>",
      default: "1s",
    }),
    cluster: Flags.boolean({ hidden: true, description: "Accepted for etcdctl's sake: always so" }),
  };

  protected override async execute(): Promise<void> {
    const { flags } = await this.parse(ClusterStatus);
    const intervalMs = parseDuration(flags.interval);
    if (intervalMs < intervalMsMin) throw new UsageError("--interval is below 200ms", "give 200ms or more");
    const out = this.outputFor(flags);
    const isPossible = canShowScreen();
    if (flags.tui && !isPossible) {
      throw new UsageError("the live screen needs a terminal for input and output", "use --once or --watch");
    }
    const isPlain = flags.once || flags.watch || flags.output !== undefined || out.format !== "table";
    const isLive = flags.tui || (isPossible && !isPlain);
    const connected = await this.connect(flags);
    if (isLive) {
      const isColored = !flags["no-color"] && wantsColor(true, process.env);
      await showScreen(connected, intervalMs, isColored);
    } else await print(connected, out, flags.watch ? intervalMs : undefined);
  }
}

function canShowScreen(): boolean {
  const isDumb = process.env["TERM"] === "dumb";
  return process.stdin.isTTY === true && process.stdout.isTTY === true && !isDumb;
}

function observe(
  { library, options }: Connected,
  limits: { readonly patienceMs: number; readonly timeoutMs: number },
): ClusterObserver {
  return new ClusterObserver({ library, connect: options, ...limits });
}

async function showScreen(connected: Connected, intervalMs: number, isColored: boolean): Promise<void> {
  await refuseEarly(connected);
  const timeoutMs = Math.min(connected.timeoutMs, liveTimeoutMsMax);
  const observer = observe(connected, { patienceMs: Math.min(timeoutMs, livePatienceMsMax), timeoutMs });
  try {
    const end = await openLiveScreen({
      stdin: process.stdin as ReadStream,
      stdout: process.stdout as WriteStream,
      stderr: process.stderr,
      isColored,
      intervalMs,
      sample: () => observer.sample(),
      moveLeader: (memberId) => observer.moveLeader(memberId),
    });
    if (end.kind === "interrupt") throw new ExitWith(exitCode.interrupted);
    // Whoever sent the signal is to see that it was obeyed.
    if (end.kind === "signal") process.kill(process.pid, end.signal);
  } finally {
    observer.close();
  }
}

/** A wrong password or certificate does not get right by waiting; a cluster that is not there may come. */
async function refuseEarly({ client, timeoutMs }: Connected): Promise<void> {
  try {
    await client.cluster.memberList({ serializable: true, timeoutMs: Math.min(timeoutMs, liveTimeoutMsMax) });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code !== "UNAVAILABLE" && code !== "DEADLINE_EXCEEDED") throw error;
  }
}

/** Prints the members once, or every `intervalMs` for good. */
async function print(connected: Connected, out: Output, intervalMs: number | undefined): Promise<void> {
  // With nobody to ask at all there is one error to report, and not a table of them.
  if (intervalMs === undefined) await connected.client.cluster.memberList({ serializable: true });
  const { timeoutMs } = connected;
  const observer = observe(connected, { patienceMs: timeoutMs, timeoutMs });
  try {
    for (let past: ClusterModel | undefined; ; ) {
      const startedMs = performance.now();
      const model = advance(past, await observer.sample());
      await printModel(model, out);
      if (intervalMs === undefined) return judge(model);
      past = model;
      await pause(startedMs + intervalMs - performance.now());
    }
  } finally {
    observer.close();
  }
}

async function printModel(model: ClusterModel, out: Output): Promise<void> {
  if (out.isJson) await out.json(statusRecord(model));
  else {
    await out.table(
      statusColumns,
      model.members.map((member) => statusRow(member, model)),
    );
  }
  for (const { name, endpoint, failure } of model.members) {
    if (failure !== undefined) out.notice(`${name} (${endpoint}): ${failure}`);
  }
  if (model.members.length === 0 && model.failure !== undefined) out.notice(model.failure);
}

function judge(model: ClusterModel): void {
  if (model.health === "unreachable") throw new ExitWith(exitCode.unavailable);
  if (!model.members.every(isHealthy)) throw new ExitWith(exitCode.partial);
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, Math.max(0, durationMs));
  });
}
