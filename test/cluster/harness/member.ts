import { join } from "node:path";
import { findProgram, freePorts, repositoryRoot, ServerProcess } from "../../harness/index.ts";
import { Admin } from "./admin.ts";

/** "metastore" is the built server of this repository, or of the one at `program`. */
export type ClusterKind = "metastore" | "etcd";

export interface MemberOptions {
  readonly kind: ClusterKind;
  readonly name: string;
  readonly folder: string;
  readonly peerPort: number;
  readonly advertisedPeerUrl: string;
  readonly initialCluster: string;
  readonly initialClusterState: "new" | "existing";
  readonly token: string;
  /** Further flags, for every member alike. */
  readonly flags: readonly string[];
  readonly nodeFlags: readonly string[];
  /** Another etcd, or another bin/run.js. */
  readonly program: string | undefined;
}

/** Ports given out by this process: a port is free to others until its server listens. */
const given = new Set<number>();

export async function reservePort(): Promise<number> {
  for (;;) {
    const [port] = (await freePorts(1)) as [number];
    if (given.has(port)) continue;
    given.add(port);
    return port;
  }
}

/** One member of a cluster under test, as a process that can be killed, stopped, paused and started again. */
export class Member {
  readonly name: string;
  readonly advertisedPeerUrl: string;
  readonly folder: string;
  readonly #process: ServerProcess;
  #admin: Admin | undefined;
  #spawnedMs = 0;
  #state: "running" | "paused" | "down" = "down";
  /** The member's id in the cluster; known once it has answered. */
  id: bigint | undefined;

  private constructor(options: MemberOptions, process: ServerProcess) {
    this.name = options.name;
    this.advertisedPeerUrl = options.advertisedPeerUrl;
    this.folder = options.folder;
    this.#process = process;
  }

  static async prepare(options: MemberOptions): Promise<Member> {
    for (;;) {
      const process = await ServerProcess.prepare({
        kind: "bare",
        folder: options.folder,
        bareCommand: (port) => commandLine(options, port),
      });
      if (given.has(process.clientPort)) continue;
      given.add(process.clientPort);
      return new Member(options, process);
    }
  }

  get endpoint(): string {
    return this.#process.endpoint;
  }

  get state(): "running" | "paused" | "down" {
    return this.#state;
  }

  get isUp(): boolean {
    return this.#state === "running";
  }

  get admin(): Admin {
    this.#admin ??= new Admin(this.endpoint);
    return this.#admin;
  }

  get process(): ServerProcess {
    return this.#process;
  }

  spawn(): void {
    this.#process.spawn();
    this.#spawnedMs = performance.now();
    this.#state = "running";
  }

  /** Waits, `limitMs` from now at most, until it answers a linearizable read. */
  async ready(limitMs = 30_000): Promise<void> {
    // The process counts from its spawn.
    await this.#process.ready(performance.now() - this.#spawnedMs + limitMs);
  }

  async kill(): Promise<void> {
    this.#state = "down";
    await this.#process.kill();
  }

  /** SIGTERM; answers the exit code and how long it took. */
  async stop(): Promise<{ exitCode: number | null; tookMs: number }> {
    this.#state = "down";
    const beganMs = performance.now();
    const exitCode = await this.#process.stop();
    return { exitCode, tookMs: performance.now() - beganMs };
  }

  pause(): void {
    process.kill(this.#process.pid, "SIGSTOP");
    this.#state = "paused";
  }

  resume(): void {
    process.kill(this.#process.pid, "SIGCONT");
    this.#state = "running";
  }

  /** The process ends by itself: a removed member does. */
  get exited(): Promise<void> {
    return this.#process.exited;
  }

  closeAdmin(): void {
    this.#admin?.close();
    this.#admin = undefined;
  }
}

function commandLine(options: MemberOptions, clientPort: number): string[] {
  const clientUrl = `http://127.0.0.1:${clientPort}`;
  const flags = [
    ...["--name", options.name],
    ...["--data-dir", join(options.folder, "data")],
    ...["--listen-client-urls", clientUrl],
    ...["--advertise-client-urls", clientUrl],
    ...["--listen-peer-urls", `http://127.0.0.1:${options.peerPort}`],
    ...["--initial-advertise-peer-urls", options.advertisedPeerUrl],
    ...["--initial-cluster", options.initialCluster],
    ...["--initial-cluster-state", options.initialClusterState],
    ...["--initial-cluster-token", options.token],
    ...options.flags,
  ];
  if (options.kind === "metastore") {
    const program = options.program ?? join(repositoryRoot, "bin", "run.js");
    return [process.execPath, ...options.nodeFlags, program, "serve", ...flags];
  }
  const program = options.program ?? findProgram("etcd");
  if (program === undefined) throw new Error("there is no etcd on the PATH");
  return [program, ...flags, "--logger", "zap", "--log-level", "warn"];
}
