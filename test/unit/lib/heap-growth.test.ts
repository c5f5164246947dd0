import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const churn = fileURLToPath(new URL("heap-growth-churn.ts", import.meta.url));

describe("limitHeapGrowth", () => {
  it("makes V8 collect before the heap has grown as far as V8 would let it", async function () {
    this.timeout(60_000);
    const [limited, free] = [await peakBytes([]), await peakBytes(["--heap-growing-percent=0"])];
    assert.ok(limited < 0.8 * free, `${limited} bytes at most with the limit, ${free} without`);
  });

  it("leaves it to the one who started the process, in either of V8's spellings", async function () {
    this.timeout(60_000);
    const [limited, given] = [await peakBytes([]), await peakBytes(["--heap_growing_percent=300"])];
    assert.ok(limited < 0.8 * given, `${limited} bytes at most with the limit, ${given} with 300 percent`);
  });
});

async function peakBytes(nodeFlags: readonly string[]): Promise<number> {
  const { stdout } = await run(process.execPath, [...nodeFlags, "--import", "tsx", churn]);
  return Number(stdout);
}
