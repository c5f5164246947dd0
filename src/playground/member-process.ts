import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { MemberPorts } from "./member-ports.ts";

/** How to run the CLI itself: what Node was started with, up to the script. */
export interface Program {
  readonly execPath: string;
  /** Options of Node and the script. */
  readonly args: readonly string[];
}

export interface MemberSpec {
  readonly name: string;
  readonly ports: MemberPorts;
  readonly dataDir: string;
  /** NAME=URL,... of all members. */
  readonly initialCluster: string;
  readonly token: string;
}

export type MemberProcessState = "running" | "paused" | "ended";

/** How a process ended: its exit code, or the signal. */
export type ProcessEnd = number | NodeJS.Signals;

/** What the server prints when it serves (commands/serve.ts). */
const readyText = "serving the etcd API on";
const stopMs = 5_000;
const logTailCharacters = 4_096;

// Beside this file in src/, and in dist/ where this file is part of another.
const lifelinePath = fileURLToPath(import.meta.url).replace(
  /^(.*[\\/](?:src|dist)[\\/]).*(\.[jt]s)$/,
  (_path, root: string, ending: string) => join(root, "playground", `lifeline${ending}`),
);

/** One member of a playground: `metastore serve` as a child process, which can be killed, paused and started again. */
export class MemberProcess {
  readonly spec: MemberSpec;
  readonly #program: Program;
  readonly #onEnd: (end: ProcessEnd) => void;
  #child: ChildProcess | undefined;
  #isPaused = false;
  #logTail = "";

  /** @param onEnd called each time the process ends, asked to or not */
  constructor(spec: MemberSpec, program: Program, onEnd: (end: ProcessEnd) => void) {
    this.spec = spec;
    this.#program = program;
    this.#onEnd = onEnd;
  }

  get name(): string {
    return this.spec.name;
  }

  get clientUrl(): string {
    return `http://127.0.0.1:${this.spec.ports.client}`;
  }

  get peerUrl(): string {
    return `http://127.0.0.1:${this.spec.ports.peer}`;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get state(): MemberProcessState {
    if (this.#child === undefined) return "ended";
    return this.#isPaused ? "paused" : "running";
  }

  /** The end of what it has written to its log. */
  get logTail(): string {
    return this.#logTail.trim();
  }

  /**
   * Starts the process and waits until it serves.
   *
   * @throws Error with the end of its log when it ends before that
   */
  async start(): Promise<void> {
    if (this.#child !== undefined) return;
    const { execPath, args } = this.#program;
    const child = spawn(execPath, ["--import", lifelinePath, ...args, "serve", ...this.#flags()], {
      // A session of its own: Ctrl-C at the terminal is for the playground, which stops its members in order.
      detached: true,
      env: environmentOf(process.env),
      stdio: ["ignore", "ignore", "pipe", "pipe"],
    });
    this.#child = child;
    this.#isPaused = false;
    this.#logTail = "";
    const ended = this.#followEnd(child);
    const ready = this.#followLog(child);
    const end = await Promise.race([ready, ended]);
    if (end !== undefined) throw new Error(`${this.name} ended with ${end} while starting:\n${this.logTail}`);
  }

  /** kill -9 */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** SIGSTOP: it holds its connections and answers nothing, as a machine that hangs. */
  pause(): void {
    if (this.state === "running" && this.#child?.kill("SIGSTOP")) this.#isPaused = true;
  }

  /** SIGCONT */
  resume(): void {
    if (this.#isPaused && this.#child?.kill("SIGCONT")) this.#isPaused = false;
  }

  /** Asks it to end in order, and makes it end after five seconds. */
  async stop(): Promise<void> {
    this.resume();
    const timer = setTimeout(() => this.#child?.kill("SIGKILL"), stopMs);
    await this.#end("SIGTERM").finally(() => clearTimeout(timer));
  }

  /** The last resort of an exit handler, where nothing can be waited for. */
  killNow(): void {
    this.#child?.kill("SIGKILL");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }

  #flags(): string[] {
    const { name, dataDir, initialCluster, token } = this.spec;
    return [
      `--name=${name}`,
      `--data-dir=${dataDir}`,
      `--listen-client-urls=${this.clientUrl}`,
      `--advertise-client-urls=${this.clientUrl}`,
      `--listen-peer-urls=${this.peerUrl}`,
      `--initial-advertise-peer-urls=${this.peerUrl}`,
      `--initial-cluster=${initialCluster}`,
      `--initial-cluster-token=${token}`,
      "--initial-cluster-state=new",
      "--log-level=warn",
    ];
  }

  #followEnd(child: ChildProcess): Promise<ProcessEnd> {
    return new Promise((resolve, reject) => {
      child.once("error", (error) => {
        this.#child = undefined;
        reject(error);
      });
      child.once("exit", (code, signal) => {
        this.#child = undefined;
        this.#isPaused = false;
        const end = signal ?? code ?? 0;
        this.#onEnd(end);
        resolve(end);
      });
    });
  }

  #followLog(child: ChildProcess): Promise<undefined> {
    return new Promise((resolve) => {
      child.stderr!.setEncoding("utf8");
      child.stderr!.on("data", (text: string) => {
        this.#logTail = (this.#logTail + text).slice(-logTailCharacters);
        if (this.#logTail.includes(readyText)) resolve(undefined);
      });
      // The lifeline: nothing comes from it, and its end is noticed by the process's own.
      (child.stdio[3] as NodeJS.ReadableStream).on("error", () => {});
    });
  }
}

/** Settings for a server of the user's own, which a playground's members must not take for theirs. */
function environmentOf(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !/^(METASTORE|ETCD)_/.test(name)));
}
