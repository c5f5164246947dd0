import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { repositoryRoot } from "../harness/index.ts";

/** What test/bench/probe.js saw in a server over the measured period. */
export interface Inside {
  /** How late the event loop ran. */
  readonly lagP999Ms: number;
  readonly lagMaxMs: number;
  /** All pauses of the garbage collector together, and the longest. */
  readonly gcMs: number;
  readonly gcMaxMs: number;
  /** The files of the CPU profiles, one for each process, when there were to be any. */
  readonly profiles?: readonly string[];
}

/** Flags of Node that put the probe into a server. */
export function probeFlags(folder: string): string[] {
  const script = pathToFileURL(join(repositoryRoot, "test", "bench", "probe.js"));
  script.searchParams.set("folder", folder);
  return ["--import", script.href];
}

/** The line to the probe in one server process. */
export class Probe {
  readonly #socket: Socket;
  readonly #lines: AsyncIterator<string>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  }

  static async connect(folder: string, pid: number): Promise<Probe> {
    const socket = connect(join(folder, `${pid}.sock`));
    await once(socket, "connect");
    // The server is killed under it.
    socket.on("error", () => {});
    return new Probe(socket);
  }

  async begin(isProfiled: boolean): Promise<void> {
    await this.#ask(isProfiled ? "begin profile" : "begin");
  }

  async end(): Promise<Inside> {
    const { profile, ...seen } = (await this.#ask("end")) as Inside & { readonly profile?: string };
    return profile === undefined ? seen : { ...seen, profiles: [profile] };
  }

  close(): void {
    this.#socket.destroy();
  }

  async #ask(line: string): Promise<unknown> {
    this.#socket.write(`${line}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error("the server has gone");
    return JSON.parse(value);
  }
}

/** Of several members: the worst lag and pause, the sum of the pauses, all profiles. */
export function together(parts: readonly Inside[]): Inside | undefined {
  const [first] = parts;
  if (first === undefined) return undefined;
  const profiles = parts.flatMap((part) => part.profiles ?? []);
  return {
    ...(profiles.length > 0 ? { profiles } : {}),
    lagP999Ms: Math.max(...parts.map((part) => part.lagP999Ms)),
    lagMaxMs: Math.max(...parts.map((part) => part.lagMaxMs)),
    gcMs: parts.reduce((sum, part) => sum + part.gcMs, 0),
    gcMaxMs: Math.max(...parts.map((part) => part.gcMaxMs)),
  };
}
