import assert from "node:assert/strict";
import fc from "fast-check";
import { DecodeError, StorageFailure } from "../../../../src/lib/errors.ts";
import { encodeSnapshot, FileSnapshotStore } from "../../../../src/server/storage/index.ts";
import {
  decodeSnapshotHeader,
  encodeSnapshotHeader,
  snapshotFormat,
  snapshotHeaderBytes,
} from "../../../../src/server/storage/snapshot-layout.ts";
import { SimFs } from "../../../sim/disk.ts";
import { identity, metadata, snapshotDirectory } from "./wal-world.ts";

async function newStore(fs = new SimFs({ seed: 1 })) {
  await fs.createDirectory(snapshotDirectory);
  await fs.syncDirectory("/data");
  await fs.syncDirectory("/");
  return { fs, store: new FileSnapshotStore({ fs, directory: snapshotDirectory, ...identity }) };
}

async function read(store: FileSnapshotStore, index: number): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of (await store.open(metadata(index))).chunks) chunks.push(Buffer.from(chunk));
  return chunks;
}

describe("A snapshot", () => {
  it("gives back its metadata and its chunks as they were", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 2000 }), { maxLength: 20 }),
        async (chunks) => {
          const { fs, store } = await newStore();
          const sizeBytes = await store.write(metadata(9), chunks);
          assert.deepEqual(
            await read(store, 9),
            chunks.map((chunk) => Buffer.from(chunk)),
          );
          const [name] = await fs.readDirectory(snapshotDirectory);
          assert.equal(fs.contentOf(`${snapshotDirectory}/${name}`).length, sizeBytes);
        },
      ),
      { numRuns: 30 },
    );
    const { store } = await newStore();
    await store.write(metadata(9), []);
    const content = await store.open(metadata(9));
    assert.deepEqual(content.header, { ...identity, metadata: metadata(9) });
    assert.deepEqual(await content.chunks.next(), { done: true, value: undefined });
  });

  it("is written in pieces from a producer that takes its time, large chunks and empty ones included", async () => {
    const { store } = await newStore();
    const large = Buffer.alloc(3_000_000, 5);
    async function* produce(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("first");
      await new Promise((resolve) => setImmediate(resolve));
      yield Buffer.alloc(0);
      yield large;
      yield Buffer.from("last");
    }
    await store.write(metadata(3), produce());
    assert.deepEqual(await read(store, 3), [Buffer.from("first"), large, Buffer.from("last")]);
  });

  it("never leaves much for the disk to do at once: the log's syncs wait for that", async () => {
    const { fs, store } = await newStore();
    const written: number[] = [];
    const { open } = fs;
    fs.open = async (path, options) => {
      assert.ok(options.durable, "each write is durable before the next");
      const file = await open.call(fs, path, options);
      const { write } = file;
      file.write = (buffers, position, done) => {
        written.push(buffers.reduce((sum, { length }) => sum + length, 0));
        write.call(file, buffers, position, done);
      };
      return file;
    };
    const chunks = Array.from({ length: 40 }, () => Buffer.alloc(100_000, 7));
    const sizeBytes = await store.write(metadata(3), chunks);
    assert.equal(
      written.reduce((sum, length) => sum + length, 0),
      sizeBytes,
    );
    assert.ok(Math.max(...written) < 512 * 1_024, `${Math.max(...written)} bytes in one write`);
  });

  it("is durable once written, and absent when its producer fails", async () => {
    const { fs, store } = await newStore();
    await store.write(metadata(3), [Buffer.from("x")]);
    const failing = function* (): Generator<Uint8Array> {
      yield Buffer.from("y");
      throw new RangeError("no more");
    };
    await assert.rejects(store.write(metadata(4), failing()), RangeError);
    const survivor = fs.reboot("dropped", { seed: 1 });
    const { store: later } = await newStore(survivor);
    assert.deepEqual(await read(later, 3), [Buffer.from("x")]);
    await assert.rejects(later.open(metadata(4)), /cannot read the snapshot .* ENOENT/);
  });

  it("replaces an unmarked one of the same index and a draft", async () => {
    const { fs, store } = await newStore();
    await store.write(metadata(3), [Buffer.from("old")]);
    fs.place(`${snapshotDirectory}/0000000000000003-0000000000000001.snap.tmp`, Buffer.from("draft"));
    await store.write(metadata(3), [Buffer.from("new")]);
    assert.deepEqual(await read(store, 3), [Buffer.from("new")]);
    assert.equal((await fs.readDirectory(snapshotDirectory)).length, 1);
  });

  it("of another member, or under another's name, is refused", async () => {
    const { fs, store } = await newStore();
    await store.write(metadata(3), [Buffer.from("x")]);
    const other = new FileSnapshotStore({ fs, directory: snapshotDirectory, ...identity, memberId: 5n });
    await assert.rejects(other.open(metadata(3)), /belongs to member abc of cluster c1, not to member 5/);
    const [name] = await fs.readDirectory(snapshotDirectory);
    await fs.rename(
      `${snapshotDirectory}/${name}`,
      `${snapshotDirectory}/0000000000000008-0000000000000001.snap`,
    );
    await assert.rejects(store.open(metadata(8)), /it is the snapshot of entry 3/);
  });

  it("of a newer format is refused", async () => {
    const { fs, store } = await newStore();
    await store.write(metadata(3), [Buffer.from("x")]);
    const path = `${snapshotDirectory}/${(await fs.readDirectory(snapshotDirectory))[0]}`;
    const newer = fs.contentOf(path);
    newer.writeUInt32LE(3, 8);
    fs.place(path, newer);
    await assert.rejects(store.open(metadata(3)), /snapshot format 3, this MetaStore reads up to 2/);
  });

  it("of the format that backups have, and members' files had before, is read as well", async () => {
    const { fs, store } = await newStore();
    await store.write(metadata(3), [Buffer.from("x")]);
    const path = `${snapshotDirectory}/${(await fs.readDirectory(snapshotDirectory))[0]}`;
    const pieces: Uint8Array[] = [];
    const header = { ...identity, metadata: metadata(3) };
    for await (const piece of encodeSnapshot(header, [Buffer.from("y")], snapshotFormat.digestOfAll)) {
      pieces.push(piece);
    }
    fs.place(path, Buffer.concat(pieces));
    assert.deepEqual(await read(store, 3), [Buffer.from("y")]);
  });

  it("goes when a newer one stands, and at start when the log does not count on it", async () => {
    const { fs, store } = await newStore();
    for (const index of [3, 5, 8]) await store.write(metadata(index), [Buffer.from("x")]);
    fs.place(`${snapshotDirectory}/other`, Buffer.from("not ours"));
    await store.removeBefore(5);
    assert.equal((await fs.readDirectory(snapshotDirectory)).length, 3);
    fs.place(`${snapshotDirectory}/0000000000000009-0000000000000001.snap.tmp`, Buffer.from("draft"));
    await store.removeOthers(metadata(5));
    assert.deepEqual(await fs.readDirectory(snapshotDirectory), [
      "0000000000000005-0000000000000001.snap",
      "other",
    ]);
    await store.removeOthers(undefined);
    assert.deepEqual(await fs.readDirectory(snapshotDirectory), ["other"]);
  });

  it("that cannot be written says why", async () => {
    for (let operation = 6; operation <= 9; operation++) {
      const fs = new SimFs({ seed: 1, failAt: { operation, code: "ENOSPC" } });
      const { store } = await newStore(fs);
      const writing = store.write(metadata(3), [Buffer.from("x")]);
      if (operation === 9) await writing;
      else
        await assert.rejects(writing, (error) => error instanceof StorageFailure && /space/.test(error.hint));
    }
    const gone = new FileSnapshotStore({ fs: new SimFs({ seed: 1 }), directory: "/none", ...identity });
    await assert.rejects(gone.removeBefore(5), StorageFailure);
  });

  it("has a header that decodes, or StorageFailure comes out", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (noise, hasMagic) => {
        const bytes = Buffer.concat([Buffer.from(hasMagic ? "MSTOSNAP\x01\0\0\0" : ""), noise]);
        try {
          const size = snapshotHeaderBytes(bytes.subarray(0, 16), "file");
          if (bytes.length >= size) decodeSnapshotHeader(bytes.subarray(0, size), "file");
        } catch (error) {
          if (!(error instanceof StorageFailure || error instanceof DecodeError)) throw error;
        }
      }),
    );
    const whole = encodeSnapshotHeader({ ...identity, metadata: metadata(3) }, snapshotFormat.digestOfFrames);
    assert.deepEqual(decodeSnapshotHeader(whole, "file"), { ...identity, metadata: metadata(3) });
  });
});
