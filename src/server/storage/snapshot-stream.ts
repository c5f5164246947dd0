import { assert } from "../../lib/assert.ts";
import { crc32 } from "../../lib/crc32.ts";
import { createDigest, type Digest } from "../../lib/digest.ts";
import { DecodeError } from "../../lib/errors.ts";
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
  type SnapshotFormat,
  type SnapshotHeader,
  snapshotFormat,
  snapshotFormatOf,
  snapshotHeaderBytes,
} from "./snapshot-layout.ts";

/** Largest chunk: what a reader must hold at once. */
export const snapshotChunkBytesMax = 64 * 1024 * 1024;

/** A snapshot that was read to its end and is whole. */
export interface SnapshotSummary {
  readonly sizeBytes: number;
  /** The digest at the end (snapshotFormat). */
  readonly sha256: Buffer;
}

/** A snapshot whose header has been read and checked. */
export interface SnapshotContent {
  readonly header: SnapshotHeader;
  /**
   * The chunks as they were written, each checked before it is handed out; their views stay valid. Only when the
   * iteration has ended without an error is the snapshot whole: on an error the caller drops all it has loaded.
   * Throws StorageFailure. To be iterated once, to its end or with return().
   */
  readonly chunks: AsyncGenerator<Uint8Array, void>;
  /** To be asked when `chunks` has ended. */
  summary(): SnapshotSummary;
}

/**
 * The bytes of a snapshot, in order: a file's, a backup's. Empty chunks are dropped. The pieces are of any size and
 * must not be changed; those of a chunk are the chunk itself, the last one is the digest, `format` says of what.
 * `lastChunk` makes a further chunk at the end; it is told the size of the snapshot, digest left out, if that chunk had
 * no data. Throws what `chunks` throws.
 */
export async function* encodeSnapshot(
  header: SnapshotHeader,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  format: SnapshotFormat,
  lastChunk?: (sizeBytes: number) => Uint8Array,
): AsyncGenerator<Uint8Array, void> {
  const digest = createDigest();
  let sizeBytes = 0;
  const hashed = (bytes: Uint8Array): Uint8Array => {
    digest.update(bytes);
    sizeBytes += bytes.length;
    return bytes;
  };
  async function* all(): AsyncGenerator<Uint8Array> {
    yield* chunks;
    if (lastChunk !== undefined) yield lastChunk(sizeBytes + chunkHeaderBytes + footerDigestAt);
  }
  const first = encodeSnapshotHeader(header, format);
  yield hashed(first);
  let checksum = headerChecksum(first);
  let chunkCount = 0;
  let dataBytes = 0;
  for await (const data of all()) {
    if (data.length === 0) continue;
    assert(data.length <= snapshotChunkBytesMax, `snapshot chunk of ${data.length} bytes`);
    const chunkHeader = encodeChunkHeader(data, checksum);
    checksum = chunkHeader.readUInt32LE(4);
    yield hashed(chunkHeader);
    if (format === snapshotFormat.digestOfAll) digest.update(data);
    sizeBytes += data.length;
    yield data;
    chunkCount++;
    dataBytes += data.length;
  }
  yield hashed(encodeFooter(checksum, chunkCount, dataBytes));
  yield digest.finish();
}

/**
 * Reads a snapshot from its bytes in blocks of any size; `name` is for the messages. Resolves when the header is
 * checked. Throws StorageFailure when it is damaged, and what `blocks` throws; `blocks` is returned then, and when the
 * chunks are.
 */
export async function readSnapshot(
  blocks: AsyncIterable<Uint8Array>,
  name: string,
): Promise<SnapshotContent> {
  const reader = new SnapshotReader(blocks[Symbol.asyncIterator](), name);
  try {
    const preamble = await reader.take(preambleBytes, "header");
    const rest = await reader.take(snapshotHeaderBytes(preamble, name) - preambleBytes, "header");
    const bytes = Buffer.concat([preamble, rest]);
    const header = decodeSnapshotHeader(bytes, name);
    let summary: SnapshotSummary | undefined;
    const onWhole = (sha256: Buffer): void => {
      summary = { sizeBytes: reader.position, sha256 };
    };
    return {
      header,
      chunks: readChunks(reader, name, snapshotFormatOf(preamble), headerChecksum(bytes), onWhole),
      summary() {
        assert(summary !== undefined, "the snapshot has been read to its end");
        return summary;
      },
    };
  } catch (error) {
    await reader.close();
    throw error;
  }
}

