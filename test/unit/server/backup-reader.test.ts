import assert from "node:assert/strict";
import { fromUtf8 } from "../../../src/lib/bytes.ts";
import { crc32c } from "../../../src/lib/crc32c.ts";
import { StorageFailure, UsageError } from "../../../src/lib/errors.ts";
import { createPrng } from "../../../src/lib/prng.ts";
import { BackupReader, inspectBackup } from "../../../src/server/backup-reader.ts";
import { encodeStateChunk, type StateMeta } from "../../../src/server/state/index.ts";
import { encodeSnapshot, snapshotFormat, type VersionedRecord } from "../../../src/server/storage/index.ts";
import { backupOf, blocksOf, busyState, header, liveKeys, note } from "./backup-world.ts";

const isFull = process.env["METASTORE_FULL"] === "1";

async function refused(bytes: Uint8Array, pattern: RegExp): Promise<void> {
  await assert.rejects(inspectBackup(blocksOf(bytes), "b.snap"), (error) => {
    assert.ok(error instanceof StorageFailure, String(error));
    assert.match(error.message, pattern);
    assert.match(error.hint, /another backup|newer MetaStore/);
    return true;
  });
}

const meta: StateMeta = {
  currentRevision: 9,
  compactRevision: -1,
  finishedCompactRevision: -1,
  leaseTimeMs: 0,
  alarms: [],
  members: [],
  removed: [],
};

function record(key: string, modRevision: number, changed: Partial<VersionedRecord> = {}): VersionedRecord {
  return {
    key: fromUtf8(key),
    modRevision,
    sub: 0,
    createRevision: modRevision,
    version: 1,
    value: fromUtf8("v"),
    lease: 0n,
    tombstone: false,
    ...changed,
  };
}

/** A snapshot whose checksums are right, whatever it holds. */
async function snapshotOf(...chunks: Uint8Array[]): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of encodeSnapshot(header, chunks, snapshotFormat.digestOfAll))
    pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

const metaChunk = (changed: Partial<StateMeta> = {}): Buffer =>
  encodeStateChunk({ meta: { ...meta, ...changed }, leases: [], records: [] });
const recordChunk = (...records: VersionedRecord[]): Buffer =>
  encodeStateChunk({ meta: undefined, leases: [], records });

