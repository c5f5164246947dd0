import assert from "node:assert/strict";
import { FIRST_REVISION, NEVER_COMPACTED } from "../../../../src/server/mvcc/revision.ts";
import {
  bytes,
  codeOf,
  createStore,
  deleteOf,
  gatheredFrom,
  putOf,
  rangeOf,
  recordsIn,
  recordsOf,
  yieldTurn,
} from "./store-fixture.ts";

describe("Store", () => {
  it("begins at revision 1, never compacted, and the first write makes revision 2", () => {
    const { store } = createStore();
    assert.deepEqual([store.currentRevision, store.compactRevision], [FIRST_REVISION, NEVER_COMPACTED]);
    assert.equal(store.put(putOf("a")).header?.revision, 2);
    assert.equal(store.currentRevision, 2);
  });

  it("a delete of nothing leaves the revision; one of something says how many and, if asked, what", () => {
    const { store } = createStore();
    store.put(putOf("a", "1"));
    store.put(putOf("b", "2"));
    assert.deepEqual(store.deleteRange(deleteOf("x", "z", true)), {
      header: { clusterId: 0n, memberId: 0n, revision: 3, raftTerm: 0 },
      deleted: 0,
      prevKvs: [],
    });
    const deleted = store.deleteRange(deleteOf("a", "\0", true));
    assert.deepEqual([deleted.deleted, deleted.header?.revision], [2, 4]);
    assert.deepEqual(
      deleted.prevKvs.map((kv) => kv.value),
      ["1", "2"],
    );
  });

  it("a put of the same value is a new revision, and shows the previous one when asked", () => {
    const { store } = createStore();
    assert.equal(store.put(putOf("a", "v", { prevKv: true })).prevKv, undefined);
    const { prevKv, header } = store.put(putOf("a", "v", { prevKv: true }));
    assert.deepEqual([prevKv?.modRevision, header?.revision], [2, 3]);
    assert.equal(store.put(putOf("a", "v")).prevKv, undefined);
  });

  it("a refused put changes nothing", () => {
    const { store } = createStore();
    assert.equal(
      codeOf(() => store.put(putOf("a", "", { lease: 1n }))),
      "leaseNotFound",
    );
    assert.equal(store.currentRevision, 1);
  });

  it("deletes the keys of a revoked lease in ascending order, in one revision", () => {
    const { store } = createStore();
    for (const key of ["a", "b", "c"]) store.put(putOf(key));
    const seen: string[] = [];
    store.onCommit((revision, records) =>
      seen.push(`${revision}:${records.map((record) => record.key).join("")}`),
    );
    assert.equal(store.deleteKeys(["c", "missing", "a", "a"].map(bytes)), true);
    assert.equal(store.deleteKeys(["c"].map(bytes)), false);
    assert.deepEqual(seen, ["5:ac"]);
    assert.equal(store.currentRevision, 5);
  });

  it("tells its listeners of each revision once it can be read, in order of registration", () => {
    const { store } = createStore();
    const seen: string[] = [];
    store.onCommit((revision) =>
      seen.push(`first ${revision} ${store.range(rangeOf("a")).header?.revision}`),
    );
    store.onCommit((revision) => seen.push(`second ${revision}`));
    store.put(putOf("a"));
    store.deleteRange(deleteOf("x"));
    assert.deepEqual(seen, ["first 2 2", "second 2"]);
  });

  it("a compaction is visible at once: below is refused, at it and above is read", () => {
    const { store } = createStore();
    for (let i = 0; i < 5; i++) store.put(putOf("a", String(i)));
    store.compact(4);
    assert.equal(store.compactRevision, 4);
    const code = (revision: number): string => codeOf(() => store.range(rangeOf("a", { revision })));
    assert.deepEqual([3, 4, 6, 7].map(code), ["compacted", "none", "none", "futureRevision"]);
    assert.equal(store.range(rangeOf("a", { revision: 4 })).kvs[0]?.value, "2");
  });

  it("compaction goes forward only, to the current revision at most; 0 is accepted on a new store", () => {
    const { store } = createStore();
    const code = (revision: number): string => codeOf(() => store.compact(revision));
    assert.deepEqual([-1, 2, 0, 0, 1, 1].map(code), [
      "compacted",
      "futureRevision",
      "none",
      "compacted",
      "none",
      "compacted",
    ]);
  });

  it("knows what changed a key last, its removal until that is compacted", () => {
    const { store } = createStore();
    assert.equal(store.lastChange(bytes("a")), undefined);
    store.put(putOf("a"));
    assert.deepEqual(store.lastChange(bytes("a")), { revision: 2, isRemoval: false });
    store.deleteRange(deleteOf("a"));
    store.put(putOf("b"));
    assert.deepEqual(store.lastChange(bytes("a")), { revision: 3, isRemoval: true });
    store.compact(3);
    assert.deepEqual(store.lastChange(bytes("a")), { revision: 3, isRemoval: true });
    store.compact(4);
    assert.equal(store.lastChange(bytes("a")), undefined);
    assert.deepEqual(store.lastChange(bytes("b")), { revision: 4, isRemoval: false });
  });

  it("deleting the last key and compacting it away does not move the revision back after a restore", async () => {
    const original = createStore();
    original.store.put(putOf("a"));
    original.store.deleteRange(deleteOf("a"));
    original.store.put(putOf("b"));
    original.store.deleteRange(deleteOf("b"));
    original.store.compact(5);
    await original.store.compactionFinished();
    const copy = createStore();
    const snapshot = original.store.openSnapshot();
    const restore = copy.store.restore(snapshot);
    restore.append([...recordsIn(snapshot)]);
    await restore.prepare();
    restore.finish();
    assert.deepEqual([copy.store.currentRevision, copy.store.compactRevision], [5, 5]);
    assert.equal(copy.store.put(putOf("c")).header?.revision, 6);
  });

  it("a snapshot is of the moment it was opened, whatever is written or compacted while it is read", async () => {
    const { store, engine } = createStore();
    for (let i = 0; i < 3_000; i++) store.put(putOf(`k${i % 100}`, String(i)));
    const snapshot = store.openSnapshot();
    const records = recordsIn(snapshot);
    const first = records.next().value;
    for (let i = 0; i < 3_000; i++) store.put(putOf(`k${i % 100}`, "later"));
    store.compact(5_000);
    for (let i = 0; i < 20; i++) await yieldTurn();
    assert.equal(engine.stats().records, 6_000, "held back while the snapshot is open");
    const revisions = [first, ...records].map((record) => record?.modRevision);
    assert.deepEqual(
      revisions,
      Array.from({ length: 3_000 }, (_, i) => i + 2),
    );
    snapshot.close();
    await store.compactionFinished();
    assert.equal(engine.stats().records, 6_001 - 5_000 + 100);
  });

  it("a snapshot leaves out what a compaction that is under way will remove, and nothing else", async () => {
    const { store, engine } = createStore();
    store.put(putOf("old", "1")); // 2
    store.put(putOf("gone", "1")); // 3
    store.put(putOf("kept", "1")); // 4
    store.deleteRange(deleteOf("old")); // 5
    store.put(putOf("kept", "2")); // 6
    store.deleteRange(deleteOf("gone")); // 7
    store.put(putOf("kept", "3")); // 8
    store.compact(7);
    const snapshot = store.openSnapshot();
    assert.equal(engine.stats().records, 7, "nothing is removed yet");
    const taken = (await gatheredFrom(snapshot)).map(({ key, modRevision }) => [key, modRevision]);
    assert.deepEqual(taken, [
      ["kept", 6],
      ["gone", 7],
      ["kept", 8],
    ]);
    assert.equal(snapshot.finishedCompactRevision, 7);
    snapshot.close();
    await store.compactionFinished();
    const left = store.openSnapshot();
    assert.deepEqual(
      [...recordsIn(left)].map(({ key, modRevision }) => [key, modRevision]),
      taken,
    );
    left.close();
  });

  it("a snapshot that is read while a compaction removes has what it had, and holds up neither it nor the loop", async () => {
    const { store, engine } = createStore();
    for (let i = 0; i < 60_000; i++) store.put(putOf(`k${i % 100}`, String(i)));
    store.compact(59_000);
    const snapshot = store.openSnapshot();
    let turns = 0;
    let isRead = false;
    const counted = (async () => {
      for (; !isRead; turns++) await yieldTurn();
    })();
    const gathered = await gatheredFrom(snapshot);
    isRead = true;
    await counted;
    assert.ok(turns > 10, `${turns} turns for 59,000 records that are left out`);
    await store.compactionFinished();
    assert.equal(engine.stats().records, 60_001 - 59_000 + 100, "removed while the snapshot is open");
    snapshot.close();
    const after = store.openSnapshot();
    assert.deepEqual(gathered, [...recordsIn(after)]);
    after.close();
  });

  it("a snapshot of a store that is restored meanwhile fails rather than mixing two histories", async () => {
    const { store } = createStore();
    for (let i = 0; i < 10; i++) store.put(putOf("a"));
    const snapshot = store.openSnapshot();
    const pages = (snapshot.pages as Iterable<unknown>)[Symbol.iterator]();
    pages.next();
    const restore = store.restore({ currentRevision: 1, compactRevision: -1, finishedCompactRevision: -1 });
    await restore.prepare();
    restore.finish();
    assert.throws(() => pages.next(), { code: "leaderChanged" });
    snapshot.close();
  });

  it("a restore changes nothing before it is finished", async () => {
    const { store } = createStore();
    for (let i = 0; i < 10; i++) store.put(putOf("a"));
    const restore = store.restore({ currentRevision: 1, compactRevision: -1, finishedCompactRevision: -1 });
    await restore.prepare();
    assert.equal(store.currentRevision, 11);
    assert.equal(store.stats().records, 10);
    restore.finish();
    assert.equal(store.currentRevision, 1);
    assert.equal(store.stats().records, 0);
  });

  it("a restore attaches the live keys to their leases, over many pages of keys", async () => {
    const original = createStore();
    original.leases.grant(1n);
    for (let i = 0; i < 2_500; i++) original.store.put(putOf(`k${i}`, "", { lease: i % 2 === 0 ? 1n : 0n }));
    original.store.put(putOf("k0"));
    const copy = createStore();
    copy.leases.grant(1n);
    const snapshot = original.store.openSnapshot();
    const restore = copy.store.restore(snapshot);
    restore.append([...recordsIn(snapshot)]);
    await restore.prepare();
    restore.finish();
    snapshot.close();
    assert.deepEqual(copy.leases.keysOf(1n), original.leases.keysOf(1n));
    assert.equal(copy.leases.keysOf(1n).length, 1_249);
  });

  it("a snapshot holds what compaction keeps, however far the removal has come", async () => {
    for (let bites = 0; bites < 4; bites++) {
      let pauses = 0;
      const pauseCompaction = (): Promise<void> => (pauses++ < bites ? yieldTurn() : new Promise(() => {}));
      const original = createStore({ pauseCompaction });
      for (let i = 0; i < 1_500; i++) {
        original.store.put(putOf(`k${i % 700}`, String(i)));
        if (i % 3 === 0) original.store.deleteRange(deleteOf(`k${i % 700}`));
      }
      const done = createStore();
      const whole = original.store.openSnapshot();
      const restore = done.store.restore(whole);
      restore.append([...recordsIn(whole)]);
      await restore.prepare();
      restore.finish();
      whole.close();
      for (const { store } of [original, done]) store.compact(1_900);
      await done.store.compactionFinished();
      for (let i = 0; i < 20; i++) await yieldTurn();
      const snapshot = original.store.openSnapshot();
      assert.deepEqual([snapshot.compactRevision, snapshot.finishedCompactRevision], [1_900, 1_900]);
      const found = await gatheredFrom(snapshot);
      assert.deepEqual(found, [...recordsIn(done.store.openSnapshot())], `after ${bites} bites`);
    }
  });

  it("a restore of a store whose removal was not finished goes on with it", async () => {
    const original = createStore();
    for (let i = 0; i < 3_000; i++) original.store.put(putOf("a", String(i)));
    const snapshot = original.store.openSnapshot();
    const copy = createStore();
    const restore = copy.store.restore({ ...snapshot, compactRevision: 2_500 });
    restore.append([...recordsIn(snapshot)]);
    await restore.prepare();
    restore.finish();
    await copy.store.compactionFinished();
    assert.equal(copy.store.stats().records, 502);
    assert.deepEqual(copy.store.compactionHashes, [], "half a history has no hash");
    copy.store.compact(2_600);
    await copy.store.compactionFinished();
    assert.equal(copy.store.compactionHashes.length, 1);
  });

  it("a snapshot that contradicts itself is refused", () => {
    const { store } = createStore();
    const states = [
      { currentRevision: 5, compactRevision: 3, finishedCompactRevision: 4 },
      { currentRevision: 5, compactRevision: 6, finishedCompactRevision: 4 },
    ];
    for (const state of states) assert.throws(() => store.restore(state), { name: "AssertionError" });
    const other = createStore();
    for (let i = 0; i < 5; i++) other.store.put(putOf("a"));
    const records = recordsOf(other.engine);
    const restore = store.restore({ currentRevision: 3, compactRevision: -1, finishedCompactRevision: -1 });
    assert.throws(() => restore.append(records), { name: "AssertionError" });
  });
});
