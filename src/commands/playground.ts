import { once } from "node:events";
import { createInterface } from "node:readline";
import type { ReadStream, WriteStream } from "node:tty";
import { Flags } from "@oclif/core";
import { BaseCommand, CommandError, exitCode, type Output, wantsColor } from "../cli/index.ts";
import { UsageError } from "../lib/errors.ts";
import { LocalCluster, type MemberProcess, type ProcessEnd } from "../playground/index.ts";
import {
  advance,
  type ClusterModel,
  ClusterObserver,
  type Disturbance,
  eventText,
  openLiveScreen,
} from "../tui/index.ts";

const membersMax = 9;
const intervalMs = 1_000;
const patienceMs = 600;
const silenceMs = 2_000;

export default class Playground extends BaseCommand {
  static override readonly isService = true;
  static override summary = "Start a cluster on this computer, to try things out.";
  static override description =
    `Each member is a process of its own on 127.0.0.1, with its data in a temporary folder. Ctrl-C, q, SIGTERM or the death of this process end all members and remove the data.

On a terminal it takes commands: kill n1, start n1, pause n1, continue n1, quit. With --tui it shows the live screen, where the keys x and p do the same to the selected member.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --members 3 --tui",
    "<%= config.bin %> <%= command.id %> --members 1 --port 12379",
    "<%= config.bin %> <%= command.id %> -o json | jq --unbuffered -r .endpoints",
  ];
  static override flags = {
    members: Flags.integer({
      description: "How many members",
      helpValue: "<count>",
      default: 3,
      min: 1,
      max: membersMax,
    }),
    port: Flags.integer({
      description:
        "Client port of the first member; the others follow in steps of 100, what is taken is left out",
      helpValue: "<port>",
      default: 2_379,
      min: 1,
      max: 65_534,
    }),
    tui: Flags.boolean({ description: "Show the live screen" }),
  };

  protected override async execute(): Promise<void> {
    const { flags } = await this.parse(Playground);
    const out = this.outputFor(flags);
    if (flags.tui && !(process.stdin.isTTY && process.stdout.isTTY && process.env["TERM"] !== "dumb")) {
      throw new UsageError("the live screen needs a terminal for input and output", "leave --tui out");
    }
    const stopped = stopRequested();
    const startedMs = performance.now();
    const journal = new Journal(out, flags.tui);
    out.notice(`starting ${count(flags.members)} ...`);
    const cluster = await LocalCluster.create({
      members: flags.members,
      firstPort: flags.port,
      program: { execPath: process.execPath, args: [...process.execArgv, process.argv[1]!] },
      onEnd: (name, end, isAsked) => journal.ended(name, end, isAsked),
    });
    let observer: ClusterObserver | undefined;
    try {
      if ((await Promise.race([started(cluster), stopped])) !== "started") return;
      observer = await observe(cluster);
      const model = await observeLeader(observer, stopped);
      await introduce(cluster, model, out, { startedMs, isShort: flags.tui });
      if (flags.tui) await showScreen(cluster, observer, !flags["no-color"]);
      else await Promise.race([stopped, journal.follow(observer, model), takeCommands(cluster, out)]);
    } finally {
      observer?.close();
      journal.close();
      out.notice("stopping ...");
      await cluster.stop();
    }
  }
}

function count(members: number): string {
  return `${members} ${members === 1 ? "member" : "members"}`;
}

/** Resolves at the first signal to stop, or when nobody reads what is printed any more. */
function stopRequested(): Promise<undefined> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => resolve(undefined));
    }
    process.stdout.on("error", () => resolve(undefined));
  });
}

async function started(cluster: LocalCluster): Promise<"started"> {
  try {
    await cluster.start();
    return "started";
  } catch (error) {
    const { message } = error as Error;
    throw new CommandError("PLAYGROUND", exitCode.runtime, message, "choose other ports with --port");
  }
}

async function observe({ endpoints }: LocalCluster): Promise<ClusterObserver> {
  const library = await import("../client/index.ts");
  return new ClusterObserver({ library, connect: { endpoints }, patienceMs, timeoutMs: silenceMs });
}

/** Samples until there is a leader; the model with it, or without one when told to stop. */
async function observeLeader(observer: ClusterObserver, stopped: Promise<undefined>): Promise<ClusterModel> {
  for (let isStopped = false; ; ) {
    const model = advance(undefined, await observer.sample());
    if (isStopped || model.leaderId !== undefined) return model;
    const pause = new Promise<false>((resolve) => {
      setTimeout(resolve, 100, false);
    });
    isStopped = await Promise.race([stopped.then(() => true), pause]);
  }
}

/** How to reach the cluster, and what to try. */
async function introduce(
  cluster: LocalCluster,
  model: ClusterModel,
  out: Output,
  { startedMs, isShort }: { readonly startedMs: number; readonly isShort: boolean },
): Promise<void> {
  const endpoints = cluster.endpoints.join(",");
  const leader = model.members.find(({ id }) => id === model.leaderId)?.name;
  if (out.isJson) {
    await out.bytes(
      `${JSON.stringify({
        type: "ready",
        endpoints,
        dataDir: cluster.folder,
        leader: leader ?? null,
        members: cluster.members.map(({ name, pid, clientUrl, peerUrl }) => ({
          name,
          pid,
          clientUrl,
          peerUrl,
        })),
      })}\n`,
    );
    return;
  }
  // The screen says the rest.
  if (isShort) return;
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
  await out.line(
    [
      `${count(cluster.members.length)} ready in ${seconds} s; data in ${cluster.folder}, removed at the end`,
      "",
      ...cluster.members.map(
        ({ name, clientUrl, pid }) =>
          `  ${name}  ${clientUrl}  pid ${pid}${name === leader ? "  leader" : ""}`,
      ),
      "",
      "In another terminal:",
      `  export METASTORE_ENDPOINTS=${endpoints}`,
      "  metastore put greeting hello",
      "  metastore get greeting",
      "  metastore cluster status",
      "",
      process.stdin.isTTY
        ? `Here: kill ${leader ?? "n1"}, start ${leader ?? "n1"}, pause, continue; Ctrl-C ends it all.`
        : "Ctrl-C or SIGTERM ends it all.",
      "",
    ].join("\n"),
  );
}

/** What happens, a line each. */
class Journal {
  readonly #out: Output;
  readonly #isSilent: boolean;
  #isOver = false;

  constructor(out: Output, isSilent: boolean) {
    this.#out = out;
    this.#isSilent = isSilent;
  }

  ended(name: string, end: ProcessEnd, isAsked: boolean): void {
    if (isAsked || this.#isSilent || this.#isOver) return;
    this.#out.notice(
      `the process of ${name} has ended: ${typeof end === "number" ? `exit code ${end}` : end}`,
    );
  }

  /** Prints the events of the cluster from `model` on, for good. */
  async follow(observer: ClusterObserver, first: ClusterModel): Promise<void> {
    for (let model = first; !this.#isOver; ) {
      await new Promise((resolve) => {
        setTimeout(resolve, intervalMs);
      });
      const next = advance(model, await observer.sample());
      const known = model.events[0];
      const news = next.events
        .slice(0, known === undefined ? undefined : next.events.indexOf(known))
        .reverse();
      model = next;
      if (this.#isOver) return;
      for (const event of news) {
        await (this.#out.isJson
          ? this.#out.bytes(
              `${JSON.stringify({ type: "event", time: new Date(event.wallMs).toISOString(), member: event.member ?? null, text: event.text })}\n`,
            )
          : this.#out.line(eventText(event)));
      }
    }
  }

  close(): void {
    this.#isOver = true;
  }
}

/** Obeys the lines typed at a terminal; resolves at "quit". */
async function takeCommands(cluster: LocalCluster, out: Output): Promise<void> {
  if (!process.stdin.isTTY) return new Promise(() => {});
  const lines = createInterface({ input: process.stdin });
  const closed = once(lines, "close");
  lines.on("line", (line) => {
    const [verb = "", name = ""] = line.trim().split(/\s+/);
    if (verb === "") return;
    if (verb === "quit" || verb === "exit" || verb === "q") lines.close();
    else {
      obey(cluster, verb, name).then(
        (done) => out.notice(done),
        (error: Error) => out.notice(`failed: ${error.message}`),
      );
    }
  });
  await closed;
}

async function obey(cluster: LocalCluster, verb: string, name: string): Promise<string> {
  const member = cluster.member(name);
  if (member === undefined) {
    const names = cluster.members.map((known) => known.name).join(", ");
    return `name one of ${names}: kill, start, pause or continue it; quit ends it all`;
  }
  switch (verb) {
    case "kill":
      return killed(cluster, member);
    case "start":
      return startAgain(member);
    case "pause":
      member.pause();
      return `${name} is ${member.state}`;
    case "continue":
      member.resume();
      return `${name} is ${member.state}`;
    default:
      return `${verb} is not known: kill, start, pause, continue, quit`;
  }
}

async function killed(cluster: LocalCluster, member: MemberProcess): Promise<string> {
  if (member.state === "ended") return `${member.name} is not running`;
  await cluster.kill(member);
  return `${member.name} was killed`;
}

async function startAgain(member: MemberProcess): Promise<string> {
  if (member.state !== "ended") return `${member.name} is ${member.state} already`;
  await member.start();
  return `${member.name} has started, pid ${member.pid}`;
}

async function disturb(cluster: LocalCluster, action: Disturbance, name: string): Promise<string> {
  const member = cluster.member(name);
  if (member === undefined) return `${name} is not of this playground`;
  if (action === "killOrStart")
    return member.state === "ended" ? startAgain(member) : killed(cluster, member);
  if (member.state === "paused") member.resume();
  else member.pause();
  return `${name} is ${member.state}`;
}

async function showScreen(
  cluster: LocalCluster,
  observer: ClusterObserver,
  isColored: boolean,
): Promise<void> {
  await openLiveScreen({
    stdin: process.stdin as ReadStream,
    stdout: process.stdout as WriteStream,
    stderr: process.stderr,
    isColored: isColored && wantsColor(true, process.env),
    intervalMs,
    sample: () => observer.sample(),
    moveLeader: (memberId) => observer.moveLeader(memberId),
    disturb: (action, name) => disturb(cluster, action, name),
  });
}
