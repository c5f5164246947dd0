import { type ByteString, EMPTY } from "../../lib/bytes.ts";
import { StorageFailure } from "../../lib/errors.ts";
import type { VersionedRecord } from "./engine.ts";

/**
 * Where things stand in the database of the disk engine. A key begins with the generation of the content (4 bytes, so
 * that a snapshot can be laid beside what it will replace) and the letter of its space:
 *
 *   N key                        the newest record of a live key, with its value
 *   R modRevision sub            every record, with its key and value
 *   P key modRevision sub        every record that is not a live key's newest: where reads of the past look
 *   G modRevision sub kind       what becomes removable when the compact revision reaches modRevision
 *   A lease key                  attachments of live keys
 *   C key                        how many live keys there are from this key up to that of the next such entry
 *   S ...                        what the state machine keeps beside the records
 *
 * Numbers are big-endian; 8 bytes each but `sub`, which has 4. In P a zero byte of the key is 00 01 and its end 00 00,
 * so that no key is the beginning of another.
 */
export const space = {
  newest: "N",
  records: "R",
  past: "P",
  garbage: "G",
  attachments: "A",
  counts: "C",
  side: "S",
} as const;
export type Space = (typeof space)[keyof typeof space];

/** The one key outside of all generations: the generation in use and what is true of it. */
export const rootKey = Buffer.from("\xff\xff\xff\xffroot", "latin1");

/** Two reasons for a record to go: it was superseded, or it is a removal that nobody needs to see any more. */
export const garbageKind = { superseded: 0, removal: 1 } as const;

const PREFIX_BYTES = 5;
const PLACE_BYTES = 12;
const TWO_32 = 0x1_0000_0000;

export interface RecordPlace {
  readonly modRevision: number;
  readonly sub: number;
}

/** All keys of one generation of content. */
export class DiskLayout {
  readonly generation: number;
  readonly #prefix: string;

  constructor(generation: number) {
    this.generation = generation;
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(generation);
    this.#prefix = bytes.toString("latin1");
  }

