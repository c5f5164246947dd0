import { dirname } from "node:path";
import { assert } from "../../lib/assert.ts";
import { crc32c } from "../../lib/crc32c.ts";
import { createDigest, type Digest } from "../../lib/digest.ts";
import { DecodeError } from "../../lib/errors.ts";
import { writeFully } from "../../lib/file-operations.ts";
import type { Fs, FsFile } from "../../lib/fs.ts";
import {
  chunkHeaderBytes,
  damagedSnapshot,
  decodeFooterCounts,
  decodeSnapshotHeader,
  encodeChunkHeader,
  encodeFooter,
  encodeSnapshotHeader,
  footerBytes,
  footerDigestAt,
  headerChecksum,
  preambleBytes,
  type SnapshotHeader,
  snapshotHeaderBytes,
} from "./snapshot-layout.ts";

/** Chunks gather up to this size before they are written. */
const WRITE_BYTES = 1 << 20;
const READ_BYTES = 1 << 20;
/** Largest chunk: what a reader must hold at once. */
export const snapshotChunkBytesMax = 64 * 1024 * 1024;

/** A snapshot whose header has been read and checked. */
export interface SnapshotContent {
  readonly header: SnapshotHeader;
  /**
   * The chunks as they were written, each checked before it is handed out; their views stay valid. Only when the
   * iteration has ended without an error is the snapshot whole: on an error the caller drops all it has loaded.
   * Throws StorageFailure. To be iterated once, to its end or with return().
   */
  readonly chunks: AsyncGenerator<Uint8Array, void>;
}

/**
 * Writes a snapshot to `path`, durably and whole or not at all: temporary name, sync, rename, directory sync.
 * Resolves with its size in bytes. Empty chunks are dropped. Rejects with what the file system or `chunks` throws.
 */
