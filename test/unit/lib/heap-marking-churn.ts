/** Keeps some objects, makes others that grow old and go, and prints how large the heap was at most, in bytes. */
import { leaveMarkingToHelpers, limitHeapGrowth } from "../../../src/lib/heap-marking.ts";

const KEPT = 300_000;
const GOING = 60_000;
const MADE = 6_000_000;
const PER_TURN = 30_000;

leaveMarkingToHelpers(process.execArgv);
limitHeapGrowth(process.execArgv);
/** Exported, so that it stays alive to the end. */
export const kept = Array.from({ length: KEPT }, (_, i) => ({ i, text: `k${i}` }));
const going: unknown[] = [];
let peakBytes = 0;
for (let made = 0; made < MADE; made++) {
  going[made % GOING] = { made, text: `g${made}`, list: [made] };
  if (made % PER_TURN !== 0) continue;
  peakBytes = Math.max(peakBytes, process.memoryUsage().heapUsed);
  // V8's helpers end a marking between two turns.
  await new Promise(setImmediate);
}
process.stdout.write(String(peakBytes));
