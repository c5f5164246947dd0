import { staticNames, staticValues } from "../../../../../src/server/api/wire/hpack-static.ts";
import { huffmanEncode } from "../../../../../src/server/api/wire/huffman.ts";

export type Field = readonly [name: string, value: string];

/** How a field is to be written. An index is used when there is one, so that every kind of reference comes up. */
export interface Manner {
  readonly kind: "indexed" | "withIndexing" | "withoutIndexing" | "neverIndexed";
  readonly isNameIndexed: boolean;
  readonly isHuffman: boolean;
}

/** An encoder as plain as can be, which does as it is told. */
export class ReferenceEncoder {
  /** Newest first. */
  table: Field[] = [];
  bytesMax = 4_096;

  resize(bytesMax: number): Buffer {
    this.bytesMax = bytesMax;
    this.#evict();
    return integer(0x20, 5, bytesMax);
  }

  encode([name, value]: Field, manner: Manner): Buffer {
    const all = [
      ...staticNames.slice(1).map((name, i): Field => [name, staticValues[i + 1]!]),
      ...this.table,
    ];
    const index = 1 + all.findIndex((field) => field[0] === name && field[1] === value);
    if (manner.kind === "indexed" && index > 0) return integer(0x80, 7, index);

    const nameIndex = manner.isNameIndexed ? 1 + all.findIndex((field) => field[0] === name) : 0;
    const [first, bits] =
      manner.kind === "withIndexing" ? [0x40, 6] : [manner.kind === "neverIndexed" ? 0x10 : 0, 4];
    if (manner.kind === "withIndexing") {
      this.table.unshift([name, value]);
      this.#evict();
    }
    return Buffer.concat([
      integer(first, bits, nameIndex),
      nameIndex === 0 ? string(name, manner.isHuffman) : Buffer.alloc(0),
      string(value, manner.isHuffman),
    ]);
  }

  #evict(): void {
    while (this.table.reduce((sum, field) => sum + sizeOf(field), 0) > this.bytesMax) this.table.pop();
  }
}

export function sizeOf([name, value]: Field): number {
  return name.length + value.length + 32;
}

export function string(text: string, isHuffman: boolean): Buffer {
  const bytes = isHuffman ? huffmanEncode(text) : Buffer.from(text, "latin1");
  return Buffer.concat([integer(isHuffman ? 0x80 : 0, 7, bytes.length), bytes]);
}

export function integer(first: number, bits: number, value: number): Buffer {
  const mask = 2 ** bits - 1;
  if (value < mask) return Buffer.from([first | value]);
  const bytes = [first | mask];
  let rest = value - mask;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}
