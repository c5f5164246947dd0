import type { KeyValue as KeyValueMessage, ResponseHeader } from "../codec/index.ts";
import { toBytes, toUtf8 } from "../lib/bytes.ts";

/** A key with its value and history numbers (etcd mvccpb.KeyValue). Bytes are decoded when asked for. */
export class KeyValue {
  readonly #message: KeyValueMessage;

  constructor(message: KeyValueMessage) {
    this.#message = message;
  }

  get key(): Buffer {
    return toBytes(this.#message.key);
  }

  get value(): Buffer {
    return toBytes(this.#message.value);
  }

  /** The key as UTF-8 text. */
  keyString(): string {
    return toUtf8(this.#message.key);
  }

  /** The value as UTF-8 text. */
  string(): string {
    return toUtf8(this.#message.value);
  }

  /** The value parsed as JSON; throws SyntaxError when it is not. */
  json(): unknown {
    return JSON.parse(this.string());
  }

  /** The revision that created this key, 0 in a deletion. */
  get createRevision(): number {
    return this.#message.createRevision;
  }

  get modRevision(): number {
    return this.#message.modRevision;
  }

  /** Writes since the key was created; 0 in a deletion. */
  get version(): number {
    return this.#message.version;
  }

  /** 0n when no lease is attached. */
  get lease(): bigint {
    return this.#message.lease;
  }

  /** The wire form: byte strings, one byte per character. */
  get message(): KeyValueMessage {
    return this.#message;
  }
}

export function toKeyValue(message: KeyValueMessage | undefined): KeyValue | undefined {
  return message === undefined ? undefined : new KeyValue(message);
}

/** Who answered, and at which revision of the store. */
export type Header = Readonly<ResponseHeader>;

const absentHeader: Header = { clusterId: 0n, memberId: 0n, revision: 0, raftTerm: 0 };

/** Servers always send a header; a proxy that drops it shows as zeros. */
export function toHeader(header: ResponseHeader | undefined): Header {
  return header ?? absentHeader;
}
