import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const clockModule = new URL("../../../src/lib/clock.ts", import.meta.url).href;
const root = fileURLToPath(new URL("../../..", import.meta.url));

/** Runs a script with `clock`, a SystemClock, in a process of its own and returns what it printed. */
function run(script: string): string {
  const source = `import { SystemClock } from ${JSON.stringify(clockModule)}; const clock = new SystemClock(); ${script}`;
  const child = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", source], {
    cwd: root,
    encoding: "utf8",
    timeout: 15_000,
  });
  return child.stdout.trim();
}

describe("SystemClock", () => {
  it("lets a process end that only waits for its timers", () => {
    assert.equal(
      run(`clock.after(50, () => console.log("late")); clock.every(50, () => console.log("late"));`),
      "",
    );
  });

  it("keeps a process alive while it is held, and lets it end afterwards", () => {
    const script = `const hold = clock.holdProcess(); clock.after(50, () => { console.log("on time"); hold.cancel(); });`;
    assert.equal(run(script), "on time");
  });

  it("runs deferred work before timers, and no timer that was cancelled", () => {
    const script = `const hold = clock.holdProcess(); clock.after(1, () => console.log("cancelled")).cancel();
      clock.after(20, () => { console.log("timer"); hold.cancel(); }); clock.defer(() => console.log("deferred"));`;
    assert.equal(run(script), "deferred\ntimer");
  });
});
