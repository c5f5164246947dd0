/**
 * The load generator for machines without Go: the flags and the output of test/bench/loadgen, by grpc-js in two worker
 * processes. It costs more CPU a call than the one in Go, so compare its figures only with its own.
 */
import { type ChildProcess, fork } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { RawClient } from "../harness/index.ts";
import { type LoadPart, preload, runWatchers, runWorkers } from "./node-workload.ts";

const WORKERS = 2;

const { values: flags } = parseArgs({
  options: {
    endpoint: { type: "string", default: "127.0.0.1:2379" },
    workload: { type: "string", default: "put" },
    clients: { type: "string", default: "100" },
    watchers: { type: "string", default: "100" },
    seconds: { type: "string", default: "5" },
    warmup: { type: "string", default: "1" },
    keys: { type: "string", default: "10000" },
    "value-size": { type: "string", default: "256" },
    // For the one in Go alone.
    rate: { type: "string" },
    pause: { type: "string" },
    "key-digits": { type: "string" },
    ca: { type: "string" },
    part: { type: "string" },
  },
});

/** What a worker process reports. */
interface Part extends LoadPart {
  /** Its own CPU time in the measured period. */
  readonly cpuMs: number;
}

const share = (count: number, part: number): number => Math.floor((count + WORKERS - 1 - part) / WORKERS);

async function work(part: number): Promise<void> {
  const settings = {
    endpoint: flags.endpoint,
    keys: Number(flags.keys),
    value: "v".repeat(Number(flags["value-size"])),
    part,
  };
  const loop =
    flags.workload === "watch"
      ? await runWatchers({ ...settings, watchers: share(Number(flags.watchers), part) })
      : runWorkers({ ...settings, workload: flags.workload, clients: share(Number(flags.clients), part) });
  process.send?.("ready");
  let began = process.cpuUsage();
  process.on("message", async (message) => {
    if (message === "begin") {
      began = process.cpuUsage();
      loop.begin();
    } else if (message === "end") {
      const { user, system } = process.cpuUsage(began);
      const result: Part = { ...(await loop.end()), cpuMs: (user + system) / 1_000 };
      process.send?.(result, () => process.disconnect());
    }
  });
}

async function lead(): Promise<void> {
  if ([flags.rate, flags.pause, flags["key-digits"], flags.ca].some((value) => value !== undefined)) {
    throw new Error(
      "paced calls, pauses, other keys and TLS need the load generator in Go: put a go on the PATH",
    );
  }
  if (flags.workload === "preload") {
    const client = new RawClient(flags.endpoint.split(",")[0] ?? "");
    await preload(client, Number(flags.keys), "v".repeat(Number(flags["value-size"])));
    client.close();
    return;
  }
  const self = fileURLToPath(import.meta.url);
  const children = Array.from({ length: WORKERS }, (_, part) =>
    fork(self, [...process.argv.slice(2), "--part", String(part)], { execArgv: process.execArgv }),
  );
  await Promise.all(children.map(answer));
  await sleep(Number(flags.warmup) * 1_000);
  console.log("begin");
  const began = performance.now();
  for (const child of children) child.send("begin");
  await sleep(Number(flags.seconds) * 1_000);
  const results = children.map(answer);
  for (const child of children) child.send("end");
  const seconds = (performance.now() - began) / 1_000;
  console.log("end");
  const parts = (await Promise.all(results)) as Part[];
  const latencies = parts.flatMap((part) => part.latenciesUs).sort((a, b) => a - b);
  const at = (fraction: number): number => latencies[Math.floor(fraction * (latencies.length - 1))] ?? 0;
  const firstError = parts.find((part) => part.firstError !== undefined)?.firstError;
  console.log(
    JSON.stringify({
      workload: flags.workload,
      clients: Number(flags.workload === "watch" ? flags.watchers : flags.clients),
      count: latencies.length,
      errors: parts.reduce((sum, part) => sum + part.errors, 0),
      seconds,
      p50Us: at(0.5),
      p99Us: at(0.99),
      maxUs: at(1),
      ownCpuMs: parts.reduce((sum, part) => sum + part.cpuMs, 0),
      ...(firstError === undefined ? {} : { firstError }),
    }),
  );
}

/** The next message of a worker; rejects when it ends instead. */
function answer(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once("message", resolve);
    child.once("exit", (code) => reject(new Error(`a load worker ended with ${code}`)));
  });
}

if (flags.part === undefined) await lead();
else await work(Number(flags.part));
