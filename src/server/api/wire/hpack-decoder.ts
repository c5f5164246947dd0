import { assert } from "../../../lib/assert.ts";
import { BlockCache } from "./block-cache.ts";
import { DynamicTable, NO_SLOT } from "./dynamic-table.ts";
import { HpackError } from "./hpack-error.ts";
import { ENTRY_OVERHEAD_BYTES, STATIC_COUNT, staticNames, staticValues } from "./hpack-static.ts";
import { huffmanDecode, huffmanDecodedLength } from "./huffman.ts";
import { latin1Of } from "./latin1.ts";

/** What every table begins with, whatever the settings say (RFC 9113 section 6.5.2). */
const TABLE_BYTES_INITIAL = 4_096;
const TABLE_SIZE_UPDATES_MAX = 2;
const INTEGER_MAX = 2 ** 31 - 1;
/** Bytes of an integer after the one that it begins in. */
const INTEGER_BYTES_MAX = 5;

/** The first bits of a field tell its kind, and the rest of the byte begins an integer (RFC 7541 section 6). */
const INDEXED = 0x80;
const INDEXED_MASK = 0x7f;
const WITH_INDEXING = 0x40;
const WITH_INDEXING_MASK = 0x3f;
const TABLE_SIZE_UPDATE = 0x20;
const TABLE_SIZE_UPDATE_MASK = 0x1f;
const NEVER_INDEXED = 0x10;
const WITHOUT_INDEXING_MASK = 0xf;
const HUFFMAN = 0x80;
const STRING_LENGTH_MASK = 0x7f;

const noFields: string[] = [];
const staticSizes = Uint8Array.from(
  staticNames,
  (name, index) => name.length + staticValues[index]!.length + ENTRY_OVERHEAD_BYTES,
);

/** One decoded header list. The same bytes can give the same list again: it is shared by all calls that sent them. */
export class HeaderList {
  /** Names and values alternating, in the order of the wire: latin1 strings, a character for each byte. */
  readonly fields: readonly string[];
  /** Size by RFC 9113 section 6.5.2 (name, value and 32 bytes for each field), of all fields that were sent. */
  readonly sizeBytes: number;
  /** It has more bytes or fields than the decoder takes: `fields` is empty, and only the table was kept in step. */
  readonly isTooLarge: boolean;
  /** The caller's own form of the list, so that a list that comes again need not be read again. */
  parsed: unknown = undefined;

  constructor(fields: readonly string[], sizeBytes: number, isTooLarge: boolean) {
    this.fields = fields;
    this.sizeBytes = sizeBytes;
    this.isTooLarge = isTooLarge;
  }
}

export interface HpackDecoderOptions {
  /** The SETTINGS_HEADER_TABLE_SIZE that the peer is told. */
  readonly tableBytesMax: number;
  /** Largest list, by RFC 9113 section 6.5.2. */
  readonly listBytesMax: number;
  readonly fieldsMax: number;
}

/** Decodes the header blocks of one connection in one direction, in the order of their arrival (RFC 7541). */
export class HpackDecoder {
  readonly #tableBytesMax: number;
  readonly #listBytesMax: number;
  readonly #entriesMax: number;
  readonly #table: DynamicTable;
  readonly #cache = new BlockCache<HeaderList>();

  // The block that is being decoded.
  #position = 0;
  #fields = noFields;
  #sizeBytes = 0;
  /** Some field was not added. None will be from then on, as sizes and counts only grow. */
  #isTooLarge = false;
  /** Length of the last string, of which the text may not have been asked for. */
  #stringBytes = 0;

  constructor(options: HpackDecoderOptions) {
    this.#tableBytesMax = options.tableBytesMax;
    this.#listBytesMax = options.listBytesMax;
    this.#entriesMax = options.fieldsMax * 2;
    // Until the peer has read our settings it uses the initial size, and a larger one it has to announce.
    this.#table = new DynamicTable(Math.max(options.tableBytesMax, TABLE_BYTES_INITIAL), TABLE_BYTES_INITIAL);
  }

  /**
   * Decodes one whole header block. Throws HpackError, and then the connection has to end: the decoder is of no more
   * use. The buffer is not kept.
   */
  decode(source: Buffer, start: number, end: number): HeaderList {
    const known = this.#cache.find(source, start, end);
    if (known !== undefined) return known;

    assert(start >= 0 && start <= end && end <= source.length, "a header block lies within its buffer");
    this.#position = start;
    this.#fields = [];
    this.#sizeBytes = 0;
    this.#isTooLarge = false;
    const isStable = this.#updateTableSize(source, end);
    const isRepeatable = this.#decodeFields(source, end) && isStable;
    const list = new HeaderList(
      this.#isTooLarge ? noFields : this.#fields,
      this.#sizeBytes,
      this.#isTooLarge,
    );
    this.#fields = noFields;
    if (isRepeatable) this.#cache.add(source, start, end, list);
    return list;
  }

  /** Whether there was no update. */
  #updateTableSize(source: Buffer, end: number): boolean {
    let count = 0;
    while (this.#position < end && source[this.#position]! >>> 5 === TABLE_SIZE_UPDATE >>> 5) {
      if (++count > TABLE_SIZE_UPDATES_MAX) throw new HpackError("more than two table sizes in a block");
      const bytesMax = this.#integer(source, end, TABLE_SIZE_UPDATE_MASK);
      if (bytesMax > this.#tableBytesMax)
        throw new HpackError(`a table of ${bytesMax} bytes was not offered`);
      this.#table.resize(bytesMax);
      this.#cache.clear();
    }
    return count === 0;
  }

