import assert from "node:assert/strict";
import { StorageFailure } from "../../../../src/lib/errors.ts";
import { createPrng } from "../../../../src/lib/prng.ts";
import { FileSnapshotStore, openWal } from "../../../../src/server/storage/index.ts";
import { SimFs } from "../../../sim/disk.ts";
import {
  appended,
  entry,
  identity,
  logWorld,
  metadata,
  newLog,
  plain,
  snapshotDirectory,
  walDirectory,
} from "./wal-world.ts";

const isFull = process.env["METASTORE_FULL"] === "1";
const sizeBytes = 65_536;

/** All numbers below `count` in the full run, else one of each `step` of them, at a place that changes. */
function* sampled(count: number, step: number): Generator<number> {
  if (isFull) step = 1;
  const prng = createPrng(count);
  for (let at = 0; at < count; at += step) yield Math.min(count - 1, at + prng.below(step));
}

interface Counts {
  detected: number;
  repaired: number;
  harmless: number;
  silent: number;
}

const counts = (): Counts => ({ detected: 0, repaired: 0, harmless: 0, silent: 0 });

/** Opens a log whose file at `path` is `content`; what of it was lost in silence? */
async function judge(
  files: ReadonlyMap<string, Buffer>,
  expected: readonly string[],
  into: Counts,
): Promise<void> {
  const fs = new SimFs({ seed: 1 });
  await fs.createDirectory(walDirectory);
  for (const [path, content] of files) fs.place(path, content);
  try {
    const found = await openWal(logWorld(fs).options);
    const isWhole = JSON.stringify(plain(found.entries)) === JSON.stringify(expected);
    if (!isWhole) into.silent++;
    else if (found.repaired === undefined) into.harmless++;
    else into.repaired++;
  } catch (error) {
    if (!(error instanceof StorageFailure)) throw error;
    into.detected++;
  }
}

/** A log with frames of many shapes: small, zeros, sectors that are zero but for a bit, large, replaced tails. */
async function sampleLog(isClosed: boolean, segmentBytes = sizeBytes) {
  const { wal, fs } = await newLog(undefined, { segmentBytes });
  const prng = createPrng(7);
  let last = 0;
  const add = async (data: Uint8Array): Promise<void> => {
    last++;
    await appended(wal, {
      entries: [entry(last, 1, data)],
      hardState: { term: 1, vote: 1n, commit: last - 1 },
    });
  };
  for (let i = 0; i < 60; i++) await add(Buffer.alloc(prng.below(900), prng.below(2) * prng.below(256)));
  await add(Buffer.alloc(5000));
  const oneBit = Buffer.alloc(3000);
  oneBit[1700] = 4;
  await add(oneBit);
  await add(Buffer.alloc(4096, 0xff));
  // The last frame: acknowledged, and nothing behind it says so. Its records are zeros nearly all.
  await add(Buffer.alloc(2500));
  if (isClosed) await wal.close();
  const survivor = fs.reboot("dropped", { seed: 1 });
  const files = new Map<string, Buffer>();
  for (const name of await survivor.readDirectory(walDirectory)) {
    if (name.endsWith(".wal"))
      files.set(`${walDirectory}/${name}`, survivor.contentOf(`${walDirectory}/${name}`));
  }
  const expected = plain((await openWal(logWorld(survivor, { segmentBytes }).options)).entries);
  assert.equal(expected.length, last);
  return { files, expected };
}

function flipped(content: Buffer, bit: number): Buffer {
  const copy = Buffer.from(content);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}

function report(what: string, { detected, repaired, harmless, silent }: Counts): void {
  console.log(
    `      ${what}: ${detected} detected, ${repaired} repaired, ${harmless} harmless, ${silent} silent`,
  );
}

