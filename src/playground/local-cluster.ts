import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { choosePorts, type MemberPorts } from "./member-ports.ts";
import { MemberProcess, type ProcessEnd, type Program } from "./member-process.ts";

export interface LocalClusterOptions {
  readonly members: number;
  /** Client port of the first member, unless it is taken. */
  readonly firstPort: number;
  readonly program: Program;
  /** A member's process has ended: its name, how, and whether it was asked to. */
  readonly onEnd: (name: string, end: ProcessEnd, isAsked: boolean) => void;
}

/**
 * A cluster of child processes on this computer, with its data in a temporary folder. Nothing of it outlives this
 * process: stop() ends and removes everything in order, an exit without it does the same at once, and after a
 * kill -9 of this process the members notice by themselves (lifeline.ts).
 */
export class LocalCluster {
  readonly folder: string;
  readonly members: readonly MemberProcess[];
  readonly #asked = new Set<string>();
  readonly #onExit = (): void => this.#removeNow();

  private constructor(options: LocalClusterOptions, ports: readonly MemberPorts[]) {
    this.folder = mkdtempSync(join(tmpdir(), "metastore-playground-"));
    const names = ports.map((_, i) => `n${i + 1}`);
    const initialCluster = ports.map(({ peer }, i) => `${names[i]}=http://127.0.0.1:${peer}`).join(",");
    this.members = ports.map(
      (pair, i) =>
        new MemberProcess(
          {
            name: names[i]!,
            ports: pair,
            dataDir: join(this.folder, names[i]!),
            initialCluster,
            // Of its own, so that members of another playground at the same ports are strangers.
            token: basename(this.folder),
          },
          options.program,
          (end) => options.onEnd(names[i]!, end, this.#asked.delete(names[i]!)),
        ),
    );
    process.on("exit", this.#onExit);
  }

  /** Chooses ports and makes the folder; no process runs yet. */
  static async create(options: LocalClusterOptions): Promise<LocalCluster> {
    return new LocalCluster(options, await choosePorts(options.members, options.firstPort));
  }

  /**
   * Starts all members and waits until they serve.
   *
   * @throws Error when a member ends while starting
   */
  async start(): Promise<void> {
    await Promise.all(this.members.map((member) => member.start()));
  }

  /** host:port of all members. */
  get endpoints(): string[] {
    return this.members.map(({ spec }) => `127.0.0.1:${spec.ports.client}`);
  }

  get isAnyRunning(): boolean {
    return this.members.some(({ state }) => state !== "ended");
  }

  /** The member of that name; undefined when there is none. */
  member(name: string): MemberProcess | undefined {
    return this.members.find((member) => member.name === name);
  }

  /** Ends a running or paused member as kill -9 does. */
  async kill(member: MemberProcess): Promise<void> {
    this.#asked.add(member.name);
    await member.kill();
  }

  /** Ends all members in order and removes their data. */
  async stop(): Promise<void> {
    for (const { name } of this.members) this.#asked.add(name);
    await Promise.all(this.members.map((member) => member.stop()));
    process.off("exit", this.#onExit);
    this.#removeFolder();
  }

  #removeNow(): void {
    for (const member of this.members) member.killNow();
    this.#removeFolder();
  }

  #removeFolder(): void {
    // A process that is being killed may still make a file meanwhile.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  }
}
