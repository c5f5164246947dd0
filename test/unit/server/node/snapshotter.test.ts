import assert from "node:assert/strict";
import { createDeferred } from "../../../../src/lib/deferred.ts";
import { StorageFailure } from "../../../../src/lib/errors.ts";
import { silentLog } from "../../../../src/lib/log.ts";
import { Snapshotter } from "../../../../src/server/node/snapshotter.ts";
import {
  type Entry,
  emptyConfState,
  entryType,
  type SnapshotMetadata,
} from "../../../../src/server/raft/index.ts";
import { FileSnapshotStore } from "../../../../src/server/storage/index.ts";
import { SimClock } from "../../../sim/clock.ts";
import { SimFs } from "../../../sim/disk.ts";
import { createState, digestOf } from "../../../sim/member.ts";
import { identity, snapshotDirectory } from "../storage/wal-world.ts";
import { putRequest } from "./node-world.ts";

function entries(count: number, bytes: number): Entry[] {
  return Array.from({ length: count }, (_, i) => ({
    term: 1,
    index: i + 1,
    type: entryType.normal,
    data: new Uint8Array(bytes),
  }));
}

function setUp(
  options: {
    writeFails?: boolean;
    written?: Promise<void>;
    chunkWritten?: (clock: SimClock, count: number) => Promise<void>;
    removed?: Promise<void>;
  } = {},
) {
  const clock = new SimClock();
  const events: string[] = [];
  const failures: Error[] = [];
  const metadata: SnapshotMetadata = { index: 42, term: 3, confState: emptyConfState };
  const snapshotter = new Snapshotter({
    clock,
    log: silentLog,
    entriesMin: 10,
    logBytesMin: 10_000,
    store: {
      async write({ index }, chunks) {
        if (options.writeFails) throw new StorageFailure("disk full", "free space");
        let count = 0;
        for await (const _ of chunks) {
          count++;
          await options.chunkWritten?.(clock, count);
        }
        events.push(`write ${index} ${count}`);
        await options.written;
        return 40_000;
      },
      open: () => Promise.reject(new Error("nobody sends one")),
      async removeBefore(index) {
        events.push(`remove before ${index}`);
        await options.removed;
      },
    },
    wal: {
      async appendSnapshotMark({ index }) {
        events.push(`mark ${index}`);
      },
      release(index) {
        events.push(`release ${index}`);
      },
    },
    open: () => ({
      metadata,
      state: { chunks: [Buffer.from("a"), Buffer.from("b")], close: () => events.push("close") },
    }),
    onSaved: (durationMs) => events.push(`saved after ${durationMs} ms`),
    onFailure: (error) => failures.push(error),
  });
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 10; i++) {
      clock.runDeferred();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { clock, snapshotter, events, failures, settle };
}