describe("Damage to a log", function () {
  this.timeout(isFull ? 3_600_000 : 60_000);

  for (const isClosed of [false, true]) {
    const how = isClosed ? "closed" : "killed right after its last acknowledgement";

    it(`of one bit anywhere is detected, or costs nothing, when it was ${how}`, async () => {
      const { files, expected } = await sampleLog(isClosed);
      const [[path, content]] = [...files] as [[string, Buffer]];
      const result = counts();
      for (const bit of sampled(content.length * 8, 257)) {
        await judge(new Map([[path, flipped(content, bit)]]), expected, result);
      }
      report("bit flips", result);
      assert.equal(result.silent, 0);
      assert.ok(result.detected > 100 && result.repaired > 100);
    });

    it(`by cutting the file at any length is detected when it was ${how}`, async () => {
      const { files, expected } = await sampleLog(isClosed);
      const [[path, content]] = [...files] as [[string, Buffer]];
      const result = counts();
      for (const length of sampled(content.length, 127)) {
        await judge(new Map([[path, content.subarray(0, length)]]), expected, result);
      }
      report("truncations", result);
      assert.deepEqual({ ...result, detected: 0 }, { detected: 0, repaired: 0, harmless: 0, silent: 0 });
    });
  }

  it("of one bit in any segment but the last is detected, or costs nothing", async () => {
    const { files, expected } = await sampleLog(false, 16_384);
    assert.ok(files.size >= 3);
    const [path, content] = [...files][1]!;
    const result = counts();
    for (const bit of sampled(content.length * 8, 257)) {
      await judge(new Map([...files, [path, flipped(content, bit)]]), expected, result);
    }
    report("bit flips in an inner segment", result);
    assert.equal(result.silent, 0);
  });

  it("of whole sectors is detected wherever a later write proves that they were there", async () => {
    const { files, expected } = await sampleLog(true);
    const [[path, content]] = [...files] as [[string, Buffer]];
    const result = counts();
    const dataEnd = content.findLastIndex((byte) => byte !== 0);
    for (let sector = 0; sector + 1024 < dataEnd; sector += 512) {
      const copy = Buffer.from(content);
      copy.fill(0, sector, sector + 512);
      await judge(new Map([[path, copy]]), expected, result);
      content.copy(copy, 0);
      content.copy(copy, sector, sector + 512, sector + 1024);
      await judge(new Map([[path, copy]]), expected, result);
    }
    report("zeroed and misdirected sectors", result);
    assert.equal(result.silent, 0);
    assert.equal(result.repaired, 0);
  });

  it("by a missing, foreign, swapped or older segment is detected", async () => {
    const { files, expected } = await sampleLog(false, 16_384);
    const paths = [...files.keys()];
    const check = async (change: (copy: Map<string, Buffer>) => void): Promise<void> => {
      const copy = new Map(files);
      change(copy);
      const result = counts();
      await judge(copy, expected, result);
      assert.equal(result.detected, 1);
    };
    for (const path of paths) await check((copy) => copy.delete(path));
    await check((copy) => {
      copy.set(paths[1]!, files.get(paths[2]!)!);
      copy.set(paths[2]!, files.get(paths[1]!)!);
    });
    await check((copy) => copy.set(paths[1]!, Buffer.concat([files.get(paths[1]!)!, Buffer.alloc(512)])));
    const other = await newLog(new SimFs({ seed: 2 }), { segmentBytes: 16_384 });
    for (let i = 1; i < 30; i++) await appended(other.wal, { entries: [entry(i, 1, Buffer.alloc(900))] });
    await other.wal.close();
    for (const name of (await other.fs.readDirectory(walDirectory)).slice(1, 2)) {
      await check((copy) => copy.set(paths[1]!, other.fs.contentOf(`${walDirectory}/${name}`)));
    }
  });

  it("keeps what a newer version wrote from being read", async () => {
    const { files } = await sampleLog(true);
    const [[path, content]] = [...files] as [[string, Buffer]];
    const { crc32 } = await import("../../../../src/lib/crc32.ts");
    const newer = Buffer.from(content);
    newer.writeUInt32LE(2, 8);
    newer.writeUInt32LE(crc32(newer, 0, 0, 508), 508);
    const fs = new SimFs({ seed: 1 });
    await fs.createDirectory(walDirectory);
    fs.place(path, newer);
    await assert.rejects(openWal(logWorld(fs).options), /log format 2, this MetaStore reads up to 1/);
  });
});

describe("Damage to a snapshot", function () {
  this.timeout(isFull ? 3_600_000 : 60_000);

  const sample = async (): Promise<{ path: string; content: Buffer; chunks: Buffer[] }> => {
    const fs = new SimFs({ seed: 1 });
    await fs.createDirectory(snapshotDirectory);
    const store = new FileSnapshotStore({ fs, directory: snapshotDirectory, ...identity });
    const prng = createPrng(3);
    const chunks = Array.from({ length: 30 }, () => Buffer.alloc(1 + prng.below(4200), prng.below(256)));
    // Fills the file up to sizeBytes.
    chunks.push(Buffer.alloc(12_250, 0x5a));
    await store.write(metadata(77, 5), chunks);
    const [name] = await fs.readDirectory(snapshotDirectory);
    const path = `${snapshotDirectory}/${name}`;
    return { path, content: fs.contentOf(path), chunks };
  };

  const isDetected = async (path: string, content: Buffer): Promise<boolean> => {
    const fs = new SimFs({ seed: 1 });
    await fs.createDirectory(snapshotDirectory);
    fs.place(path, content);
    const store = new FileSnapshotStore({ fs, directory: snapshotDirectory, ...identity });
    try {
      for await (const _ of (await store.open(metadata(77, 5))).chunks);
      return false;
    } catch (error) {
      if (!(error instanceof StorageFailure)) throw error;
      return true;
    }
  };

  it("of one bit anywhere, or by cutting the file at any length, is detected", async () => {
    const { path, content } = await sample();
    assert.equal(content.length, sizeBytes);
    let flips = 0;
    let cuts = 0;
    assert.equal(await isDetected(path, content), false);
    for (const bit of sampled(content.length * 8, 211)) {
      assert.ok(await isDetected(path, flipped(content, bit)), `bit ${bit}`);
      flips++;
    }
    for (const length of sampled(content.length, 97)) {
      assert.ok(await isDetected(path, content.subarray(0, length)), `length ${length}`);
      cuts++;
    }
    assert.ok(await isDetected(path, Buffer.concat([content, Buffer.alloc(1)])));
    console.log(`      ${flips} flips and ${cuts} cuts of ${content.length} bytes: all detected`);
  });
});
