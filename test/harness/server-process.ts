import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, existsSync, mkdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "./ports.ts";
import { findProgram, repositoryRoot } from "./programs.ts";
import { RawClient } from "./raw-client.ts";

/** `bare`: a server given by its command line, that answers reads at least. */
export type ServerKind = "metastore" | "etcd" | "bare";

export interface ServerOptions {
  readonly kind: ServerKind;
  /** Folder for data and log; made when missing. */
  readonly folder: string;
  /** Further command-line flags. */
  readonly flags?: readonly string[];
  /** Another etcd than the one on the PATH. */
  readonly program?: string;
  /** Flags of Node itself, for MetaStore. */
  readonly nodeFlags?: readonly string[];
  /** The command line of a `bare` server that is to listen on `port`. */
  readonly bareCommand?: (port: number) => readonly string[];
}

/** CPU time of a process in clock ticks of 10 ms, and its memory in bytes, from /proc. */
export interface ProcessUsage {
  readonly cpuMs: number;
  readonly residentBytes: number;
}

/** How often a starting server is asked whether it is ready, in ms. */
const POLL_MS = 5;
const CLOCK_TICK_MS = 10;

/**
 * One server as a child process, MetaStore or etcd, on loopback ports of its own that stay the same over restarts.
 * Its output goes to `server.log` in its folder.
 */
export class ServerProcess {
  readonly kind: ServerKind;
  readonly folder: string;
  readonly clientPort: number;
  readonly #command: readonly string[];
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #startedAt = 0;

  private constructor(options: ServerOptions, clientPort: number, command: readonly string[]) {
    this.kind = options.kind;
    this.folder = options.folder;
    this.clientPort = clientPort;
    this.#command = command;
  }

  /** Starts the process and waits until it answers a linearizable read. */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    const server = await ServerProcess.prepare(options);
    server.spawn();
    try {
      await server.ready(60_000);
    } catch (error) {
      await server.kill();
      throw error;
    }
    return server;
  }

  /** Chooses ports and the command line; starts nothing. */
  static async prepare(options: ServerOptions): Promise<ServerProcess> {
    mkdirSync(options.folder, { recursive: true });
    const [client, peer] = (await freePorts(2)) as [number, number];
    return new ServerProcess(options, client, commandLine(options, client, peer));
  }

  get endpoint(): string {
    return `127.0.0.1:${this.clientPort}`;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.kind} is not running`);
    return pid;
  }

  spawn(): void {
    const [program, ...args] = this.#command;
    if (program === undefined) throw new Error("empty command line");
    const log = createWriteStream(join(this.folder, "server.log"), { flags: "a" });
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], cwd: this.folder });
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
    this.#child = child;
    this.#startedAt = performance.now();
    this.#exited = new Promise((resolve) => {
      child.once("error", () => resolve());
      child.once("close", () => {
        log.end(resolve);
      });
    });
  }

  /** Milliseconds from spawn to the first linearizable read answered. Throws after `limitMs`, or when it exits. */
  async ready(limitMs: number): Promise<number> {
    const deadline = this.#startedAt + limitMs;
    let reason: unknown = "nothing listens";
    while (performance.now() < deadline) {
      const child = this.#child;
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) {
        // The last lines are still on their way into the log when the process ends.
        await this.#exited;
        throw new Error(
          `${this.kind} ended before it was ready (exit code ${child?.exitCode}, ${child?.signalCode}):\n${this.logTail()}`,
        );
      }
      if (await accepts(this.clientPort)) {
        const client = new RawClient(this.endpoint);
        try {
          await client.range("ready", { timeoutMs: 1_000 });
          return performance.now() - this.#startedAt;
        } catch (error) {
          reason = error;
        } finally {
          client.close();
        }
      }
      await sleep(POLL_MS);
    }
    throw new Error(`${this.kind} was not ready within ${limitMs} ms (${reason}):\n${this.logTail()}`);
  }

  /** SIGKILL, and waits for the end. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#exited;
  }

  /** SIGTERM, and SIGKILL after ten seconds. Answers the exit code. */
  async stop(): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await this.#exited;
    clearTimeout(timer);
    return child.exitCode;
  }

  get exited(): Promise<void> {
    return this.#exited;
  }

  usage(): ProcessUsage {
    const stat = readFileSync(`/proc/${this.pid}/stat`, "utf8");
    // The name in parentheses may hold spaces; utime and stime are fields 14 and 15 of the line.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, "utf8"));
    return {
      cpuMs: (Number(fields[11]) + Number(fields[12])) * CLOCK_TICK_MS,
      residentBytes: Number(resident?.[1] ?? Number.NaN) * 1024,
    };
  }

  /** The text of /metrics. */
  async metrics(): Promise<string> {
    const response = await fetch(`http://${this.endpoint}/metrics`);
    if (!response.ok) throw new Error(`/metrics answered ${response.status}`);
    return await response.text();
  }

  logTail(): string {
    const path = join(this.folder, "server.log");
    return existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(-20).join("\n") : "(no output)";
  }
}

function commandLine(options: ServerOptions, client: number, peer: number): string[] {
  if (options.kind === "bare") {
    if (options.bareCommand === undefined) throw new Error("a bare server needs its command line");
    return [...options.bareCommand(client)];
  }
  const url = `http://127.0.0.1:${client}`;
  const flags = [
    "--data-dir",
    join(options.folder, "data"),
    "--listen-client-urls",
    url,
    "--advertise-client-urls",
    url,
  ];
  const peerUrl = `http://127.0.0.1:${peer}`;
  const cluster = ["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl];
  flags.push(...cluster, "--initial-cluster", `default=${peerUrl}`, ...(options.flags ?? []));
  if (options.kind === "metastore") {
    const program = join(repositoryRoot, "bin", "run.js");
    return [process.execPath, ...(options.nodeFlags ?? []), program, "serve", ...flags];
  }
  const program = options.program ?? findProgram("etcd");
  if (program === undefined) throw new Error("there is no etcd on the PATH");
  return [program, ...flags];
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