describe("A backup that is read", function () {
  this.timeout(isFull ? 3_600_000 : 20_000);

  it("tells what it holds, in blocks of any size", async () => {
    const state = busyState(1);
    await state.store.compactionFinished();
    const bytes = await backupOf(state);
    for (const blockBytes of [1, 7, 4_096, bytes.length]) {
      const report = await inspectBackup(blocksOf(bytes, blockBytes), "b.snap");
      assert.equal(report.revision, state.store.currentRevision);
      assert.equal(report.compactRevision, state.store.compactRevision);
      assert.equal(report.keys, liveKeys(state));
      assert.equal(report.records, state.store.stats().records);
      assert.equal(report.leases, state.lessor.size);
      assert.equal(report.sizeBytes, bytes.length);
      assert.deepEqual(report.sha256, bytes.subarray(-32));
      assert.deepEqual([report.clusterId, report.memberId], [header.clusterId, header.memberId]);
      assert.deepEqual([report.index, report.term], [77, 5]);
      assert.deepEqual(
        report.members.map(({ id }) => id),
        [header.memberId],
      );
      assert.deepEqual(report.note, note);
    }
  });

  it("may be a snapshot from a member's disk, which has no note", async () => {
    const state = busyState(1);
    const pieces: Uint8Array[] = [];
    const snapshot = state.openSnapshot();
    for await (const piece of encodeSnapshot(header, snapshot.chunks, snapshotFormat.digestOfFrames)) {
      pieces.push(piece);
    }
    snapshot.close();
    const report = await inspectBackup(blocksOf(Buffer.concat(pieces), 4_096), "b.snap");
    assert.equal(report.revision, state.store.currentRevision);
    assert.equal(report.note, undefined);
  });

  it("counts the keys that are there, however far compaction has come", async () => {
    for (let seed = 1; seed <= 25; seed++) {
      const state = busyState(seed, 40 * seed);
      // At the moment of the compaction nothing is removed yet, or a part of it.
      state.store.compact(
        Math.max(state.store.compactRevision + 1, state.store.currentRevision - (seed % 7)),
      );
      const early = await inspectBackup(blocksOf(await backupOf(state)), "b.snap");
      assert.equal(early.keys, liveKeys(state), `seed ${seed}, compaction begins`);
      await state.store.compactionFinished();
      const late = await inspectBackup(blocksOf(await backupOf(state)), "b.snap");
      assert.equal(late.keys, liveKeys(state), `seed ${seed}, compaction has ended`);
    }
  });

  it("has the same hash as another one of the same state, whoever made it", async () => {
    const state = busyState(2);
    await state.store.compactionFinished();
    const one = await inspectBackup(blocksOf(await backupOf(state)), "one");
    const other = await inspectBackup(
      blocksOf(await backupOf(state, { ...header, memberId: 0x52n })),
      "other",
    );
    assert.equal(one.hash, other.hash);
    assert.notDeepEqual(one.sha256, other.sha256);
    const changed = await inspectBackup(blocksOf(await backupOf(busyState(3))), "changed");
    assert.notEqual(one.hash, changed.hash);
  });

  it("hands out the chunks behind the meta data as they were, the note left out", async () => {
    const chunks = [recordChunk(record("a", 2)), recordChunk(record("b", 3))];
    const reader = await BackupReader.open(blocksOf(await snapshotOf(metaChunk(), ...chunks)), "b.snap");
    const found: Buffer[] = [];
    for await (const chunk of reader.chunks()) found.push(Buffer.from(chunk));
    assert.deepEqual(found, chunks);
    assert.deepEqual(reader.meta, meta);
  });

  it("is refused when one bit anywhere is flipped, and the refusal names the file and a place", async () => {
    const bytes = await backupOf(busyState(4, 120));
    const prng = createPrng(4);
    const step = isFull ? 1 : 61;
    let flips = 0;
    for (let at = 0; at < bytes.length * 8; at += step) {
      const bit = isFull ? at : Math.min(bytes.length * 8 - 1, at + prng.below(step));
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3] = damaged[bit >> 3]! ^ (1 << (bit & 7));
      await refused(damaged, /b\.snap/);
      flips++;
    }
    assert.ok(flips > 400, `${flips} flips`);
    const middle = Buffer.from(bytes);
    middle[bytes.length >> 1] = middle[bytes.length >> 1]! ^ 1;
    await refused(
      middle,
      /^the snapshot is damaged: b\.snap: the checksum of chunk \d+, bytes \d+ to \d+, does not match$/,
    );
  });

  it("is refused when it is cut off anywhere, or goes on behind its end", async () => {
    const bytes = await backupOf(busyState(5, 60));
    for (let length = 0; length < bytes.length; length += isFull ? 1 : 41) {
      await refused(bytes.subarray(0, length), /it ends in its .* at byte \d+/);
    }
    await refused(Buffer.concat([bytes, Buffer.alloc(1)]), /more follows its end at byte \d+/);
  });

  it("is refused when it is none, or etcd's", async () => {
    await refused(Buffer.from("a text that is long enough to be looked at"), /does not begin as a snapshot/);
    const etcd = Buffer.alloc(4_096);
    etcd.writeUInt32LE(0xed0cdaed, 16);
    await assert.rejects(
      inspectBackup(blocksOf(etcd), "etcd.db"),
      (error) => error instanceof UsageError && /etcd\.db is a snapshot of etcd/.test(error.message),
    );
  });

  it("is refused when its checksums are right and its content is not", async () => {
    const cases: [string, Uint8Array[], RegExp][] = [
      ["nothing", [], /holds no state/],
      ["records first", [recordChunk(record("a", 2))], /holds no state/],
      ["revisions", [metaChunk({ compactRevision: 10 })], /revisions contradict/],
      ["twice", [metaChunk(), metaChunk()], /meta data twice/],
      ["order", [metaChunk(), recordChunk(record("a", 3), record("b", 2))], /record 2\/0 follows 3\/0/],
      ["again", [metaChunk(), recordChunk(record("a", 3)), recordChunk(record("a", 3))], /3\/0 follows 3\/0/],
      ["future", [metaChunk(), recordChunk(record("a", 10))], /newer than its state/],
      ["bytes", [metaChunk(), Buffer.from([0x1a, 0x05, 0x00])], /./],
      [
        "leases",
        [
          metaChunk(),
          recordChunk(record("a", 2)),
          encodeStateChunk({
            meta: undefined,
            leases: [{ id: 1n, ttlSeconds: 5, deadlineMs: 1 }],
            records: [],
          }),
        ],
        /lease follows records/,
      ],
    ];
    for (const [what, chunks, pattern] of cases) {
      await refused(await snapshotOf(...chunks), pattern).catch((error: Error) => {
        throw new Error(`${what}: ${error.message}`);
      });
    }
  });

  it("gives its source back when it is refused, and when nobody reads on", async () => {
    const bytes = await backupOf(busyState(6, 50));
    let returned = 0;
    async function* source(content: Uint8Array): AsyncGenerator<Uint8Array> {
      try {
        yield* blocksOf(content, 100);
      } finally {
        returned++;
      }
    }
    await assert.rejects(BackupReader.open(source(Buffer.alloc(500)), "zeros"));
    assert.equal(returned, 1);
    const reader = await BackupReader.open(source(bytes), "b.snap");
    for await (const _ of reader.chunks()) break;
    assert.equal(returned, 2);
  });

  it("hashes its records with CRC-32C, however they are cut into chunks", async () => {
    const [a, b] = [record("a", 2), record("b", 3)] as const;
    const expected = crc32c(recordChunk(a, b));
    const report = await inspectBackup(blocksOf(await snapshotOf(metaChunk(), recordChunk(a, b))), "one");
    assert.equal(report.hash, expected);
    const later = metaChunk({ leaseTimeMs: 5 });
    const cut = await snapshotOf(later, recordChunk(a), recordChunk(b));
    assert.equal((await inspectBackup(blocksOf(cut), "two")).hash, expected);
    assert.equal(report.note, undefined);
  });
});
