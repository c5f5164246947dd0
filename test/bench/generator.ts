import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { findProgram, repositoryRoot, versionOf } from "../harness/index.ts";
import type { Inside } from "./inside.ts";
import type { WorkloadName } from "./plan.ts";
import type { Target } from "./target.ts";

/** What one run of the load generator measured. */
export interface Measurement {
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
  /**
   * The longest call, from its own begin on. The other times of a paced load count from the moment when a call was due,
   * and so tell how far the schedule fell behind too.
   */
  readonly callMaxUs: number;
  /** CPU time of the server, or of all members, over the measured period, divided by the calls (or events) in it. */
  readonly cpuUs: number;
  /** The same of the load generator. */
  readonly generatorCpuUs: number;
  readonly count: number;
  readonly seconds: number;
  readonly errors: number;
  readonly inside: Inside | undefined;
}

interface LoadResult {
  readonly count: number;
  readonly errors: number;
  readonly seconds: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
  readonly callMaxUs?: number;
  readonly ownCpuMs: number;
  readonly firstError?: string;
}

/** What can be measured. */
export type Measured = Pick<Target, "endpoint" | "ca" | "usage" | "begin" | "end">;

/** A server into which nobody looks while it is measured. */
export function unwatched(
  server: Pick<Measured, "endpoint" | "usage"> & { readonly ca?: Measured["ca"] },
): Measured {
  const nothing = async (): Promise<undefined> => undefined;
  return {
    ...{ endpoint: server.endpoint, ca: server.ca },
    ...{ usage: () => server.usage(), begin: nothing, end: nothing },
  };
}

export interface Load {
  /** `page`: as many keys as `list`, with more behind them; `count`: of 10,000 keys. */
  readonly workload: WorkloadName | "page" | "count";
  readonly clients: number;
  readonly seconds: number;
  readonly keys: number;
  /** Calls to begin a second; as fast as they are answered when absent. */
  readonly rate?: number;
  /** Between an answer and the next call of its client, where there is no rate. */
  readonly pauseMs?: number;
  /** Of a key, behind "bench/". */
  readonly keyDigits?: number;
}

const PRELOAD_CLIENTS = 8;

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

  async preload(server: Measured, keys: number, keyDigits?: number): Promise<void> {
    const clients = String(PRELOAD_CLIENTS);
    const load = ["--workload", "preload", "--keys", String(keys), "--clients", clients];
    await this.#run(server, [...load, ...flag("--key-digits", keyDigits)]);
  }

  async measure(server: Measured, load: Load): Promise<Measurement> {
    const isWatch = load.workload === "watch";
    const { result, cpuMs, inside } = await this.#run(server, [
      ...["--workload", load.workload === "put-paced" ? "put" : load.workload],
      ...["--clients", String(isWatch ? 1 : load.clients), "--watchers", String(isWatch ? load.clients : 1)],
      ...["--seconds", String(load.seconds), "--warmup", String(Math.min(1, load.seconds / 2))],
      ...["--keys", String(load.keys)],
      ...flag("--rate", load.rate),
      ...flag("--pause", load.pauseMs === undefined ? undefined : load.pauseMs / 1_000),
      ...flag("--key-digits", load.keyDigits),
    ]);
    if (result === undefined) throw new Error("the load generator printed no result");
    if (result.errors > 0) console.log(`  ${result.errors} errors, the first: ${result.firstError}`);
    return {
      perSecond: result.count / result.seconds,
      p50Us: result.p50Us,
      p99Us: result.p99Us,
      maxUs: result.maxUs,
      callMaxUs: result.callMaxUs ?? result.maxUs,
      cpuUs: (cpuMs * 1_000) / result.count,
      generatorCpuUs: (result.ownCpuMs * 1_000) / result.count,
      count: result.count,
      seconds: result.seconds,
      errors: result.errors,
      inside,
    };
  }

  async #run(
    server: Measured,
    args: readonly string[],
  ): Promise<{ result: LoadResult | undefined; cpuMs: number; inside: Inside | undefined }> {
    const [program, ...first] = this.#command;
    const where = ["--endpoint", server.endpoint, ...(server.ca === undefined ? [] : ["--ca", server.ca])];
    const child = spawn(program ?? "", [...first, ...where, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
      cwd: repositoryRoot,
    });
    const exit = new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    let [beginMs, endMs] = [0, 0];
    let inside: Inside | undefined;
    let result: LoadResult | undefined;
    for await (const line of createInterface({ input: child.stdout })) {
      if (line === "begin") {
        beginMs = server.usage().cpuMs;
        await server.begin();
      } else if (line === "end") {
        endMs = server.usage().cpuMs;
        inside = await server.end();
      } else if (line.startsWith("{")) result = JSON.parse(line) as LoadResult;
    }
    const code = await exit;
    if (code !== 0) throw new Error(`the load generator ended with ${code} (${args.join(" ")})`);
    return { result, cpuMs: endMs - beginMs, inside };
  }
}

function flag(name: string, value: number | undefined): string[] {
  return value === undefined ? [] : [name, String(value)];
}
