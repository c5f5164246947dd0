import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { findProgram, repositoryRoot, versionOf } from "../harness/index.ts";
import type { Point } from "./plan.ts";
import type { Target } from "./target.ts";

/** What one run of the load generator measured. */
export interface Measurement {
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** CPU time of the server, or of all members, over the measured period, divided by the calls (or events) in it. */
  readonly cpuUs: number;
  readonly errors: number;
}

interface LoadResult {
  readonly count: number;
  readonly errors: number;
  readonly seconds: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly firstError?: string;
}

/** What can be measured: a server process is such a one. */
export type Measured = Pick<Target, "endpoint" | "usage">;

export interface LoadOptions {
  readonly seconds: number;
  readonly keys: number;
}

/** The program that makes the load: the one in Go where there is a Go, else the one for Node. */
export class Generator {
  readonly title: string;
  readonly #command: readonly string[];

  private constructor(title: string, command: readonly string[]) {
    this.title = title;
    this.#command = command;
  }

  /** `folder` takes the built program. */
  static prepare(folder: string): Generator {
    const go = findProgram("go");
    if (go !== undefined) {
      const binary = join(folder, "loadgen");
      const source = join(repositoryRoot, "test", "bench", "loadgen");
      const built = spawnSync(go, ["build", "-o", binary, "."], { cwd: source, encoding: "utf8" });
      if (built.status === 0) return new Generator(`grpc-go, ${versionOf(go, "version")}`, [binary]);
      throw new Error(`the load generator does not build:\n${built.stderr}`);
    }
    const script = join(repositoryRoot, "test", "bench", "node-loadgen.ts");
    return new Generator(`grpc-js, Node ${process.version} (no go on the PATH)`, [
      process.execPath,
      "--import",
      "tsx",
      script,
    ]);
  }

  async preload(server: Measured, keys: number): Promise<void> {
    await this.#run(server, ["--workload", "preload", "--keys", String(keys), "--clients", "1"]);
  }

  async measure(server: Measured, point: Point, options: LoadOptions): Promise<Measurement> {
    const { result, cpuMs } = await this.#run(server, [
      ...["--workload", point.workload, "--clients", String(point.workload === "watch" ? 1 : point.clients)],
      ...["--watchers", String(point.workload === "watch" ? point.clients : 1)],
      ...["--seconds", String(options.seconds), "--warmup", String(Math.min(2, options.seconds / 2))],
      ...["--keys", String(options.keys)],
    ]);
    if (result === undefined) throw new Error("the load generator printed no result");
    if (result.errors > 0) console.log(`  ${result.errors} errors, the first: ${result.firstError}`);
    return {
      perSecond: result.count / result.seconds,
      p50Us: result.p50Us,
      p99Us: result.p99Us,
      cpuUs: (cpuMs * 1_000) / result.count,
      errors: result.errors,
    };
  }

  async #run(
    server: Measured,
    args: readonly string[],
  ): Promise<{ result: LoadResult | undefined; cpuMs: number }> {
    const [program, ...first] = this.#command;
    const child = spawn(program ?? "", [...first, "--endpoint", server.endpoint, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
      cwd: repositoryRoot,
    });
    const exit = new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    let [beginMs, endMs] = [0, 0];
    let result: LoadResult | undefined;
    for await (const line of createInterface({ input: child.stdout })) {
      if (line === "begin") beginMs = server.usage().cpuMs;
      else if (line === "end") endMs = server.usage().cpuMs;
      else if (line.startsWith("{")) result = JSON.parse(line) as LoadResult;
    }
    const code = await exit;
    if (code !== 0) throw new Error(`the load generator ended with ${code} (${args.join(" ")})`);
    return { result, cpuMs: endMs - beginMs };
  }
}

/** The middle one of each figure. */
export function median(runs: readonly Measurement[]): Measurement {
  const middle = (pick: (run: Measurement) => number): number => {
    const sorted = runs.map(pick).sort((a, b) => a - b);
    return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  };
  return {
    perSecond: middle((run) => run.perSecond),
    p50Us: middle((run) => run.p50Us),
    p99Us: middle((run) => run.p99Us),
    cpuUs: middle((run) => run.cpuUs),
    errors: runs.reduce((sum, run) => sum + run.errors, 0),
  };
}
