import assert from "node:assert/strict";
import fc from "fast-check";
import { DecodeError, StorageFailure } from "../../../../src/lib/errors.ts";
import { isZero } from "../../../../src/lib/file-operations.ts";
import type { Entry, HardState, SnapshotMetadata } from "../../../../src/server/raft/index.ts";
import {
  dataFrameBytes,
  decodeFrameHeader,
  encodeFrameHeader,
  encodeMarker,
  frameHeaderBytes,
  frameTrailerBytes,
  frameType,
  sealFrame,
} from "../../../../src/server/storage/wal-frame.ts";
import { FrameBuilder } from "../../../../src/server/storage/wal-frame-builder.ts";
import { readUint64, writeUint64 } from "../../../../src/server/storage/wal-layout.ts";
import { decodeRecords } from "../../../../src/server/storage/wal-record.ts";
import { scanSegment } from "../../../../src/server/storage/wal-scan.ts";
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  parseSegmentName,
  type SegmentHeader,
  segmentHeaderBytes,
  segmentName,
  segmentSeed,
} from "../../../../src/server/storage/wal-segment.ts";
import { metadata, plain } from "./wal-world.ts";

const header: SegmentHeader = {
  clusterId: 1n,
  memberId: 2n,
  sequence: 3,
  firstIndex: 4,
  sizeBytes: 65_536,
  salt: 5,
  frameSequence: 6,
  chain: 7,
  hardState: { term: 8, vote: 9n, commit: 3 },
};

class Collected {
  readonly states: HardState[] = [];
  readonly entries: Entry[] = [];
  readonly marks: SnapshotMetadata[] = [];
  hardState(state: HardState): void {
    this.states.push(state);
  }
  entry(found: Entry): void {
    this.entries.push(found);
  }
  snapshotMark(mark: SnapshotMetadata): void {
    this.marks.push(mark);
  }
}

const safe = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const term = fc.oneof(fc.integer({ min: 1, max: 3 }), safe);
/** Bytes of the kinds that a torn write could be confused with. */
const data = fc.oneof(
  fc.uint8Array({ maxLength: 700 }),
  fc
    .tuple(fc.nat(4000), fc.constantFrom(0, 0x9e, 0xff))
    .map(([size, byte]) => new Uint8Array(size).fill(byte)),
  fc.tuple(fc.nat(3000), fc.nat(2999), fc.nat(7)).map(([size, at, bit]) => {
    const bytes = new Uint8Array(size);
    if (at < size) bytes[at] = 1 << bit;
    return bytes;
  }),
  // The words that masks are made of.
  fc.nat(8).map((count) => {
    const bytes = Buffer.alloc(count * 1024);
    for (let i = 0; i < bytes.length; i += 4) {
      bytes.writeUInt32LE(Math.imul(0x9e37_79b9, 1 + Math.floor(i / 1024)) >>> 0, i);
    }
    return bytes;
  }),
);

const run = fc.record({
  index: safe,
  list: fc.array(fc.tuple(term, fc.constantFrom(0, 1, 2), data), { maxLength: 4 }),
});

function entriesOf({
  index,
  list,
}: {
  index: number;
  list: readonly (readonly [number, number, Uint8Array])[];
}): Entry[] {
  const from = Math.min(index, Number.MAX_SAFE_INTEGER - 10);
  return list.map(([at, type, bytes], i) => ({
    index: from + i,
    term: at,
    type: type as 0 | 1 | 2,
    data: bytes,
  }));
}

/** A segment that holds the sealed frame at `position`, filled up to there by earlier markers. */
function segmentWith(
  builder: FrameBuilder,
  markers: number,
): { bytes: Buffer; position: number; end: number } {
  const bytes = Buffer.alloc(header.sizeBytes);
  encodeSegmentHeader(header).copy(bytes);
  const seed = segmentSeed(bytes);
  let position = segmentHeaderBytes;
  for (let i = 0; i < markers; i++) {
    encodeMarker(frameType.marker, header.frameSequence - 1, seed).copy(bytes, position);
    position += frameHeaderBytes;
  }
  const sealed = builder.seal(header.frameSequence, position, header.chain, seed);
  sealed.bytes.copy(bytes, position);
  return { bytes, position, end: position + sealed.bytes.length };
}