describe("Snapshotter", () => {
  it("makes the file durable, then its mark, before anything old goes", async () => {
    const { snapshotter, events, settle } = setUp();
    snapshotter.applied(entries(10, 500));
    await settle();
    const order = ["write 42 2", "close", "mark 42", "release 42", "remove before 42", "saved after 0 ms"];
    assert.deepEqual(events, order);
  });

  it("waits for enough entries and for enough bytes", async () => {
    const { snapshotter, events, settle } = setUp();
    snapshotter.applied(entries(9, 10_000));
    await settle();
    assert.deepEqual(events, []);
    const other = setUp();
    other.snapshotter.applied(entries(19, 10));
    await other.settle();
    assert.deepEqual(other.events, []);
  });

  it("lets more log gather the larger the state is", async () => {
    const { snapshotter, events, settle } = setUp();
    snapshotter.applied(entries(10, 500));
    await settle();
    snapshotter.applied(entries(10, 1_000));
    await settle();
    assert.equal(events.filter((event) => event.startsWith("write")).length, 1);
    // With these the log has gathered what the snapshot weighs.
    snapshotter.applied(entries(50, 0));
    await settle();
    assert.equal(events.filter((event) => event.startsWith("write")).length, 2);
  });

  it("counts many small entries too, since each takes time to replay", async () => {
    const { snapshotter, events, settle } = setUp();
    snapshotter.applied(entries(20, 1));
    await settle();
    assert.equal(events[0], "write 42 2");
  });

  it("takes one after a start that had enough entries to apply, however few bytes", async () => {
    const { snapshotter, events, settle } = setUp();
    snapshotter.applied(entries(9, 1));
    snapshotter.started();
    await settle();
    assert.equal(events.length, 0);
    snapshotter.applied(entries(1, 1));
    snapshotter.started();
    await settle();
    assert.equal(events[0], "write 42 2");
  });

  it("reports a failed write, lets compaction go on and keeps the old files", async () => {
    const { snapshotter, events, failures, settle } = setUp({ writeFails: true });
    snapshotter.applied(entries(10, 500));
    await settle();
    assert.equal(failures[0]?.message, "disk full");
    assert.deepEqual(events, ["close"]);
  });

  it("takes none while it is paused, and counts from the end of the pause on", async () => {
    const { snapshotter, events, settle } = setUp();
    let end = (): void => {};
    const pause = snapshotter.pauseFor(() => new Promise((resolve) => (end = resolve)));
    snapshotter.applied(entries(10, 5_000));
    await settle();
    assert.deepEqual(events, []);
    end();
    await pause;
    snapshotter.applied(entries(9, 5_000));
    await settle();
    assert.deepEqual(events, []);
    snapshotter.applied(entries(1, 5_000));
    await settle();
    assert.equal(events[0], "write 42 2");
  });

  it("ends the one that is being written, its mark included, before a pause begins", async () => {
    const written = createDeferred<void>();
    const { snapshotter, events, settle } = setUp({ written: written.promise });
    snapshotter.applied(entries(10, 500));
    await settle();
    const pause = snapshotter.pauseFor(async () => {
      events.push("pause");
    });
    await settle();
    assert.deepEqual(events, ["write 42 2"]);
    written.resolve();
    await settle();
    await pause;
    assert.deepEqual(events.slice(1, 3), ["close", "mark 42"]);
    assert.equal(events.at(-1), "pause");
  });

  it("rests after each chunk three times as long as the chunk took, and does not once somebody waits for the end", async () => {
    const chunkWritten = async (clock: SimClock): Promise<void> => clock.advance(7);
    const { clock, snapshotter, events, settle } = setUp({ chunkWritten });
    snapshotter.applied(entries(10, 500));
    for (const restMs of [21, 21]) {
      await settle();
      clock.advance(restMs - 1);
      await settle();
      assert.deepEqual(events, []);
      clock.advance(1);
    }
    await settle();
    assert.equal(events[0], "write 42 2");

    const other = setUp({ chunkWritten });
    other.snapshotter.applied(entries(10, 500));
    await other.settle();
    const stopped = other.snapshotter.stop();
    other.clock.advance(21);
    await stopped;
    assert.equal(other.events[0], "write 42 2");
  });

  it("takes none after it was stopped", async () => {
    const { snapshotter, events, settle } = setUp();
    await snapshotter.stop();
    snapshotter.applied(entries(10, 500));
    await settle();
    assert.deepEqual(events, []);
  });

  it("takes none while old files go, and stops only when they are gone", async () => {
    const removed = createDeferred<void>();
    const { snapshotter, events, settle } = setUp({ removed: removed.promise });
    snapshotter.removeBefore(30);
    snapshotter.applied(entries(20, 10_000));
    const stopped = snapshotter.stop().then(() => events.push("stopped"));
    await settle();
    assert.deepEqual(events, ["remove before 30"]);
    removed.resolve();
    await stopped;
    assert.deepEqual(events, ["remove before 30", "stopped"]);
  });

  it("leaves old files to the next start once it was stopped", async () => {
    const { snapshotter, events, settle } = setUp();
    await snapshotter.stop();
    snapshotter.removeBefore(30);
    await settle();
    assert.deepEqual(events, []);
  });

  it("stops only when what it was paused for has ended, well or not", async () => {
    for (const end of ["resolve", "reject"] as const) {
      const { snapshotter, events, settle } = setUp();
      const work = createDeferred<void>();
      const paused = snapshotter.pauseFor(() => work.promise).catch(() => events.push("work failed"));
      const stopped = snapshotter.stop().then(() => events.push("stopped"));
      await settle();
      assert.deepEqual(events, []);
      if (end === "resolve") work.resolve();
      else work.reject(new Error("no room"));
      await Promise.all([paused, stopped]);
      assert.equal(events.at(-1), "stopped");
    }
  });
});

