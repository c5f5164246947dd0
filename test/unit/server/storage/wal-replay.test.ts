import assert from "node:assert/strict";
import { emptyHardState } from "../../../../src/server/raft/index.ts";
import { createWal, openWal } from "../../../../src/server/storage/index.ts";
import { LogReplay } from "../../../../src/server/storage/wal-replay.ts";
import { encodeSegmentHeader } from "../../../../src/server/storage/wal-segment.ts";
import { SimFs, SimFsError } from "../../../sim/disk.ts";
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

function replay(firstIndex = 1, isContinuation = false): LogReplay {
  return new LogReplay(firstIndex, emptyHardState, isContinuation);
}

describe("Replaying a log", () => {
  it("refuses a gap, and an entry that a snapshot stands for already", () => {
    const log = replay();
    log.enter("segment", 0);
    for (const at of entries(1, 3)) log.entry(at);
    assert.throws(() => log.entry(entry(5, 1)), /segment: entry 5 follows entry 3/);
    log.snapshotMark(metadata(3));
    assert.throws(() => log.entry(entry(3, 2)), /entry 3 follows a snapshot at 3/);
  });

  it("refuses snapshot marks that go back, and keeps equal ones", () => {
    const log = replay();
    log.snapshotMark(metadata(7));
    log.snapshotMark(metadata(7));
    assert.throws(() => log.snapshotMark(metadata(6)), /snapshot mark 6 follows mark 7/);
    assert.equal(log.marks.length, 2);
  });

  it("goes on where older segments were released, even when the tail was replaced across the cut", () => {
    const log = replay(101, true);
    log.snapshotMark(metadata(50));
    for (const at of entries(95, 120, 2)) log.entry(at);
    log.snapshotMark(metadata(110, 2));
    log.finish("log");
    assert.deepEqual(plain(log.entries), plain(entries(111, 120, 2)));
    assert.equal(log.lastIndex, 120);
  });

  it("refuses a log whose beginning or end is missing", () => {
    assert.throws(
      () => replay(101, true).finish("log"),
      /starts behind entry 100, and its newest snapshot mark is at 0/,
    );
    const log = replay();
    log.entry(entry(1, 1));
    log.hardState({ term: 1, vote: 0n, commit: 2 });
    assert.throws(() => log.finish("log"), /entries up to 2 were committed, and the log ends at 1/);
  });
});

describe("Recovering a log", () => {
  const first = `${walDirectory}/0000000000000000-0000000000000001.wal`;

  it("refuses a header that belongs to another name, another log or no number", async () => {
    const { wal, fs } = await newLog();
    await wal.close();
    const whole = fs.contentOf(first);
    const header = {
      ...identity,
      sequence: 0,
      firstIndex: 1,
      sizeBytes: whole.length,
      salt: 1,
      frameSequence: 1,
      chain: 0,
      hardState: emptyHardState,
    };
    const opened = async (changed: Partial<typeof header>, path = first): Promise<unknown> => {
      const copy = Buffer.alloc(whole.length);
      encodeSegmentHeader({ ...header, ...changed }).copy(copy);
      fs.place(path, copy);
      return openWal(logWorld(fs).options);
    };
    await assert.rejects(
      opened({ firstIndex: 2 }),
      /its header says segment 0 from entry 2, its name does not/,
    );
    await assert.rejects(opened({ frameSequence: 2 ** 60 }), /segment header: number above 2\^53/);
    await opened({});
    const second = `${walDirectory}/0000000000000001-0000000000000001.wal`;
    await assert.rejects(opened({ sequence: 1, salt: 2 }, second), /comes from another log/);
    await assert.rejects(
      opened({ sequence: 1, chain: 9 }, second),
      /continues after frame 0, the segment before/,
    );
  });

  it("says which file cannot be read", async () => {
    const { wal, fs } = await newLog();
    await wal.close();
    fs.open = () => Promise.reject(new SimFsError("EACCES", "open", first));
    await assert.rejects(openWal(logWorld(fs).options), /cannot read .*0001\.wal: EACCES/);
    await assert.rejects(openWal(logWorld(fs, { directory: "/none" }).options), /cannot read \/none: ENOENT/);
  });

  it("stops the member when the torn end cannot be repaired", async () => {
    const { wal, fs } = await newLog();
    await appended(wal, { entries: entries(1, 1) });
    const survivor = fs.reboot("dropped", { seed: 1 });
    const torn = survivor.contentOf(first);
    torn[700] = 1;
    const broken = new SimFs({ seed: 1, failAt: { operation: 3, code: "EIO" } });
    await broken.createDirectory(walDirectory);
    broken.place(first, torn);
    await assert.rejects(openWal(logWorld(broken).options), /cannot be written: EIO/);
  });

  it("makes the next segment itself when it could not be prepared, and fails when that fails too", async () => {
    const big = Buffer.alloc(5000);
    const write = async (fs: SimFs) => {
      const world = await newLog(fs);
      const warnings: string[] = [];
      await world.wal.close();
      const { options, failures } = logWorld(fs, {
        log: { ...world.options.log, warn: (text) => warnings.push(text) },
      });
      const { wal } = await openWal(options);
      const before = fs.operations;
      for (let i = 1; i <= 2; i++) await appended(wal, { entries: [entry(i, 1, big)] });
      await settled();
      return { wal, fs, warnings, failures, before };
    };
    const { before } = await write(new SimFs({ seed: 1 }));
    // Two frames, more than half a segment, then the preparation: its file is created by the third operation.
    const fs = new SimFs({ seed: 1, failAt: { operation: before + 3, code: "ENOSPC" } });
    const { wal, warnings, failures } = await write(fs);
    assert.deepEqual(warnings, ["the next log segment could not be prepared"]);
    for (let i = 3; i <= 6; i++) await appended(wal, { entries: [entry(i, 1, big)] });
    await wal.close();
    assert.deepEqual(failures, []);
    assert.equal((await openWal(logWorld(fs).options)).entries.length, 6);
  });

  it("refuses to create a log over one that exists", async () => {
    const { wal, options } = await newLog();
    await appended(wal, { entries: entries(1, 1) });
    await assert.rejects(createWal(options), /already holds a log/);
  });
});