async function* readChunks(
  reader: SnapshotReader,
  name: string,
  format: SnapshotFormat,
  seed: number,
  onWhole: (sha256: Buffer) => void,
): AsyncGenerator<Uint8Array, void> {
  let checksum = seed;
  let chunkCount = 0;
  let dataBytes = 0;
  try {
    for (;;) {
      const start = reader.position;
      const head = await reader.take(chunkHeaderBytes, `chunk ${chunkCount}`);
      const size = head.readUInt32LE(0);
      if (size > snapshotChunkBytesMax) {
        throw damagedSnapshot(name, `chunk ${chunkCount} at byte ${start} claims ${size} bytes`);
      }
      const data = size === 0 ? new Uint8Array(0) : await reader.takeUnhashed(size, `chunk ${chunkCount}`);
      if (format === snapshotFormat.digestOfAll) reader.digest.update(data);
      checksum = crc32(data, crc32(head, checksum, 0, 4));
      if (head.readUInt32LE(4) !== checksum) {
        throw damagedSnapshot(
          name,
          `the checksum of chunk ${chunkCount}, bytes ${start} to ${reader.position}, does not match`,
        );
      }
      if (size === 0) break;
      chunkCount++;
      dataBytes += size;
      yield data;
    }
    onWhole(await checkFooter(reader, name, chunkCount, dataBytes));
  } finally {
    await reader.close();
  }
}

async function checkFooter(
  reader: SnapshotReader,
  name: string,
  chunkCount: number,
  dataBytes: number,
): Promise<Buffer> {
  const counts = await reader.take(footerDigestAt - chunkHeaderBytes, "footer");
  const digest = reader.digest.finish();
  const digestAt = reader.position;
  const stated = await reader.takeUnhashed(footerBytes - footerDigestAt, "footer");
  if (stated.compare(digest) !== 0) {
    throw damagedSnapshot(name, `its digest, bytes ${digestAt} to ${reader.position}, does not match`);
  }
  const footer = Buffer.concat([Buffer.alloc(chunkHeaderBytes), counts]);
  let expected: { chunkCount: number; dataBytes: number };
  try {
    expected = decodeFooterCounts(footer);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw damagedSnapshot(name, `footer: ${error.message}`, { cause: error });
  }
  if (expected.chunkCount !== chunkCount || expected.dataBytes !== dataBytes) {
    throw damagedSnapshot(
      name,
      `it has ${chunkCount} chunks of ${expected.chunkCount}, ${dataBytes} bytes of ${expected.dataBytes}`,
    );
  }
  if (!(await reader.isAtEnd()))
    throw damagedSnapshot(name, `more follows its end at byte ${reader.position}`);
  return stated;
}

/** Reads blocks forward, digests what it hands out, and knows where it is. */
class SnapshotReader {
  readonly digest: Digest = createDigest();
  /** Bytes handed out. */
  position = 0;
  readonly #blocks: AsyncIterator<Uint8Array>;
  readonly #name: string;
  #block: Buffer = Buffer.alloc(0);

  constructor(blocks: AsyncIterator<Uint8Array>, name: string) {
    this.#blocks = blocks;
    this.#name = name;
  }

  /** The next bytes as a view; throws StorageFailure when there are fewer. `what` is for the message. */
  async take(bytes: number, what: string): Promise<Buffer> {
    const taken = await this.takeUnhashed(bytes, what);
    this.digest.update(taken);
    return taken;
  }

  async takeUnhashed(bytes: number, what: string): Promise<Buffer> {
    if (bytes > this.#block.length) await this.#fill(bytes, what);
    const taken = this.#block.subarray(0, bytes);
    this.#block = this.#block.subarray(bytes);
    this.position += bytes;
    return taken;
  }

  async isAtEnd(): Promise<boolean> {
    if (this.#block.length > 0) return false;
    const next = await this.#blocks.next();
    return next.done === true;
  }

  async close(): Promise<void> {
    await this.#blocks.return?.();
  }

  /** What a size field claims is not allocated before it has arrived. */
  async #fill(bytes: number, what: string): Promise<void> {
    const gathered: Uint8Array[] = [this.#block];
    let gatheredBytes = this.#block.length;
    while (gatheredBytes < bytes) {
      const next = await this.#blocks.next();
      if (next.done === true) {
        throw damagedSnapshot(
          this.#name,
          `it ends in its ${what}, at byte ${this.position + gatheredBytes}: ${bytes} bytes wanted, ${gatheredBytes} left`,
        );
      }
      gathered.push(next.value);
      gatheredBytes += next.value.length;
    }
    this.#block = Buffer.concat(gathered, gatheredBytes);
  }
}
