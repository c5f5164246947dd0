import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { syncBuiltinESMExports } from "node:module";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import v8 from "node:v8";
import { leaveMarkingToHelpers } from "../../../src/lib/heap-marking.ts";

const run = promisify(execFile);
const churn = fileURLToPath(new URL("heap-marking-churn.ts", import.meta.url));

describe("leaveMarkingToHelpers", () => {
  it("turns V8's marking tasks off", () => {
    assert.deepEqual(flagsGiven(["--import", "tsx", "--incremental-marking-task-delay-ms=1"]), [
      "--no-incremental-marking-task",
    ]);
  });

  for (const flag of [
    "--incremental-marking-task",
    "--incremental_marking_task",
    "--no-incremental-marking-task",
    "--noincremental_marking_task",
  ]) {
    it(`leaves it to the one who started the process with ${flag}`, () => {
      assert.deepEqual(flagsGiven([flag]), []);
    });
  }
});

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

function flagsGiven(execArgv: readonly string[]): string[] {
  const { setFlagsFromString } = v8;
  const given: string[] = [];
  v8.setFlagsFromString = (flag) => given.push(flag);
  syncBuiltinESMExports();
  try {
    leaveMarkingToHelpers(execArgv);
  } finally {
    v8.setFlagsFromString = setFlagsFromString;
    syncBuiltinESMExports();
  }
  return given;
}

async function peakBytes(nodeFlags: readonly string[]): Promise<number> {
  const { stdout } = await run(process.execPath, [...nodeFlags, "--import", "tsx", churn]);
  return Number(stdout);
}
