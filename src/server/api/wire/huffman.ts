import { HpackError } from "./hpack-error.ts";
import { latin1Of } from "./latin1.ts";

/**
 * RFC 7541 appendix B: how many bits the code of each symbol has, a digit of base 36 for each of the 256 bytes and
 * for EOS. That says all: the code is canonical, codes of one length follow each other in the order of the symbols,
 * and shorter ones come first.
 */
const lengths = Uint8Array.from(
  "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6cad67777777777777777777777878djde6" +
    "f56565666577666567655677777fbedskmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn" +
    "qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrqu",
  (digit) => Number.parseInt(digit, 36),
);
const EOS = 256;

const codes = codesOf(lengths);

/** Longest padding, of the first bits of EOS: ones. */
const PADDING_BITS_MAX = 7;
/** No code is shorter than this. */
const CODE_BITS_MIN = 5;

/**
 * The decoder as a state machine that takes half a byte at a time. A state is a node of the code's tree, and a step
 * is found at `state << 4 | half byte`: the next state in the low byte, EMITS if a symbol has ended within, and that
 * symbol above. EOS has ended: REFUSED. (Whole bytes would be a third faster when nothing else needs the caches, but
 * 256 KiB of table are no neighbour.)
 */
const EMITS = 0x100;
const SYMBOL_SHIFT = 9;
const REFUSED = -1;
const { steps, isEnd } = createMachine();

/** Holds what is being decoded, unless it is longer. */
const scratch = Buffer.alloc(4_096);

/** The text that `source` from `start` to `end` encodes, one character for each byte. */
export function huffmanDecode(source: Buffer, start: number, end: number): string {
  const lengthMax = lengthMaxOf(start, end);
  const target = lengthMax <= scratch.length ? scratch : Buffer.allocUnsafe(lengthMax);
  return latin1Of(target, 0, decodeInto(target, source, start, end));
}

/** The length of that text, which is checked but not made. */
export function huffmanDecodedLength(source: Buffer, start: number, end: number): number {
  const lengthMax = lengthMaxOf(start, end);
  const target = lengthMax <= scratch.length ? scratch : Buffer.allocUnsafe(lengthMax);
  return decodeInto(target, source, start, end);
}

/** Encodes a text of characters up to U+00FF. Not made for speed. */
export function huffmanEncode(text: string): Buffer {
  const bytes: number[] = [];
  let byte = 0;
  let bits = 0;
  const put = (bit: number): void => {
    byte = (byte << 1) | bit;
    if (++bits < 8) return;
    bytes.push(byte);
    byte = 0;
    bits = 0;
  };
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i) & 0xff;
    for (let shift = lengths[symbol]! - 1; shift >= 0; shift--) put((codes[symbol]! >>> shift) & 1);
  }
  while (bits > 0) put(1);
  return Buffer.from(bytes);
}

function lengthMaxOf(start: number, end: number): number {
  return Math.floor(((end - start) * 8) / CODE_BITS_MIN);
}

function decodeInto(target: Buffer, source: Buffer, start: number, end: number): number {
  let length = 0;
  let state = 0;
  for (let at = start; at < end; at++) {
    const byte = source[at]!;
    const high = steps[(state << 4) | (byte >>> 4)]!;
    if (high < 0) throw new HpackError("EOS in a Huffman code");
    if ((high & EMITS) !== 0) target[length++] = high >>> SYMBOL_SHIFT;
    const low = steps[((high & 0xff) << 4) | (byte & 0xf)]!;
    if (low < 0) throw new HpackError("EOS in a Huffman code");
    if ((low & EMITS) !== 0) target[length++] = low >>> SYMBOL_SHIFT;
    state = low & 0xff;
  }
  if (isEnd[state] === 0) throw new HpackError("a Huffman code does not end with ones, up to seven");
  return length;
}

function codesOf(lengths: Uint8Array): Uint32Array {
  const codes = new Uint32Array(lengths.length);
  const order = [...lengths.keys()].sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  let code = 0;
  let length = 0;
  for (const symbol of order) {
    code <<= lengths[symbol]! - length;
    length = lengths[symbol]!;
    codes[symbol] = code++;
  }
  return codes;
}

/** Node 0 is the root. A complete code of 257 symbols has 256 nodes inside, so that a state fits a byte. */
function createMachine(): { readonly steps: Int32Array; readonly isEnd: Uint8Array } {
  const nodeCount = lengths.length - 1;
  // Of each node the two below it: a node, or -1 - symbol.
  const below = new Int16Array(nodeCount * 2);
  let count = 1;
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    let node = 0;
    for (let shift = lengths[symbol]! - 1; shift > 0; shift--) {
      const at = node * 2 + ((codes[symbol]! >>> shift) & 1);
      if (below[at] === 0) below[at] = count++;
      node = below[at]!;
    }
    below[node * 2 + (codes[symbol]! & 1)] = -1 - symbol;
  }

  const steps = new Int32Array(nodeCount << 4);
  for (let at = 0; at < steps.length; at++) {
    let node = at >>> 4;
    let emitted = 0;
    for (let shift = 3; shift >= 0 && node !== REFUSED; shift--) {
      const next = below[node * 2 + ((at >>> shift) & 1)]!;
      if (next >= 0) node = next;
      else if (next === -1 - EOS) node = REFUSED;
      else {
        emitted = EMITS | ((-1 - next) << SYMBOL_SHIFT);
        node = 0;
      }
    }
    steps[at] = node === REFUSED ? REFUSED : node | emitted;
  }

  const isEnd = new Uint8Array(nodeCount);
  for (let node = 0, bits = 0; bits <= PADDING_BITS_MAX; bits++, node = below[node * 2 + 1]!) isEnd[node] = 1;
  return { steps, isEnd };
}
