/**
 * npm run test:hostile-frames: frames that no sound client sends, over raw sockets, against a transport in a process of its
 * own, while a well-behaved client is served.
 *   --transport NAME  wire or grpc-js
 *   --only TEXT       the cases whose name has it
 *   --skip TEXT       all but those
 *   --flood-ms N      how long one flood may last (5000)
 * A case passes when the server lives, every call of the well-behaved client succeeds, memory rises and stays within the
 * bounds that are printed, no call is left open, and the connection ends as the case says. Times are printed only.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { HonestLap } from "./honest-client.ts";
import { HostileConnection } from "./hostile-connection.ts";
import { type Arena, type FrameCase, frameCases } from "./hostile-frame-cases.ts";
import type { ServerNumbers, ServerPorts } from "./hostile-server.ts";
import { PATIENCE_MS } from "./patience.ts";
import { transports } from "./transports.ts";

const { values: flags } = parseArgs({
  options: {
    transport: { type: "string", default: Object.keys(transports).at(-1) ?? "grpc-js" },
    only: { type: "string", default: "" },
    skip: { type: "string" },
    "flood-ms": { type: "string", default: "5000" },
  },
});

const MB = 1_048_576;
/** What may stay of a case's memory when it is over: an allocator gives back when it will. */
const STAYS_BYTES_MAX = 64 * MB;
const SAMPLE_MS = 25;
const BASELINE_MS = 1_000;

const gone: ServerNumbers = { openCalls: 0, openedCalls: 0 };

class Attack {
  readonly #server: ChildProcess;
  readonly #honest: ChildProcess;
  readonly #ports: ServerPorts;
  #isServerGone = false;

  private constructor(server: ChildProcess, honest: ChildProcess, ports: ServerPorts) {
    this.#server = server;
    this.#honest = honest;
    this.#ports = ports;
    server.once("exit", () => {
      this.#isServerGone = true;
    });
  }

  static async start(): Promise<Attack> {
    const program = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
    const server = fork(program("./hostile-server.ts"), [flags.transport], { stdio: "inherit" });
    const [ports] = (await once(server, "message")) as [ServerPorts];
    const honest = fork(program("./honest-client.ts"), [String(ports.plain)], { stdio: "inherit" });
    return new Attack(server, honest, ports);
  }

  get isServerGone(): boolean {
    return this.#isServerGone;
  }

  stop(): void {
    this.#honest.kill("SIGKILL");
    this.#server.kill("SIGKILL");
  }

  async run(entry: FrameCase): Promise<boolean> {
    const problems: string[] = [];
    await this.#lap();
    await sleep(BASELINE_MS);
    const calm = await this.#lap();
    await this.#numbers();
    const before = this.#resident();
    let peak = before;
    const sampler = setInterval(() => {
      peak = Math.max(peak, this.#resident());
    }, SAMPLE_MS);
    let seen = "";
    const connections: HostileConnection[] = [];
    const arena: Arena = {
      ports: this.#ports,
      isStrict: flags.transport !== "grpc-js",
      floodMs: Number(flags["flood-ms"]),
      numbers: () => this.#numbers(),
      open: async (options = {}) => {
        const port = options.isTls === true ? this.#ports.tls : this.#ports.plain;
        const connection = await HostileConnection.open(port, options);
        connections.push(connection);
        return connection;
      },
    };
    try {
      seen = await entry.run(arena);
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
    const laden = await this.#lap();
    for (const connection of connections) connection.destroy();
    clearInterval(sampler);
    if (!(await this.#isLeft())) problems.push("calls are still open after their connections are gone");
    const after = await this.#settled(before + STAYS_BYTES_MAX);
    if (this.#isServerGone) problems.push("the server process has ended");
    if (laden.failures.length > 0) {
      problems.push(`${laden.failures.length} honest calls failed: ${laden.failures[0]}`);
    }
    const rise = peak - before;
    if (rise > entry.riseBytesMax)
      problems.push(`memory rose by ${mb(rise)}, ${mb(entry.riseBytesMax)} are allowed`);
    if (after > before + STAYS_BYTES_MAX)
      problems.push(`memory stays ${mb(after - before)} above what it was`);
    console.log(`${problems.length === 0 ? "ok" : "not ok"} ${entry.name}: ${seen}`);
    console.log(
      `     memory ${mb(before)}, peak ${mb(peak)} (bound ${mb(before + entry.riseBytesMax)}), after ${mb(after)} (bound ${mb(before + STAYS_BYTES_MAX)}); others: p99 ${ms(calm.p99Ms)} before, ${ms(laden.p99Ms)} during (${laden.calls} calls)`,
    );
    for (const problem of problems) console.log(`     ${problem}`);
    return problems.length === 0;
  }

  /** Whether the calls of the attack are over; one or two of the honest client may be open at any time. */
  async #isLeft(): Promise<boolean> {
    const deadline = performance.now() + PATIENCE_MS;
    while (performance.now() < deadline && !this.#isServerGone) {
      if ((await this.#numbers()).openCalls <= 2) return true;
      await sleep(50);
    }
    // A server that has ended is a problem of its own.
    return this.#isServerGone;
  }

  /** Memory once it is below `limit`, or what it has come to. */
  async #settled(limit: number): Promise<number> {
    const deadline = performance.now() + PATIENCE_MS;
    let lowest = Number.POSITIVE_INFINITY;
    while (performance.now() < deadline && lowest > limit && !this.#isServerGone) {
      await this.#numbers();
      lowest = Math.min(lowest, this.#resident());
      await sleep(100);
    }
    return this.#isServerGone ? 0 : lowest;
  }

  async #lap(): Promise<HonestLap> {
    this.#honest.send("lap");
    const [lap] = (await once(this.#honest, "message")) as [HonestLap];
    return lap;
  }

  /** The server's numbers, after a collection; a server that is busy answers late. */
  async #numbers(): Promise<ServerNumbers> {
    if (this.#isServerGone) return gone;
    this.#server.send("numbers");
    return new Promise((resolve) => {
      const settle = (numbers: ServerNumbers): void => {
        this.#server.off("message", settle);
        this.#server.off("exit", leave);
        resolve(numbers);
      };
      const leave = (): void => settle(gone);
      this.#server.on("message", settle);
      this.#server.on("exit", leave);
    });
  }

  #resident(): number {
    if (this.#isServerGone) return 0;
    try {
      const status = readFileSync(`/proc/${this.#server.pid}/status`, "utf8");
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1_024;
    } catch {
      return 0;
    }
  }
}

const mb = (bytes: number): string => `${(bytes / MB).toFixed(0)} MB`;
const ms = (value: number): string => `${value.toFixed(1)} ms`;

async function main(): Promise<number> {
  const isChosen = ({ name }: FrameCase): boolean =>
    name.includes(flags.only) && (flags.skip === undefined || !name.includes(flags.skip));
  const chosen = frameCases.filter(isChosen);
  let [passed, failed] = [0, 0];
  let attack = await Attack.start();
  for (const entry of chosen) {
    if (await attack.run(entry)) passed++;
    else failed++;
    if (!attack.isServerGone) continue;
    attack.stop();
    attack = await Attack.start();
  }
  attack.stop();
  console.log(`${passed} passed, ${failed} failed, ${frameCases.length - chosen.length} skipped`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
