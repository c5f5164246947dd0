import assert from "node:assert/strict";
import { createDeferred } from "../../../../src/lib/deferred.ts";
import { StorageFailure } from "../../../../src/lib/errors.ts";
import { createWal, openWal, type WalSync } from "../../../../src/server/storage/index.ts";
import { SimFs } from "../../../sim/disk.ts";
import {
  appended,
  entries,
  entry,
  identity,
  logWorld,
  metadata,
  newLog,
  plain,
  settled,
  walDirectory,
} from "./wal-world.ts";

const segmentFiles = async (fs: SimFs): Promise<string[]> => fs.readDirectory(walDirectory);
const firstSegment = `${walDirectory}/0000000000000000-0000000000000001.wal`;

async function reopened(fs: SimFs) {
  const world = logWorld(fs);
  return { ...world, ...(await openWal(world.options)) };
}

describe("The write-ahead log", () => {
  it("gives back what was appended, after a clean close", async () => {
    const { wal, fs } = await newLog();
    await appended(wal, { entries: entries(1, 3), hardState: { term: 1, vote: 5n, commit: 2 } });
    await appended(wal, { entries: [entry(4, 1, Buffer.alloc(0)), { ...entry(5, 1), type: 2 }] });
    await wal.close();
    const found = await reopened(fs);
    assert.deepEqual(plain(found.entries), [
      ...plain(entries(1, 3)),
      "4@1/0:",
      plain([{ ...entry(5, 1), type: 2 }])[0],
    ]);
    assert.deepEqual(found.hardState, { term: 1, vote: 5n, commit: 2 });
    assert.equal(found.snapshotMark, undefined);
    assert.equal(found.repaired, undefined);
    await found.wal.close();
  });

  it("is empty when new", async () => {
    const { wal, fs } = await newLog();
    await wal.close();
    const found = await reopened(fs);
    assert.deepEqual(found.entries, []);
    assert.deepEqual(found.hardState, { term: 0, vote: 0n, commit: 0 });
  });

  it("merges what is appended during a write into one next write, and calls done in order", async () => {
    const syncs: WalSync[] = [];
    const { wal } = await newLog(undefined, { onSync: (sync) => syncs.push(sync) });
    const calls: number[] = [];
    for (let i = 1; i <= 10; i++)
      wal.append({ hardState: undefined, entries: [entry(i, 1)] }, () => calls.push(i));
    assert.deepEqual(calls, []);
    await settled();
    assert.deepEqual(calls, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert.deepEqual(
      syncs.map((sync) => sync.entries),
      [1, 9],
    );
    const { syncs: count, entries: written, bytes, segments } = wal.stats;
    assert.deepEqual([count, written, segments], [2, 10, 1]);
    assert.equal(
      bytes,
      syncs.reduce((sum, sync) => sum + sync.bytes, 0),
    );
  });

  it("replaces the tail from a lower index on", async () => {
    const { wal, fs } = await newLog();
    await appended(wal, { entries: entries(1, 5) });
    await appended(wal, { entries: [entry(3, 2), entry(4, 3)] });
    await wal.close();
    assert.deepEqual(
      plain((await reopened(fs)).entries),
      plain([...entries(1, 2), entry(3, 2), entry(4, 3)]),
    );
  });

  it("does not wait for the disk with a new commit index alone, and writes it when quiet", async () => {
    const { wal, fs, clock } = await newLog();
    await appended(wal, { entries: entries(1, 3), hardState: { term: 1, vote: 1n, commit: 0 } });
    const { syncs } = wal.stats;
    let isDone = false;
    wal.append({ hardState: { term: 1, vote: 1n, commit: 3 }, entries: [] }, () => {
      isDone = true;
    });
    assert.equal(isDone, false);
    clock.runDeferred();
    assert.equal(isDone, true);
    assert.equal(wal.stats.syncs, syncs);
    clock.advance(100);
    await settled();
    assert.equal(wal.stats.syncs, syncs + 1);
    const found = await reopened(fs.reboot("dropped", { seed: 2 }));
    assert.equal(found.hardState.commit, 3);
  });

  it("writes a commit index that is awaited, and is done when it is durable", async () => {
    const { wal, fs } = await newLog();
    await appended(wal, { entries: entries(1, 3), hardState: { term: 1, vote: 1n, commit: 0 } });
    const { syncs } = wal.stats;
    const hardState = { term: 1, vote: 1n, commit: 3 };
    await appended(wal, { entries: [], hardState, isCommitAwaited: true });
    assert.equal(wal.stats.syncs, syncs + 1);
    const found = await reopened(fs.reboot("dropped", { seed: 2 }));
    assert.equal(found.hardState.commit, 3);
  });

  it("writes a waiting commit index when it is closed", async () => {
    const { wal, fs, clock } = await newLog();
    await appended(wal, { entries: entries(1, 3), hardState: { term: 1, vote: 1n, commit: 0 } });
    wal.append({ hardState: { term: 1, vote: 1n, commit: 2 }, entries: [] }, () => undefined);
    clock.runDeferred();
    await wal.close();
    assert.equal((await reopened(fs)).hardState.commit, 2);
  });

  it("calls done of an empty batch behind those that wait", async () => {
    const { wal } = await newLog();
    const calls: string[] = [];
    wal.append({ hardState: undefined, entries: [entry(1, 1)] }, () => calls.push("entry"));
    wal.append({ hardState: undefined, entries: [] }, () => calls.push("empty"));
    await settled();
    assert.deepEqual(calls, ["entry", "empty"]);
  });

  it("makes a vote durable before done", async () => {
    const { wal, fs } = await newLog();
    await appended(wal, { hardState: { term: 7, vote: 3n, commit: 0 } });
    const found = await reopened(fs.reboot("dropped", { seed: 2 }));
    assert.deepEqual(found.hardState, { term: 7, vote: 3n, commit: 0 });
  });

  it("makes a vote durable before done in a term that it knew before", async () => {
    const { wal, fs, clock } = await newLog();
    await appended(wal, { hardState: { term: 7, vote: 0n, commit: 0 } });
    let isDone = false;
    wal.append({ hardState: { term: 7, vote: 3n, commit: 0 }, entries: [] }, () => {
      isDone = true;
    });
    clock.runDeferred();
    assert.equal(isDone, false);
    await settled();
    assert.equal(isDone, true);
    const found = await reopened(fs.reboot("dropped", { seed: 2 }));
    assert.deepEqual(found.hardState, { term: 7, vote: 3n, commit: 0 });
  });

  it("goes on in further segments, and each start of a segment keeps the hard state", async () => {
    const { wal, fs } = await newLog();
    await appended(wal, { hardState: { term: 3, vote: 2n, commit: 0 } });
    for (let i = 1; i <= 100; i++) await appended(wal, { entries: [entry(i, 3, Buffer.alloc(700, i))] });
    assert.ok(wal.stats.segments > 4, `${wal.stats.segments} segments`);
    await wal.appendSnapshotMark(metadata(90, 3));
    wal.release(90);
    await wal.close();
    assert.ok((await segmentFiles(fs)).length <= 2);
    const found = await reopened(fs);
    assert.deepEqual(
      found.entries.map(({ index }) => index),
      [91, 92, 93, 94, 95, 96, 97, 98, 99, 100],
    );
    assert.deepEqual(found.hardState, { term: 3, vote: 2n, commit: 0 });
    assert.deepEqual(found.snapshotMark, metadata(90, 3));
    await found.wal.close();
  });

  it("gives a batch that exceeds a segment a larger one of its own", async () => {
    const { wal, fs } = await newLog();
    const large = Buffer.alloc(100_000, 7);
    await appended(wal, { entries: [entry(1, 1)] });
    await appended(wal, { entries: [entry(2, 1, large)] });
    await appended(wal, { entries: [entry(3, 1)] });
    await wal.close();
    assert.deepEqual(
      plain((await reopened(fs)).entries),
      plain([entry(1, 1), entry(2, 1, large), entry(3, 1)]),
    );
    const [, second] = await segmentFiles(fs);
    assert.equal(second, "0000000000000001-0000000000000002.wal");
    assert.ok(fs.contentOf(`${walDirectory}/${second}`).length > large.length);
  });

  it("keeps segments that the newest mark at or below the released index needs", async () => {
    const { wal, fs } = await newLog();
    for (let i = 1; i <= 60; i++) await appended(wal, { entries: [entry(i, 1, Buffer.alloc(700, i))] });
    const before = (await segmentFiles(fs)).length;
    wal.release(60);
    await wal.appendSnapshotMark(metadata(30));
    await wal.appendSnapshotMark(metadata(60));
    wal.release(29);
    await settled();
    assert.equal((await segmentFiles(fs)).length, before);
    wal.release(30);
    await settled();
    const between = await segmentFiles(fs);
    assert.ok(between.length < before);
    wal.release(60);
    await wal.close();
    assert.ok((await segmentFiles(fs)).length < between.length);
    assert.deepEqual((await reopened(fs)).snapshotMark, metadata(60));
  });

  it("keeps the segment of a mark when the next segment begins right behind the snapshot", async () => {
    const { wal, fs } = await newLog();
    await appended(wal, { entries: entries(1, 5) });
    await wal.appendSnapshotMark(metadata(1000, 4));
    const large = entry(1001, 4, Buffer.alloc(20_000, 7));
    await appended(wal, { entries: [large] });
    assert.equal((await segmentFiles(fs))[1], "0000000000000001-00000000000003e9.wal");
    wal.release(1000);
    await wal.close();
    const found = await reopened(fs);
    assert.deepEqual(found.snapshotMark, metadata(1000, 4));
    assert.deepEqual(plain(found.entries), plain([large]));
  });

  it("starts over behind a snapshot from another member", async () => {
    const { wal, fs } = await newLog();
    await appended(wal, { entries: entries(1, 5) });
    await wal.appendSnapshotMark(metadata(1000, 4));
    await appended(wal, { entries: [entry(1001, 4)], hardState: { term: 4, vote: 0n, commit: 1000 } });
    await wal.close();
    const found = await reopened(fs);
    assert.deepEqual(plain(found.entries), plain([entry(1001, 4)]));
    assert.deepEqual(found.snapshotMark, metadata(1000, 4));
  });

  it("drops the log when a snapshot contradicts it, and keeps the rest when it agrees", async () => {
    const agreeing = await newLog();
    await appended(agreeing.wal, { entries: entries(1, 5) });
    await agreeing.wal.appendSnapshotMark(metadata(3, 1));
    await agreeing.wal.close();
    assert.deepEqual(plain((await reopened(agreeing.fs)).entries), plain(entries(4, 5)));
    const contradicting = await newLog();
    await appended(contradicting.wal, { entries: entries(1, 5) });
    await contradicting.wal.appendSnapshotMark(metadata(3, 2));
    await contradicting.wal.close();
    assert.deepEqual((await reopened(contradicting.fs)).entries, []);
  });

  it("ends by an assertion when the caller's order is wrong", async () => {
    const { wal } = await newLog();
    const add = (batch: Parameters<typeof appended>[1]): void =>
      wal.append({ hardState: undefined, entries: [], ...batch }, () => undefined);
    add({ entries: entries(1, 3) });
    assert.throws(() => add({ entries: [entry(5, 1)] }), /log gap: entry 5 after 3/);
    assert.throws(() => add({ entries: [entry(4, 1), entry(6, 1)] }), /out of order/);
    assert.throws(() => add({ hardState: { term: 1, vote: 0n, commit: 4 } }), /commit index 4 above entry 3/);
    await wal.appendSnapshotMark(metadata(3));
    assert.throws(() => add({ entries: [entry(3, 1)] }), /behind a snapshot mark/);
    await assert.rejects(wal.appendSnapshotMark(metadata(2)), /must not go back/);
    await wal.close();
    assert.throws(() => add({ entries: [entry(4, 1)] }), /closed/);
    await assert.rejects(wal.close(), /closed already/);
  });

  it("states after a quiet time that all before is durable, once", async () => {
    const { wal, fs, clock } = await newLog();
    await appended(wal, { entries: entries(1, 1) });
    const { operations } = fs;
    clock.advance(30);
    await settled();
    assert.equal(fs.operations, operations);
    clock.advance(30);
    await settled();
    assert.equal(fs.operations, operations + 1);
    clock.advance(500);
    await settled();
    assert.equal(fs.operations, operations + 1);
  });

  it("waits with that statement while writes go on", async () => {
    const { wal, fs, clock } = await newLog();
    for (let i = 1; i <= 5; i++) {
      await appended(wal, { entries: [entry(i, 1)] });
      clock.advance(30);
      await settled();
    }
    assert.equal(wal.stats.syncs, 5);
    const { operations } = fs;
    clock.advance(100);
    await settled();
    assert.equal(fs.operations, operations + 1);
  });

  it("acknowledges nothing after a failed write, and says so once", async () => {
    const first = await newLog();
    const world = await newLog(
      new SimFs({ seed: 3, failAt: { operation: first.fs.operations + 1, code: "EIO" } }),
    );
    const calls: string[] = [];
    world.wal.append({ hardState: undefined, entries: [entry(1, 1)] }, () => calls.push("done 1"));
    world.wal.append({ hardState: undefined, entries: [entry(2, 1)] }, () => calls.push("done 2"));
    const mark = assert.rejects(world.wal.appendSnapshotMark(metadata(1)), StorageFailure);
    await settled();
    await mark;
    assert.deepEqual(calls, []);
    assert.equal(world.failures.length, 1);
    assert.match(world.failures[0]!.message, /cannot be written: EIO/);
    assert.throws(
      () => world.wal.append({ hardState: undefined, entries: [] }, () => undefined),
      (error) => error === world.failures[0],
    );
    assert.throws(() => world.wal.release(1), StorageFailure);
    await world.wal.close();
    assert.deepEqual(calls, []);
    assert.equal(world.failures.length, 1);
  });

  it("acknowledges no write that ends after the log has failed otherwise", async () => {
    let isHeld = false;
    const write = createDeferred<void>();
    const delay = (operation: string) =>
      isHeld && operation === "write" ? write.promise : Promise.resolve();
    const { wal, fs, failures } = await newLog(new SimFs({ seed: 1, delay }));
    for (let i = 1; i <= 30; i++) await appended(wal, { entries: [entry(i, 1, Buffer.alloc(900, i))] });
    await wal.appendSnapshotMark(metadata(30));
    await settled();
    isHeld = true;
    const acknowledged: number[] = [];
    wal.append({ hardState: undefined, entries: [entry(31, 1)] }, () => acknowledged.push(31));
    fs.failNext("EIO");
    wal.release(30);
    await settled();
    assert.equal(failures.length, 1);
    write.resolve();
    await settled();
    await wal.close();
    assert.deepEqual(acknowledged, []);
  });

  it("fails when the last statement at close cannot be written", async () => {
    const first = await newLog();
    await appended(first.wal, { entries: entries(1, 1) });
    const fs = new SimFs({ seed: 3, failAt: { operation: first.fs.operations + 1, code: "EIO" } });
    const { wal, failures } = await newLog(fs);
    await appended(wal, { entries: entries(1, 1) });
    await assert.rejects(wal.close(), StorageFailure);
    assert.equal(failures.length, 1);
    assert.deepEqual(plain((await reopened(fs.reboot("torn", { seed: 1 }))).entries), plain(entries(1, 1)));
  });

  it("fails when a released segment cannot be removed", async () => {
    const fill = async (fs: SimFs) => {
      const world = await newLog(fs);
      for (let i = 1; i <= 30; i++)
        await appended(world.wal, { entries: [entry(i, 1, Buffer.alloc(900, i))] });
      await world.wal.appendSnapshotMark(metadata(30));
      await settled();
      return world;
    };
    const { fs } = await fill(new SimFs({ seed: 1 }));
    const failing = new SimFs({ seed: 1, failAt: { operation: fs.operations + 2, code: "EIO" } });
    const { wal, failures } = await fill(failing);
    wal.release(30);
    await settled();
    assert.equal(failures.length, 1);
    const found = await reopened(failing.reboot("dropped", { seed: 1 }));
    assert.deepEqual(found.snapshotMark, metadata(30));
  });

  it("notices that its newest segment is missing, wherever a crash came while that was begun", async () => {
    const large = entry(2, 1, Buffer.alloc(20_000, 7));
    const begin = async (fs: SimFs): Promise<void> => {
      const { wal } = await newLog(fs);
      await appended(wal, { entries: entries(1, 1) });
      await appended(wal, { entries: [large] });
    };
    const whole = new SimFs({ seed: 1 });
    await begin(whole);
    let begun = 0;
    for (let crashAt = 1; crashAt <= whole.operations; crashAt++) {
      const fs = new SimFs({ seed: 1, crashAt });
      await Promise.race([begin(fs), fs.crashed]);
      const survivor = fs.reboot("dropped", { seed: 1 });
      if ((await survivor.stat(walDirectory)) === undefined) continue;
      const newest = (await segmentFiles(survivor)).filter((name) => name.endsWith(".wal"))[1];
      if (newest === undefined) continue;
      begun++;
      await (await reopened(survivor)).wal.close();
      await survivor.unlink(`${walDirectory}/${newest}`);
      await assert.rejects(reopened(survivor), /the segment after .* is missing/);
    }
    assert.ok(begun >= 2, `${begun} crashes with two segments`);
  });

  it("states at the start of a segment no hard state that is not durable by then", async () => {
    const run = async (fs: SimFs): Promise<void> => {
      const { wal } = await newLog(fs);
      await appended(wal, { entries: entries(1, 3), hardState: { term: 1, vote: 1n, commit: 0 } });
      // The disk is busy: the mark and the large entry go out as one frame after this one, the hard state after that.
      wal.append({ hardState: undefined, entries: [entry(4, 1)] }, () => undefined);
      const marked = wal.appendSnapshotMark(metadata(4));
      wal.append({ hardState: undefined, entries: [entry(5, 1, large)] }, () => undefined);
      const last = appended(wal, {
        entries: [entry(6, 1, Buffer.alloc(9_000))],
        hardState: { term: 1, vote: 1n, commit: 6 },
      });
      await marked;
      wal.release(4);
      await last;
      await wal.close();
    };
    // As one frame takes, with the mark; the entry behind it does not fit in any more.
    const large = Buffer.alloc(4 * 1024 * 1024 - 8_192);
    const whole = new SimFs({ seed: 1 });
    await run(whole);
    let released = 0;
    for (let crashAt = 1; crashAt <= whole.operations; crashAt++) {
      const fs = new SimFs({ seed: 1, crashAt });
      await Promise.race([run(fs), fs.crashed]);
      const survivor = fs.reboot("dropped", { seed: 1 });
      if ((await survivor.stat(walDirectory)) === undefined) continue;
      const [oldest] = (await segmentFiles(survivor)).filter((name) => name.endsWith(".wal"));
      if (oldest === undefined) continue;
      if (!firstSegment.endsWith(oldest)) released++;
      const { hardState, entries: found } = await reopened(survivor);
      assert.ok(hardState.commit <= (found.at(-1)?.index ?? 0), `crash at ${crashAt}`);
    }
    assert.ok(released > 0, "a segment was released");
  });

  it("says that there is no space", async () => {
    const first = await newLog();
    const fs = new SimFs({ seed: 3, failAt: { operation: first.fs.operations + 1, code: "ENOSPC" } });
    const { wal, failures } = await newLog(fs);
    wal.append({ hardState: undefined, entries: [entry(1, 1)] }, () => assert.fail("acknowledged"));
    await settled();
    assert.match(failures[0]!.message, /no space left for the log/);
    assert.match(failures[0]!.hint, /Free space/);
  });

  it("cannot be created where there is no space, nor opened where there is no log", async () => {
    const fs = new SimFs({ seed: 1, failAt: { operation: 4, code: "ENOSPC" } });
    await fs.createDirectory(walDirectory);
    await assert.rejects(createWal(logWorld(fs).options), /no space left/);
    assert.deepEqual(await segmentFiles(fs), []);
    await assert.rejects(reopened(fs), /holds no log segment/);
  });

  it("refuses another member's log and names both", async () => {
    const { wal, fs } = await newLog();
    await wal.close();
    const { options } = logWorld(fs, { memberId: 0xdefn });
    await assert.rejects(
      openWal(options),
      /belongs to member abc of cluster c1, not to member def of cluster c1/,
    );
    const other = logWorld(fs, { ...identity, clusterId: 2n });
    await assert.rejects(openWal(other.options), /of cluster c1, not to .* of cluster 2/);
  });

  it("removes drafts and leaves foreign files alone", async () => {
    const { wal, fs } = await newLog();
    await wal.close();
    fs.place(`${walDirectory}/segment-0.tmp`, Buffer.alloc(10));
    fs.place(`${walDirectory}/notes.txt`, Buffer.alloc(10));
    await reopened(fs);
    assert.deepEqual(await segmentFiles(fs), [firstSegment.slice(walDirectory.length + 1), "notes.txt"]);
  });

  it("refuses segment sizes that are no multiple of a sector", async () => {
    await assert.rejects(createWal(logWorld(new SimFs({ seed: 1 }), { segmentBytes: 5000 }).options), /5000/);
  });
});
