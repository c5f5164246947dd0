import assert from "node:assert/strict";
import { openWal } from "../../../../src/server/storage/index.ts";
import { type CrashMode, SimFs } from "../../../sim/disk.ts";
import {
  appended,
  createWorkload,
  entry,
  type LogModel,
  logWorld,
  plain,
  runWorkload,
  type Step,
  settled,
  snapshotChunks,
  walDirectory,
} from "./wal-world.ts";

const isFull = process.env["METASTORE_FULL"] === "1";
const modes: readonly CrashMode[] = ["clean", "dropped", "torn"];

/** Of `count` numbers from 1, all in the full run, else about `sample` spread over them. */
function* sampled(count: number, sample: number): Generator<number> {
  const step = isFull ? 1 : Math.max(1, count / sample);
  for (let at = 1; at <= count; at += step) yield Math.floor(at);
}

const empty: LogModel = { entries: [], hardState: { term: 0, vote: 0n, commit: 0 }, mark: undefined };

/** Whether what was found is what the log held after some step; a commit index may be an older one. */
function isState(found: Found, model: LogModel): boolean {
  const { entries, hardState, snapshotMark } = found;
  if (entries.length !== model.entries.length || snapshotMark?.index !== model.mark?.index) return false;
  if (hardState.term !== model.hardState.term || hardState.vote !== model.hardState.vote) return false;
  if (hardState.commit > model.hardState.commit) return false;
  return entries.every((at, i) => {
    const expected = model.entries[i]!;
    return (
      at.index === expected.index &&
      at.term === expected.term &&
      at.type === expected.type &&
      Buffer.compare(at.data, expected.data) === 0
    );
  });
}

type Found = Awaited<ReturnType<typeof openWal>>;

/** Opens the log, checks that it is a legal prefix with all that was acknowledged, and that it goes on. */
async function checkRecovery(
  fs: SimFs,
  workload: readonly Step[],
  acknowledged: number,
  what: string,
): Promise<void> {
  const { options, snapshots } = logWorld(fs);
  if (acknowledged === 0 && (await fs.stat(walDirectory)) === undefined) return;
  if (acknowledged === 0 && !(await fs.readDirectory(walDirectory)).some((name) => name.endsWith(".wal")))
    return;
  const found = await openWal(options);
  const models = [empty, ...workload.map((step) => step.after)];
  const isLegal = models.slice(acknowledged).some((model) => isState(found, model));
  const { hardState, snapshotMark, repaired } = found;
  assert.ok(
    isLegal,
    `${what}: ${acknowledged} steps were acknowledged; found term ${hardState.term} commit ${hardState.commit} ` +
      `mark ${snapshotMark?.index} repaired ${repaired} entries ${plain(found.entries).join(" ").slice(0, 400)}`,
  );
  await snapshots.removeOthers(snapshotMark);
  if (snapshotMark !== undefined) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of (await snapshots.open(snapshotMark)).chunks) chunks.push(chunk);
    assert.deepEqual(Buffer.concat(chunks), Buffer.concat(snapshotChunks(snapshotMark.index)), what);
  }
  const next = entry((snapshotMark?.index ?? 0) + found.entries.length + 1, hardState.term + 1, "goes on");
  await appended(found.wal, { entries: [next] });
  const again = await openWal(logWorld(fs.reboot("dropped", { seed: 9 })).options);
  assert.deepEqual(plain(again.entries), plain([...found.entries, next]), `${what}: second recovery`);
  assert.equal(again.repaired, undefined, what);
}

describe("The log and the snapshots after a crash", function () {
  this.timeout(isFull ? 7_200_000 : 60_000);
  const steps = 2000;
  const workload = createWorkload(20_261, steps);

  it("hold all that was acknowledged and a legal prefix, wherever the crash comes", async () => {
    const whole = new SimFs({ seed: 1 });
    const finished = await runWorkload(whole, workload);
    assert.ok(finished.isFinished);
    await checkRecovery(whole.reboot("dropped", { seed: 1 }), workload, steps, "no crash");
    let recoveries = 0;
    for (const crashAt of sampled(whole.operations, 40)) {
      const fs = new SimFs({ seed: crashAt, crashAt });
      const run = await runWorkload(fs, workload);
      await settled();
      for (const mode of modes) {
        const survivor = fs.reboot(mode, { seed: crashAt });
        await checkRecovery(survivor, workload, run.acknowledged, `crash at ${crashAt}, ${mode}`);
        recoveries++;
      }
    }
    console.log(`      ${recoveries} recoveries, ${whole.operations} operations in the workload`);
  });

  it("acknowledge nothing after a failed operation, and lose nothing acknowledged before", async () => {
    const whole = new SimFs({ seed: 1 });
    await runWorkload(whole, workload);
    let failures = 0;
    for (const operation of sampled(whole.operations, 40)) {
      const code = operation % 2 === 0 ? "EIO" : "ENOSPC";
      const fs = new SimFs({ seed: operation, failAt: { operation, code } });
      const run = await runWorkload(fs, workload);
      const { acknowledged, world } = run;
      failures += world.failures.length;
      assert.ok(world.failures.length <= 1);
      await settled();
      // Where a snapshot could not be written the log itself is well and still answers what was waiting.
      if (world.failures.length > 0) {
        assert.equal(run.acknowledged, acknowledged, `an acknowledgement after the failure of ${operation}`);
      }
      for (const mode of modes) {
        const survivor = fs.reboot(mode, { seed: operation });
        await checkRecovery(survivor, workload, run.acknowledged, `failure at ${operation}, ${mode}`);
      }
    }
    console.log(`      ${failures} failures of the log`);
    assert.ok(failures > 0);
  });

  it("hold all that was acknowledged when recovery itself is cut off", async () => {
    for (const crashAt of sampled(1500, 30)) {
      const fs = new SimFs({ seed: crashAt, crashAt });
      const run = await runWorkload(fs, workload);
      await settled();
      for (let again = 1; again <= 6; again++) {
        const second = fs.reboot("torn", { seed: crashAt + again, crashAt: again });
        await Promise.race([
          second.crashed,
          openWal(logWorld(second).options).then(
            () => undefined,
            () => undefined,
          ),
        ]);
        const third = second.reboot("torn", { seed: again });
        await checkRecovery(third, workload, run.acknowledged, `crash at ${crashAt}, then at ${again}`);
      }
    }
  });
});