  /** The first key of a space, and the first behind it. */
  start(name: Space): Buffer {
    return Buffer.from(this.#prefix + name, "latin1");
  }

  end(name: Space): Buffer {
    return Buffer.from(this.#prefix + String.fromCharCode(name.charCodeAt(0) + 1), "latin1");
  }

  newest(key: ByteString): Buffer {
    return Buffer.from(this.#prefix + space.newest + key, "latin1");
  }

  keyOfNewest(bytes: Buffer): ByteString {
    return bytes.toString("latin1", PREFIX_BYTES) as ByteString;
  }

  record({ modRevision, sub }: RecordPlace): Buffer {
    const bytes = Buffer.allocUnsafe(PREFIX_BYTES + PLACE_BYTES);
    bytes.write(this.#prefix + space.records, 0, "latin1");
    writePlace(bytes, PREFIX_BYTES, modRevision, sub);
    return bytes;
  }

  placeOfRecord(bytes: Buffer): RecordPlace {
    return readPlace(bytes, PREFIX_BYTES);
  }

  past(key: ByteString, { modRevision, sub }: RecordPlace): Buffer {
    const name = this.#prefix + space.past + escaped(key);
    const bytes = Buffer.allocUnsafe(name.length + PLACE_BYTES);
    bytes.write(name, 0, "latin1");
    writePlace(bytes, name.length, modRevision, sub);
    return bytes;
  }

  /** Where the past of `key` begins: with the key left out, that of all keys. */
  pastStart(key: ByteString): Buffer {
    return Buffer.from(this.#prefix + space.past + escaped(key), "latin1");
  }

  placeOfPast(bytes: Buffer): RecordPlace {
    return readPlace(bytes, bytes.length - PLACE_BYTES);
  }

  keyOfPast(bytes: Buffer): ByteString {
    return unescaped(bytes.toString("latin1", PREFIX_BYTES, bytes.length - PLACE_BYTES));
  }

  garbage({ modRevision, sub }: RecordPlace, kind: number): Buffer {
    const bytes = Buffer.allocUnsafe(PREFIX_BYTES + PLACE_BYTES + 1);
    bytes.write(this.#prefix + space.garbage, 0, "latin1");
    writePlace(bytes, PREFIX_BYTES, modRevision, sub);
    bytes[PREFIX_BYTES + PLACE_BYTES] = kind;
    return bytes;
  }

  attachment(lease: bigint, key: ByteString): Buffer {
    const bytes = Buffer.allocUnsafe(PREFIX_BYTES + 8 + key.length);
    bytes.write(this.#prefix + space.attachments, 0, "latin1");
    bytes.writeBigUInt64BE(BigInt.asUintN(64, lease), PREFIX_BYTES);
    bytes.write(key, PREFIX_BYTES + 8, "latin1");
    return bytes;
  }

  attachmentOf(bytes: Buffer): { readonly lease: bigint; readonly key: ByteString } {
    return {
      lease: BigInt.asIntN(64, bytes.readBigUInt64BE(PREFIX_BYTES)),
      key: bytes.toString("latin1", PREFIX_BYTES + 8) as ByteString,
    };
  }

  count(key: ByteString): Buffer {
    return Buffer.from(this.#prefix + space.counts + key, "latin1");
  }

  side(name: Uint8Array): Buffer {
    return Buffer.concat([this.start(space.side), name]);
  }

  /** What stands behind the letter of the space. */
  nameOf(bytes: Buffer): Buffer {
    return bytes.subarray(PREFIX_BYTES);
  }
}

/** The first key of generation `generation`, whatever its space. */
export function generationStart(generation: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(generation);
  return bytes;
}

function escaped(key: ByteString): string {
  return `${key.includes("\0") ? key.replaceAll("\0", "\0\x01") : key}\0\0`;
}

function unescaped(name: string): ByteString {
  const key = name.slice(0, -2);
  return (key.includes("\0") ? key.replaceAll("\0\x01", "\0") : key) as ByteString;
}

function writePlace(bytes: Buffer, at: number, modRevision: number, sub: number): void {
  writeNumber(bytes, at, modRevision);
  bytes.writeUInt32BE(sub, at + 8);
}

function readPlace(bytes: Buffer, at: number): RecordPlace {
  return { modRevision: readNumber(bytes, at), sub: bytes.readUInt32BE(at + 8) };
}

function writeNumber(bytes: Buffer, at: number, value: number): void {
  bytes.writeUInt32BE(Math.floor(value / TWO_32), at);
  bytes.writeUInt32BE(value % TWO_32, at + 4);
}

function readNumber(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * TWO_32 + bytes.readUInt32BE(at + 4);
}

const NEWEST_HEADER_BYTES = 36;
const RECORD_HEADER_BYTES = 29;

/** Value under N: modRevision 8, sub 4, create revision 8, version 8, lease 8, value. */
export function encodeNewest(record: VersionedRecord): Buffer {
  const bytes = Buffer.allocUnsafe(NEWEST_HEADER_BYTES + record.value.length);
  writePlace(bytes, 0, record.modRevision, record.sub);
  writeNumber(bytes, 12, record.createRevision);
  writeNumber(bytes, 20, record.version);
  bytes.writeBigInt64BE(record.lease, 28);
  bytes.write(record.value, NEWEST_HEADER_BYTES, "latin1");
  return bytes;
}

/** Throws StorageFailure. */
export function decodeNewest(key: ByteString, bytes: Buffer): VersionedRecord {
  if (bytes.length < NEWEST_HEADER_BYTES) throw damaged("the newest record of a key");
  return {
    key,
    ...readPlace(bytes, 0),
    createRevision: readNumber(bytes, 12),
    version: readNumber(bytes, 20),
    value: bytes.toString("latin1", NEWEST_HEADER_BYTES) as ByteString,
    lease: bytes.readBigInt64BE(28),
    tombstone: false,
  };
}

/** The place of the newest record alone. */
export function decodeNewestPlace(bytes: Buffer): RecordPlace {
  if (bytes.length < NEWEST_HEADER_BYTES) throw damaged("the newest record of a key");
  return readPlace(bytes, 0);
}

/** Value under R: flags 1 (1: tombstone), create revision 8, version 8, lease 8, key length 4, key, value. */
export function encodeRecord(record: VersionedRecord): Buffer {
  const { key, value } = record;
  const bytes = Buffer.allocUnsafe(RECORD_HEADER_BYTES + key.length + value.length);
  bytes[0] = record.tombstone ? 1 : 0;
  writeNumber(bytes, 1, record.createRevision);
  writeNumber(bytes, 9, record.version);
  bytes.writeBigInt64BE(record.lease, 17);
  bytes.writeUInt32BE(key.length, 25);
  bytes.write(key, RECORD_HEADER_BYTES, "latin1");
  bytes.write(value, RECORD_HEADER_BYTES + key.length, "latin1");
  return bytes;
}

/** Throws StorageFailure. */
export function decodeRecord({ modRevision, sub }: RecordPlace, bytes: Buffer): VersionedRecord {
  const keyBytes = bytes.length < RECORD_HEADER_BYTES ? Number.POSITIVE_INFINITY : bytes.readUInt32BE(25);
  if (RECORD_HEADER_BYTES + keyBytes > bytes.length) throw damaged(`the record ${modRevision}.${sub}`);
  const valueAt = RECORD_HEADER_BYTES + keyBytes;
  return {
    key: bytes.toString("latin1", RECORD_HEADER_BYTES, valueAt) as ByteString,
    modRevision,
    sub,
    createRevision: readNumber(bytes, 1),
    version: readNumber(bytes, 9),
    value: valueAt === bytes.length ? EMPTY : (bytes.toString("latin1", valueAt) as ByteString),
    lease: bytes.readBigInt64BE(17),
    tombstone: bytes[0] === 1,
  };
}

/** Value under P: whether the record is a tombstone. */
export function encodePast(isTombstone: boolean): Buffer {
  return isTombstone ? pastTombstone : pastPut;
}

const pastTombstone = Buffer.from([1]);
const pastPut = Buffer.from([0]);

export function isPastTombstone(bytes: Buffer): boolean {
  return bytes[0] === 1;
}

/** Value under G: modRevision 8, sub 4, size of the value 4, key. */
export function encodeGarbage({ key, modRevision, sub, value }: VersionedRecord): Buffer {
  const bytes = Buffer.allocUnsafe(PLACE_BYTES + 4 + key.length);
  writePlace(bytes, 0, modRevision, sub);
  bytes.writeUInt32BE(value.length, PLACE_BYTES);
  bytes.write(key, PLACE_BYTES + 4, "latin1");
  return bytes;
}

export interface Garbage extends RecordPlace {
  readonly key: ByteString;
  readonly valueBytes: number;
}

export function decodeGarbage(bytes: Buffer): Garbage {
  if (bytes.length < PLACE_BYTES + 4) throw damaged("what compaction is to remove");
  return {
    ...readPlace(bytes, 0),
    valueBytes: bytes.readUInt32BE(PLACE_BYTES),
    key: bytes.toString("latin1", PLACE_BYTES + 4) as ByteString,
  };
}

/** Value under C. */
export function encodeCount(count: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  writeNumber(bytes, 0, count);
  return bytes;
}

export function decodeCount(bytes: Buffer): number {
  if (bytes.length !== 8) throw damaged("a count of keys");
  return readNumber(bytes, 0);
}

/** What is true of the content in the database as a whole; its value under rootKey is JSON, for it is small and rare. */
export interface DiskRoot {
  readonly format: 1;
  readonly generation: number;
  readonly records: number;
  readonly sizeBytes: number;
  readonly sizeInUseBytes: number;
  /** Of the last record appended. */
  readonly last: RecordPlace;
  /** The state machine's own, base64. */
  readonly side: string;
}

/** In the database, where modRevision is called main. */
interface StoredRoot extends Omit<DiskRoot, "last"> {
  readonly last: { readonly main: number; readonly sub: number };
}

export function encodeRoot(root: DiskRoot): Buffer {
  const { modRevision, sub } = root.last;
  const stored: StoredRoot = { ...root, last: { main: modRevision, sub } };
  return Buffer.from(JSON.stringify(stored), "utf8");
}

/** Throws StorageFailure. */
export function decodeRoot(bytes: Buffer): DiskRoot {
  const root = parsedRoot(bytes);
  if (root.format !== undefined && root.format !== 1) {
    throw new StorageFailure(
      `the database has format ${String(root.format)}, this version reads format 1`,
      "Start the member with the version that wrote it, or a later one.",
    );
  }
  if (!isWhole(root)) throw damaged("the root entry");
  const { main, sub } = root.last;
  return { ...root, last: { modRevision: main, sub } };
}

function parsedRoot(bytes: Buffer): Partial<StoredRoot> {
  try {
    // JSON is a lone word, too, or null, of which no field can be asked.
    return Object(JSON.parse(bytes.toString("utf8"))) as Partial<StoredRoot>;
  } catch {
    throw damaged("the root entry");
  }
}

function isWhole(root: Partial<StoredRoot>): root is StoredRoot {
  const { format, generation, records, sizeBytes, sizeInUseBytes, last, side } = root;
  const figures = [generation, records, sizeBytes, sizeInUseBytes, last?.main, last?.sub];
  return format === 1 && figures.every(Number.isSafeInteger) && typeof side === "string";
}

export function damaged(what: string): StorageFailure {
  return new StorageFailure(
    `the database is damaged: ${what} cannot be read`,
    "The member stops rather than serve or spread it. Remove the member and add it anew, so that it gets the state " +
      "from the others; or restore a snapshot (metastore snapshot restore).",
  );
}