/** A state whose snapshots go to files; what is read back from each of them is the state. */
async function setUpFiles() {
  const fs = new SimFs({ seed: 1 });
  await fs.createDirectory(snapshotDirectory);
  const store = new FileSnapshotStore({ fs, directory: snapshotDirectory, ...identity });
  const state = createState();
  const clock = new SimClock();
  const failures: Error[] = [];
  const errors: string[] = [];
  /** Of each snapshot that was begun: whether it goes on from the one before. */
  const begun: boolean[] = [];
  let saved = 0;
  let index = 0;
  const metadata = (): SnapshotMetadata => ({ index, term: 3, confState: emptyConfState });
  const snapshotter = new Snapshotter({
    clock,
    log: { ...silentLog, error: (text) => errors.push(text) },
    entriesMin: 1,
    logBytesMin: 1,
    store,
    wal: { appendSnapshotMark: async () => {}, release() {} },
    open: (earlier) => {
      const snapshot = state.openSnapshot(earlier);
      begun.push(snapshot.isContinued);
      return { metadata: metadata(), state: snapshot };
    },
    onSaved: () => saved++,
    onFailure: (error) => failures.push(error),
  });
  const put = (key: string, value: string): void => {
    state.apply({ kind: "put", request: putRequest(key, value) });
  };
  const save = async (): Promise<void> => {
    index++;
    const before = saved;
    snapshotter.applied(entries(1, 1_000_000));
    for (let i = 0; i < 100 && saved === before; i++) {
      clock.runDeferred();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const copy = createState();
    const restore = copy.beginRestore();
    for await (const chunk of (await store.open(metadata())).chunks) await restore.load(chunk);
    await restore.prepare();
    restore.finish();
    assert.equal(await digestOf(copy), await digestOf(state));
  };
  return { fs, state, snapshotter, failures, errors, begun, put, save };
}

describe("Snapshotter over files", () => {
  it("takes over what the last snapshot holds, with leases that are other ones by now", async () => {
    const { state, begun, put, save } = await setUpFiles();
    await save();
    for (let round = 0; round < 4; round++) {
      put("a", `${round}`);
      put(`key ${round}`, "value");
      for (let id = 0; id < 600; id++) {
        const grant = { id: BigInt(round * 1_000 + id + 1), ttl: 10, leaseTimeMs: 0 };
        state.apply({ kind: "leaseGrant", ...grant });
      }
      await save();
    }
    await save();
    assert.deepEqual(begun, [false, true, true, true, true, true]);
  });

  it("writes all again after a compaction, and after the state became that of another snapshot", async () => {
    const { state, snapshotter, begun, put, save } = await setUpFiles();
    for (const value of ["1", "2", "3"]) put("a", value);
    await save();
    state.apply({ kind: "compaction", request: { revision: 3, physical: false } });
    await save();
    put("a", "4");
    await save();
    await snapshotter.pauseFor(async () => {});
    await save();
    await save();
    assert.deepEqual(begun, [false, false, true, false, true]);
  });

  it("takes nothing over from one that was being written when the state became that of another snapshot", async () => {
    const { snapshotter, begun, put, save } = await setUpFiles();
    put("a", "1");
    const saved = save();
    // Begun by now, and waited for by what replaces the state.
    const paused = snapshotter.pauseFor(async () => {});
    await Promise.all([saved, paused]);
    await save();
    await save();
    assert.deepEqual(begun, [false, false, true]);
  });

  it("names a last snapshot that is damaged or gone, and writes all again from memory", async () => {
    const { fs, errors, failures, begun, put, save } = await setUpFiles();
    put("a", "1".repeat(1_000));
    await save();
    const [name = ""] = await fs.readDirectory(snapshotDirectory);
    const file = await fs.open(`${snapshotDirectory}/${name}`, { access: "write" });
    await new Promise((resolve) => file.write([Buffer.from("2")], 700, resolve));
    await file.close();
    await save();
    const [second = ""] = await fs.readDirectory(snapshotDirectory);
    await fs.unlink(`${snapshotDirectory}/${second}`);
    await save();
    assert.deepEqual(begun, [false, true, false, true, false]);
    assert.deepEqual(errors, Array(2).fill("cannot read the last snapshot; writing all of the next one"));
    assert.deepEqual(failures, []);
  });
});