export async function writeSnapshotFile(
  fs: Fs,
  path: string,
  header: SnapshotHeader,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<number> {
  const draft = `${path}.tmp`;
  await fs.removeTree(draft);
  const file = await fs.open(draft, { access: "create" });
  let sizeBytes: number;
  try {
    sizeBytes = await writeContent(file, header, chunks);
    await file.sync();
  } finally {
    await file.close();
  }
  await fs.rename(draft, path);
  await fs.syncDirectory(dirname(path));
  return sizeBytes;
}

/** Reads the header; throws StorageFailure when it is damaged, and what the file system rejects with. */
export async function openSnapshotFile(fs: Fs, path: string): Promise<SnapshotContent> {
  const file = await fs.open(path, { access: "read" });
  try {
    const reader = new SnapshotReader(file, await file.size(), path);
    const preamble = await reader.take(preambleBytes, "header");
    const rest = await reader.take(snapshotHeaderBytes(preamble, path) - preambleBytes, "header");
    const bytes = Buffer.concat([preamble, rest]);
    const header = decodeSnapshotHeader(bytes, path);
    return { header, chunks: readChunks(reader, file, path, headerChecksum(bytes)) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function writeContent(
  file: FsFile,
  header: SnapshotHeader,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<number> {
  const digest = createDigest();
  let buffers: Uint8Array[] = [];
  let gathered = 0;
  let position = 0;
  const add = (bytes: Uint8Array): void => {
    buffers.push(bytes);
    gathered += bytes.length;
  };
  const flush = async (): Promise<void> => {
    for (const buffer of buffers) digest.update(buffer);
    await writeFully(file, buffers, position);
    position += gathered;
    buffers = [];
    gathered = 0;
  };
  const first = encodeSnapshotHeader(header);
  add(first);
  let checksum = headerChecksum(first);
  let chunkCount = 0;
  let dataBytes = 0;
  for await (const data of chunks) {
    if (data.length === 0) continue;
    assert(data.length <= snapshotChunkBytesMax, `snapshot chunk of ${data.length} bytes`);
    const chunkHeader = encodeChunkHeader(data, checksum);
    checksum = chunkHeader.readUInt32LE(4);
    add(chunkHeader);
    add(data);
    chunkCount++;
    dataBytes += data.length;
    if (gathered >= WRITE_BYTES) await flush();
  }
  add(encodeFooter(checksum, chunkCount, dataBytes));
  await flush();
  await writeFully(file, [digest.finish()], position);
  return position + footerBytes - footerDigestAt;
}

async function* readChunks(
  reader: SnapshotReader,
  file: FsFile,
  path: string,
  seed: number,
): AsyncGenerator<Uint8Array, void> {
  let checksum = seed;
  let chunkCount = 0;
  let dataBytes = 0;
  try {
    for (;;) {
      const head = await reader.take(chunkHeaderBytes, `chunk ${chunkCount}`);
      const size = head.readUInt32LE(0);
      if (size > snapshotChunkBytesMax) {
        throw damagedSnapshot(path, `chunk ${chunkCount} claims ${size} bytes`);
      }
      const data = size === 0 ? new Uint8Array(0) : await reader.take(size, `chunk ${chunkCount}`);
      checksum = crc32c(data, crc32c(head, checksum, 0, 4));
      if (head.readUInt32LE(4) !== checksum) {
        throw damagedSnapshot(path, `the checksum of chunk ${chunkCount} does not match`);
      }
      if (size === 0) break;
      chunkCount++;
      dataBytes += size;
      yield data;
    }
    await checkFooter(reader, path, chunkCount, dataBytes);
  } finally {
    await file.close();
  }
}

async function checkFooter(
  reader: SnapshotReader,
  path: string,
  chunkCount: number,
  dataBytes: number,
): Promise<void> {
  const counts = await reader.take(footerDigestAt - chunkHeaderBytes, "footer");
  const digest = reader.digest.finish();
  const stated = await reader.takeUnhashed(footerBytes - footerDigestAt, "footer");
  if (stated.compare(digest) !== 0) throw damagedSnapshot(path, "its digest does not match");
  const footer = Buffer.concat([Buffer.alloc(chunkHeaderBytes), counts]);
  let expected: { chunkCount: number; dataBytes: number };
  try {
    expected = decodeFooterCounts(footer);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw damagedSnapshot(path, `footer: ${error.message}`, { cause: error });
  }
  if (expected.chunkCount !== chunkCount || expected.dataBytes !== dataBytes) {
    throw damagedSnapshot(
      path,
      `it has ${chunkCount} chunks of ${expected.chunkCount}, ${dataBytes} bytes of ${expected.dataBytes}`,
    );
  }
  if (reader.remainingBytes > 0) throw damagedSnapshot(path, `${reader.remainingBytes} bytes follow its end`);
}

/** Reads a file forward in blocks and digests what it hands out. */
class SnapshotReader {
  readonly digest: Digest = createDigest();
  readonly #file: FsFile;
  readonly #path: string;
  #unreadBytes: number;
  #position = 0;
  #block: Buffer = Buffer.alloc(0);

  constructor(file: FsFile, sizeBytes: number, path: string) {
    this.#file = file;
    this.#path = path;
    this.#unreadBytes = sizeBytes;
  }

  get remainingBytes(): number {
    return this.#block.length + this.#unreadBytes;
  }

  /** The next bytes as a view; throws StorageFailure when the file has fewer. `what` is for the message. */
  async take(bytes: number, what: string): Promise<Buffer> {
    const taken = await this.takeUnhashed(bytes, what);
    this.digest.update(taken);
    return taken;
  }

  async takeUnhashed(bytes: number, what: string): Promise<Buffer> {
    if (bytes > this.#block.length) await this.#fill(bytes, what);
    const taken = this.#block.subarray(0, bytes);
    this.#block = this.#block.subarray(bytes);
    return taken;
  }

  async #fill(bytes: number, what: string): Promise<void> {
    if (bytes > this.remainingBytes) {
      throw damagedSnapshot(
        this.#path,
        `it ends in its ${what}: ${bytes} bytes wanted, ${this.remainingBytes} left`,
      );
    }
    const wanted = Math.min(Math.max(bytes - this.#block.length, READ_BYTES), this.#unreadBytes);
    const grown = Buffer.allocUnsafeSlow(this.#block.length + wanted);
    this.#block.copy(grown);
    const count = await this.#file.read(grown.subarray(this.#block.length), this.#position);
    if (count < wanted) throw damagedSnapshot(this.#path, `it ends ${wanted - count} bytes before its size`);
    this.#position += wanted;
    this.#unreadBytes -= wanted;
    this.#block = grown;
  }
}
