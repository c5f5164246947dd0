/**
 * What the store and the memory engine cost, in nanoseconds of processor time per operation and bytes of heap per key:
 *
 *   node --expose-gc --max-old-space-size=4096 --import tsx scripts/bench-store.ts [keys ...]
 *
 * Keys are 35 bytes like Kubernetes' and come in scattered order; values are 64 bytes.
 */
import type { RangeRequest } from "../src/codec/index.ts";
import type { ByteString } from "../src/lib/bytes.ts";
import { Store } from "../src/server/mvcc/index.ts";
import { MemoryEngine } from "../src/server/storage/index.ts";

const OPERATIONS = 100_000;
const bytes = (text: string): ByteString => Buffer.from(text, "latin1").toString("latin1") as ByteString;
const keyOf = (i: number): ByteString =>
  bytes(`/registry/pods/default/pod-${String((i * 7919) % 10_000_019).padStart(8, "0")}`);
const yieldTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const open = bytes("\0");
const put = { lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
const range: RangeRequest = {
  key: open,
  rangeEnd: bytes(""),
  limit: 0,
  revision: 0,
  sortOrder: 0,
  sortTarget: 0,
  serializable: false,
  keysOnly: false,
  countOnly: false,
  minModRevision: 0,
  maxModRevision: 0,
  minCreateRevision: 0,
  maxCreateRevision: 0,
};

/** Runs `operation` for each index; nanoseconds of processor time each (garbage collection included). */
function measure(count: number, operation: (index: number) => void): number {
  const start = process.cpuUsage();
  for (let i = 0; i < count; i++) operation(i);
  const { user, system } = process.cpuUsage(start);
  return Math.round(((user + system) * 1_000) / count);
}

function heapBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

async function bench(keyCount: number): Promise<Record<string, number>> {
  const heapBefore = heapBytes();
  const engine = new MemoryEngine();
  const leases = { has: () => true, attach: () => {}, detach: () => {} };
  const store = new Store({ engine, leases, yieldTurn });
  let insertNs = 0;
  // The keys are made in slices, outside the clock.
  for (let from = 0; from < keyCount; from += 10_000) {
    const size = Math.min(10_000, keyCount - from);
    const requests = Array.from({ length: size }, (_, i) => ({
      ...put,
      key: keyOf(from + i),
      value: bytes(String.fromCharCode(97 + (i % 26)).repeat(64)),
    }));
    insertNs += measure(size, (i) => store.put(requests[i]!)) * size;
  }
  const heapPerKey = Math.round((heapBytes() - heapBefore) / keyCount);

  // Requests are made outside the clock: copying one costs more than serving it.
  const keys = Array.from({ length: OPERATIONS }, (_, i) => keyOf((i * 31) % keyCount));
  const past = store.currentRevision;
  const value = bytes("x".repeat(64));
  const rangesOf = (rest: Partial<RangeRequest>): RangeRequest[] =>
    keys.map((key) => ({ ...range, ...rest, key }));
  const gets = rangesOf({});
  const hundreds = rangesOf({ rangeEnd: open, limit: 100 });
  const counts = rangesOf({ rangeEnd: open, countOnly: true });
  const pastGets = rangesOf({ revision: past });
  const puts = keys.map((key) => ({ ...put, key, value }));
  const result: Record<string, number> = {
    keys: keyCount,
    insert: Math.round(insertNs / keyCount),
    "engine get": measure(OPERATIONS, (i) => engine.latest(keys[i]!)),
    get: measure(OPERATIONS, (i) => store.range(gets[i]!)),
    overwrite: measure(OPERATIONS, (i) => store.put(puts[i]!)),
    "range 100": measure(5_000, (i) => store.range(hundreds[i]!)),
    count: measure(20_000, (i) => store.range(counts[i]!)),
    "past get": measure(OPERATIONS, (i) => store.range(pastGets[i]!)),
    "heap B/key": heapPerKey,
  };
  const hashStart = performance.now();
  await store.hashKv(0);
  result["hashKv ms"] = Math.round(performance.now() - hashStart);
  const compactStart = performance.now();
  let biteMax = 0;
  const engineStep = engine.compactStep.bind(engine);
  engine.compactStep = (revision, recordsMax) => {
    const start = performance.now();
    const isDone = engineStep(revision, recordsMax);
    biteMax = Math.max(biteMax, performance.now() - start);
    return isDone;
  };
  store.compact(store.currentRevision);
  await store.compactionFinished();
  result["compact ms"] = Math.round(performance.now() - compactStart);
  result["longest bite ms"] = Math.round(biteMax * 10) / 10;
  return result;
}

const counts = process.argv.slice(2).map(Number);
const rows = [];
for (const count of counts.length > 0 ? counts : [1_000, 100_000, 1_000_000]) rows.push(await bench(count));
console.table(rows);
