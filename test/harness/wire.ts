/**
 * A protobuf reader and writer of the tests' own, so that a fault in the server's codec cannot hide itself.
 * Integers are numbers; the tests use none beyond 2^53, and lease ids of their own choice.
 */
export class Message {
  readonly #parts: Buffer[] = [];

  bytes(field: number, value: string | Buffer): this {
    const data = typeof value === "string" ? Buffer.from(value) : value;
    if (data.length > 0) this.#parts.push(varint(field * 8 + 2), varint(data.length), data);
    return this;
  }

  integer(field: number, value: number): this {
    if (value !== 0) this.#parts.push(varint(field * 8), varint(value));
    return this;
  }

  /** A nested message; written even when it is empty. */
  nested(field: number, value: Message): this {
    const data = value.encode();
    this.#parts.push(varint(field * 8 + 2), varint(data.length), data);
    return this;
  }

  encode(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

function varint(value: number): Buffer {
  const out: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest % 0x80) + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  out.push(rest);
  return Buffer.from(out);
}

/** The fields of a message, in order: integers as numbers, everything with a length as bytes. */
export function* fieldsOf(message: Buffer): Generator<{ field: number; integer: number; bytes: Buffer }> {
  const none = Buffer.alloc(0);
  let at = 0;
  const next = (): number => {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = message[at++];
      if (byte === undefined) throw new Error("the message ends inside an integer");
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
  };
  while (at < message.length) {
    const tag = next();
    const field = Math.floor(tag / 8);
    const type = tag % 8;
    if (type === 0) {
      yield { field, integer: next(), bytes: none };
    } else if (type === 2) {
      const length = next();
      yield { field, integer: 0, bytes: message.subarray(at, at + length) };
      at += length;
    } else {
      throw new Error(`unexpected wire type ${type} of field ${field}`);
    }
  }
}

export interface WireKeyValue {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly lease: number;
}

export function decodeKeyValue(message: Buffer): WireKeyValue {
  let [key, value, createRevision, modRevision, lease] = ["", "", 0, 0, 0];
  for (const { field, integer, bytes } of fieldsOf(message)) {
    if (field === 1) key = bytes.toString();
    else if (field === 2) createRevision = integer;
    else if (field === 3) modRevision = integer;
    else if (field === 5) value = bytes.toString();
    else if (field === 6) lease = integer;
  }
  return { key, value, createRevision, modRevision, lease };
}

/** Field 3 of ResponseHeader. */
export function revisionOf(header: Buffer): number {
  for (const { field, integer } of fieldsOf(header)) if (field === 3) return integer;
  return 0;
}
