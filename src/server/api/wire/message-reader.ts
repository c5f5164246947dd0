import { readUint32 } from "./frames.ts";
import { MESSAGE_PREFIX_BYTES } from "./sender.ts";

const BUFFER_BYTES_MIN = 256;

/** What becomes of the messages of one call. */
export interface MessageSink {
  takeMessage(message: Buffer, isCompressed: boolean): void;
  /** A message declares `bytes`, which are too many; nothing more is read. */
  refuseOversized(bytes: number): void;
  /** So many bytes more (or less) are kept for messages that are not whole. False: there are too many. */
  keepBytes(bytes: number): boolean;
}

/**
 * Cuts the body of a call into gRPC messages. Messages that are whole within a DATA frame are views of it; others are
 * put together in a buffer that grows with what has arrived, not with what was declared.
 */
export class MessageReader {
  isPaused = false;
  readonly #sink: MessageSink;
  readonly #messageBytesMax: number;
  #own: Buffer | undefined;
  #ownStart = 0;
  #ownEnd = 0;
  /** Prefix and message that the kept bytes begin with, where the prefix is known. */
  #wantedBytes = 0;
  #isCutting = false;
  #isStopped = false;

  constructor(sink: MessageSink, messageBytesMax: number) {
    this.#sink = sink;
    this.#messageBytesMax = messageBytesMax;
  }

  /** Bytes of a message that is not whole, or that a pause holds back. */
  get waitingBytes(): number {
    return this.#ownEnd - this.#ownStart;
  }

  push(source: Buffer, start: number, end: number): void {
    const at = this.#own === undefined && !this.#isCutting ? this.#cut(source, start, end) : start;
    if (at === end || this.#isStopped) return;
    this.#append(source, at, end);
    this.#cutOwn();
  }

  resume(): void {
    this.isPaused = false;
    this.#cutOwn();
  }

  /** Nothing more is delivered, nothing is kept. */
  stop(): void {
    this.#isStopped = true;
    this.#replaceOwn(undefined);
    this.#ownStart = 0;
    this.#ownEnd = 0;
  }

  #cutOwn(): void {
    if (this.#isCutting) return;
    while (this.#own !== undefined && !this.isPaused && !this.#isStopped) {
      const own: Buffer = this.#own;
      const before = this.#ownStart;
      const at = this.#cut(own, before, this.#ownEnd);
      if (this.#isStopped) return;
      this.#ownStart = at;
      if (at === this.#ownEnd) {
        this.#replaceOwn(undefined);
        this.#ownStart = 0;
        this.#ownEnd = 0;
      }
      if (at === before) return;
    }
  }

  /** Delivers what is whole in source[start, end); returns where the rest begins. */
  #cut(source: Buffer, start: number, end: number): number {
    let at = start;
    this.#isCutting = true;
    this.#wantedBytes = 0;
    while (!this.isPaused && !this.#isStopped && end - at >= MESSAGE_PREFIX_BYTES) {
      const length = readUint32(source, at + 1);
      if (length > this.#messageBytesMax) {
        this.stop();
        this.#sink.refuseOversized(length);
        break;
      }
      const next = at + MESSAGE_PREFIX_BYTES + length;
      if (next > end) {
        this.#wantedBytes = next - at;
        break;
      }
      const isCompressed = source[at] === 1;
      const message = source.subarray(at + MESSAGE_PREFIX_BYTES, next);
      at = next;
      this.#sink.takeMessage(message, isCompressed);
    }
    this.#isCutting = false;
    return at;
  }

  /** Messages are views of the buffer: what was delivered from it is never written over. */
  #append(source: Buffer, start: number, end: number): void {
    const added = end - start;
    const own = this.#own;
    if (own === undefined || own.length - this.#ownEnd < added) {
      const waiting = this.waitingBytes;
      const needed = waiting + added;
      const doubled = 2 * waiting;
      const bytes = Math.max(needed, Math.min(doubled, this.#wantedBytes), BUFFER_BYTES_MIN);
      const grown = Buffer.allocUnsafeSlow(bytes);
      own?.copy(grown, 0, this.#ownStart, this.#ownEnd);
      if (!this.#replaceOwn(grown)) {
        this.stop();
        this.#sink.refuseOversized(needed);
        return;
      }
      this.#ownStart = 0;
      this.#ownEnd = waiting;
    }
    this.#ownEnd += source.copy(this.#own as Buffer, this.#ownEnd, start, end);
  }

  #replaceOwn(buffer: Buffer | undefined): boolean {
    const change = (buffer?.length ?? 0) - (this.#own?.length ?? 0);
    this.#own = buffer;
    return this.#sink.keepBytes(change);
  }
}