describe("A frame", () => {
  it("gives back its records, whatever their bytes", () => {
    fc.assert(
      fc.property(
        run,
        fc.tuple(safe, fc.bigInt(0n, 2n ** 64n - 1n), safe),
        fc.nat(20),
        (from, state, markers) => {
          const written = entriesOf(from);
          const builder = new FrameBuilder(Buffer.alloc(64, 0xee));
          const hardState = { term: state[0], vote: state[1], commit: state[2] };
          builder.hardState(hardState);
          builder.entries(written);
          builder.snapshotMark(metadata(state[0], state[2]));
          const { bytes, end } = segmentWith(builder, markers);
          const found = new Collected();
          const scan = scanSegment(bytes, header, "segment", true, found);
          assert.deepEqual(plain(found.entries), plain(written));
          assert.deepEqual(found.states, [hardState]);
          assert.deepEqual(found.marks, [metadata(state[0], state[2])]);
          assert.equal(scan.endOffset, end);
          assert.equal(scan.torn, undefined);
          assert.equal(scan.frameSequence, header.frameSequence + 1);
        },
      ),
    );
  });

  it("never has an inner sector that a lost bit could make zero, so that it cannot look torn", () => {
    fc.assert(
      fc.property(run, fc.nat(20), (from, markers) => {
        const builder = new FrameBuilder(undefined);
        builder.entries(entriesOf(from));
        const { bytes, position, end } = segmentWith(builder, markers);
        for (let at = Math.ceil((position + 1) / 512) * 512; at + 512 <= end - frameTrailerBytes; at += 512) {
          let bits = 0;
          for (let i = at; i < at + 512; i++) for (let b = bytes[i]!; b !== 0; b &= b - 1) bits++;
          assert.ok(bits > 1, `sector at ${at} has ${bits} bits set`);
        }
        for (let bit = 0; bit < 8; bit++) assert.notEqual(bytes[end - 1]! ^ (1 << bit), 0);
      }),
    );
  });

  it("is taken for torn when any of its sectors or its end was not written, and for damaged otherwise", () => {
    fc.assert(
      fc.property(run, fc.nat(20), fc.nat(), (from, markers, choice) => {
        const builder = new FrameBuilder(undefined);
        builder.entries(entriesOf(from));
        const { bytes, position, end } = segmentWith(builder, markers);
        const cut = Buffer.from(bytes);
        const sectors = Math.ceil(end / 512) - Math.floor(position / 512);
        const sector = (Math.floor(position / 512) + (choice % sectors)) * 512;
        cut.fill(0, Math.max(position, sector), Math.min(end, sector + 512));
        const scan = scanSegment(cut, header, "segment", true, new Collected());
        assert.equal(scan.endOffset, position);
        assert.ok(scan.torn !== undefined || isZero(cut, position, end));

        const short = Buffer.from(bytes);
        short.fill(0, position + (choice % (end - position)));
        assert.equal(scanSegment(short, header, "segment", true, new Collected()).endOffset, position);

        const damaged = Buffer.from(bytes);
        damaged[position + (choice % (end - position))]! ^= 1 << (choice % 8);
        assert.throws(
          () => scanSegment(damaged, header, "segment", true, new Collected()),
          (error) =>
            error instanceof StorageFailure && /at byte \d+/.test(error.message) && error.hint.length > 0,
        );
      }),
    );
  });

  it("is known by its segment only", () => {
    const bytes = encodeMarker(frameType.marker, 7, 1234);
    assert.equal(decodeFrameHeader(bytes, 0, 1234)?.sequence, 7);
    assert.equal(decodeFrameHeader(bytes, 0, 1235), undefined);
    assert.equal(decodeFrameHeader(bytes.subarray(0, 20), 0, 1234), undefined);
  });
});