  /** Whether the same bytes would mean the same again, and may be kept. */
  #decodeFields(source: Buffer, end: number): boolean {
    let isRepeatable = true;
    while (this.#position < end) {
      const first = source[this.#position]!;
      if (first >= INDEXED) {
        this.#addIndexed(source, end);
      } else if (first >= WITH_INDEXING) {
        this.#addLiteral(source, end, WITH_INDEXING_MASK, true);
        isRepeatable = false;
      } else if (first >= TABLE_SIZE_UPDATE) {
        throw new HpackError("a table size after a field");
      } else {
        this.#addLiteral(source, end, WITHOUT_INDEXING_MASK, false);
        // The peer asks for care: it may be a secret, of which no copy should stay.
        if (first >= NEVER_INDEXED) isRepeatable = false;
      }
    }
    return isRepeatable;
  }

  /**
   * The indexed fields up to the next of another kind. In local variables, as this is most of all decoding, and as a
   * field of kilobytes costs the peer a byte: it must not cost more here than adding up its size.
   */
  #addIndexed(source: Buffer, end: number): void {
    const fields = this.#fields;
    const table = this.#table;
    const listBytesMax = this.#listBytesMax;
    const entriesMax = this.#entriesMax;
    let sizeBytes = this.#sizeBytes;
    let at = this.#position;
    while (at < end) {
      let index = source[at]! - INDEXED;
      if (index < 0) break;
      at++;
      if (index === INDEXED_MASK) {
        this.#position = at;
        index = this.#longInteger(source, end, INDEXED_MASK);
        at = this.#position;
      }
      if (index > STATIC_COUNT) {
        const slot = table.slotOf(index - STATIC_COUNT - 1);
        if (slot === NO_SLOT) throw new HpackError(`the index ${index} is beyond the table`);
        sizeBytes += table.sizeAt(slot);
        if (sizeBytes > listBytesMax || fields.length >= entriesMax) this.#isTooLarge = true;
        else fields.push(table.nameAt(slot), table.valueAt(slot));
      } else {
        if (index === 0) throw new HpackError("a field of index 0");
        sizeBytes += staticSizes[index]!;
        if (sizeBytes > listBytesMax || fields.length >= entriesMax) this.#isTooLarge = true;
        else fields.push(staticNames[index]!, staticValues[index]!);
      }
    }
    this.#sizeBytes = sizeBytes;
    this.#position = at;
  }

  #addLiteral(source: Buffer, end: number, indexMask: number, isIndexed: boolean): void {
    const index = this.#integer(source, end, indexMask);
    const isNeeded = isIndexed || !this.#isTooLarge;
    const name = index === 0 ? this.#string(source, end, isNeeded) : this.#nameOf(index);
    const nameBytes = index === 0 ? this.#stringBytes : name.length;
    const value = this.#string(source, end, isNeeded);
    this.#sizeBytes += nameBytes + this.#stringBytes + ENTRY_OVERHEAD_BYTES;
    if (this.#sizeBytes > this.#listBytesMax || this.#fields.length >= this.#entriesMax)
      this.#isTooLarge = true;
    else this.#fields.push(name, value);
    if (!isIndexed) return;
    this.#table.insert(name, value);
    this.#cache.clear();
  }

  #nameOf(index: number): string {
    if (index <= STATIC_COUNT) return staticNames[index]!;
    const slot = this.#table.slotOf(index - STATIC_COUNT - 1);
    if (slot === NO_SLOT) throw new HpackError(`the index ${index} is beyond the table`);
    return this.#table.nameAt(slot);
  }

  /** The next string, or "" when only its length is needed. */
  #string(source: Buffer, end: number, isNeeded: boolean): string {
    if (this.#position >= end) throw new HpackError("the block ends before a string");
    const isHuffman = source[this.#position]! >= HUFFMAN;
    const length = this.#integer(source, end, STRING_LENGTH_MASK);
    const start = this.#position;
    if (length > end - start) throw new HpackError("the block ends inside a string");
    this.#position = start + length;
    if (!isNeeded) {
      this.#stringBytes = isHuffman ? huffmanDecodedLength(source, start, this.#position) : length;
      return "";
    }
    const text = isHuffman
      ? huffmanDecode(source, start, this.#position)
      : latin1Of(source, start, this.#position);
    this.#stringBytes = text.length;
    return text;
  }

  /** An integer that begins in the low bits of the next byte, which is there (RFC 7541 section 5.1). */
  #integer(source: Buffer, end: number, mask: number): number {
    const prefix = source[this.#position++]! & mask;
    return prefix < mask ? prefix : this.#longInteger(source, end, mask);
  }

  #longInteger(source: Buffer, end: number, mask: number): number {
    let value = mask;
    let factor = 1;
    for (let count = 0; count < INTEGER_BYTES_MAX; count++) {
      if (this.#position >= end) throw new HpackError("the block ends inside an integer");
      const byte = source[this.#position++]!;
      value += (byte & 0x7f) * factor;
      if (value > INTEGER_MAX) throw new HpackError("an integer is too large");
      if (byte < 0x80) return value;
      factor *= 128;
    }
    throw new HpackError("an integer is too long");
  }
}
