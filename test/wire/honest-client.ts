/**
 * A well-behaved client in a process of its own, so that it is not slowed by the attacker: unary calls and a stream, one
 * after the other on two connections. Started by fork; each message it gets is answered with what happened since the last.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { RawClient } from "../harness/index.ts";
import { SYNTHETIC } from "./synthetic-methods.ts";

export interface HonestLap {
  readonly calls: number;
  readonly failures: readonly string[];
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Generous: the attacker and the server may have both cores. */
const CALL_LIMIT_MS = 20_000;
const PAUSE_MS = 2;
const endpoint = `127.0.0.1:${process.argv[2]}`;
let timesMs: number[] = [];
let failures: string[] = [];
let isOver = false;

async function run(): Promise<void> {
  const client = new RawClient(endpoint);
  for (let number = 0; !isOver; number++) {
    const message = Buffer.from(`honest ${number} ${"x".repeat(number % 500)}`);
    const begin = performance.now();
    try {
      const path = `${SYNTHETIC}/${number % 2 === 0 ? "Echo" : "EchoLater"}`;
      const answer = await client.call(path, message, CALL_LIMIT_MS);
      if (!answer.equals(message)) failures.push("an answer that is not the request");
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
    timesMs.push(performance.now() - begin);
    await sleep(PAUSE_MS);
  }
  client.close();
}

process.on("message", () => {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.floor(sorted.length * part)] ?? 0;
  const lap = { calls: sorted.length, failures, p50Ms: at(0.5), p99Ms: at(0.99) };
  [timesMs, failures] = [[], []];
  process.send?.(lap satisfies HonestLap);
});
process.on("disconnect", () => {
  isOver = true;
});
await Promise.all([run(), run()]);