describe("The decoders of the log", () => {
  it("throw DecodeError or decode, on any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 0, max: 4 }), (bytes, kind) => {
        const source = Buffer.concat([Buffer.from([kind, 0, 0, 0]), bytes]);
        try {
          decodeRecords(source, 0, source.length, new Collected());
        } catch (error) {
          if (!(error instanceof DecodeError)) throw error;
        }
      }),
      { numRuns: 5000 },
    );
  });

  it("refuse forged counts and sizes without reserving memory for them", () => {
    const forged = Buffer.alloc(24, 0xff);
    for (const kind of [1, 2, 3]) {
      forged.writeUInt32LE(kind, 0);
      assert.throws(() => decodeRecords(forged, 0, forged.length, new Collected()), DecodeError);
    }
    const counts = Buffer.alloc(64);
    counts.writeUInt32LE(2, 0);
    counts.writeUInt32LE(0xffff_ffff, 4);
    counts.writeUInt32LE(0xffff_fffc, 24);
    assert.throws(() => decodeRecords(counts, 0, counts.length, new Collected()), DecodeError);
  });

  it("refuse whole frames with senseless records as damage", () => {
    let refused = 0;
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 5, maxLength: 200 }), (body) => {
        const bytes = Buffer.alloc(header.sizeBytes);
        encodeSegmentHeader(header).copy(bytes);
        const frame = Buffer.alloc(dataFrameBytes(body.length));
        frame.set(body, frameHeaderBytes);
        const seed = segmentSeed(bytes);
        sealFrame(frame, body.length, header.frameSequence, segmentHeaderBytes, header.chain, seed);
        frame.copy(bytes, segmentHeaderBytes);
        try {
          scanSegment(bytes, header, "segment", true, new Collected());
        } catch (error) {
          if (!(error instanceof StorageFailure)) throw error;
          refused++;
        }
      }),
    );
    assert.ok(refused > 90);
  });

  it("refuse a frame that exceeds its segment, before they read it", () => {
    const bytes = Buffer.alloc(header.sizeBytes);
    encodeSegmentHeader(header).copy(bytes);
    const forged = { type: frameType.data, bodyBytes: 0xffff_ff00, sequence: header.frameSequence, mask: 0 };
    encodeFrameHeader(bytes, segmentHeaderBytes, forged, segmentSeed(bytes));
    assert.throws(() => scanSegment(bytes, header, "segment", true, new Collected()), /exceeds the segment/);
  });

  it("refuse a frame out of its turn, and bytes behind the end of a segment", () => {
    const scanOf = (sequence: number, type: 2 | 3): void => {
      const bytes = Buffer.alloc(header.sizeBytes);
      encodeSegmentHeader(header).copy(bytes);
      encodeMarker(type, sequence, segmentSeed(bytes)).copy(bytes, segmentHeaderBytes);
      encodeMarker(type, sequence, segmentSeed(bytes)).copy(bytes, segmentHeaderBytes + frameHeaderBytes);
      scanSegment(bytes, header, "segment", false, new Collected());
    };
    scanOf(header.frameSequence - 1, frameType.marker);
    assert.throws(() => scanOf(header.frameSequence, frameType.marker), /frame 6 stands where 5 belongs/);
    assert.throws(() => scanOf(header.frameSequence - 1, frameType.end), /has ended, but more bytes follow/);
  });

  it("read segment headers back, and throw StorageFailure on any other bytes", () => {
    assert.deepEqual(decodeSegmentHeader(encodeSegmentHeader(header), "segment"), header);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.boolean(), (bytes, hasMagic) => {
        const source = hasMagic ? Buffer.concat([Buffer.from("MSTORWAL"), bytes]) : Buffer.from(bytes);
        assert.throws(() => decodeSegmentHeader(source, "segment"), StorageFailure);
      }),
    );
  });

  it("scan random bytes behind a valid header to a StorageFailure or a torn end", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 2000 }), (noise) => {
        const bytes = Buffer.alloc(header.sizeBytes);
        encodeSegmentHeader(header).copy(bytes);
        bytes.set(noise, segmentHeaderBytes);
        try {
          scanSegment(bytes, header, "segment", true, new Collected());
        } catch (error) {
          if (!(error instanceof StorageFailure)) throw error;
        }
      }),
      { numRuns: 500 },
    );
  });

  it("keep numbers exact up to 2^53 and refuse larger ones", () => {
    const bytes = Buffer.alloc(8);
    fc.assert(
      fc.property(safe, (value) => {
        writeUint64(bytes, 0, value);
        assert.equal(readUint64(bytes, 0), value);
        assert.equal(bytes.readBigUInt64LE(), BigInt(value));
      }),
    );
    assert.throws(() => readUint64(Buffer.alloc(8, 0xff), 0), DecodeError);
  });

  it("name segments so that names sort as the log runs", () => {
    const name = segmentName(10, 0x1234_5678_9abc);
    assert.equal(name, "000000000000000a-0000123456789abc.wal");
    assert.deepEqual(parseSegmentName(name), { name, sequence: 10, firstIndex: 0x1234_5678_9abc });
    assert.equal(parseSegmentName("a-b.wal"), undefined);
  });
});
