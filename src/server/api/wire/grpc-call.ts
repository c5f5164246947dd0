import { promisify } from "node:util";
import { gunzip, inflate } from "node:zlib";
import { AssertionError } from "../../../lib/assert.ts";
import type { Timer } from "../../../lib/clock.ts";
import { type GrpcCode, grpcCode } from "../../../lib/errors.ts";
import { type CallStatus, toStatus } from "../status.ts";
import type { CallContext, TransportOptions } from "../transport.ts";
import { deadlineExceeded, oversized, trailersOf, trailersOnly, unexpectedEnd } from "./grpc-status.ts";
import { timeoutMsOf } from "./grpc-timeout.ts";
import { MessageReader, type MessageSink } from "./message-reader.ts";
import type { RequestHead } from "./request-head.ts";
import { MESSAGE_PREFIX_BYTES, usual } from "./sender.ts";
import { type StreamHost, WireStream } from "./wire-stream.ts";

const openers = { gzip: promisify(gunzip), deflate: promisify(inflate) } as const;

/**
 * One gRPC call: stream of the connection, context for its handler, sink of its messages, all in one object, since a
 * call is made for every request.
 */
export abstract class GrpcCall extends WireStream implements CallContext, MessageSink {
  readonly path: string;
  timeoutMs: number | undefined;
  isCancelled = false;

  protected readonly options: TransportOptions;
  /** A status was sent, or never will be. */
  protected isFinished = false;
  readonly #head: RequestHead;
  readonly #startedAtMs: number;
  #hasSentHeaders = false;
  #isEndedByHandler = false;
  #deadline: Timer | undefined;
  #cancelListeners: (() => void)[] | undefined;
  #reader: MessageReader | undefined;
  #isPausedByHandler = false;
  #isInflating = false;
  #isWaitingForPeer = false;
  #isHalfClosed = false;
  /** Nothing that still comes matters. */
  #isReadOut = false;
  /** Bytes of DATA that a pause holds back: the peer has no credit for them yet. */
  #heldBytes = 0;

  constructor(host: StreamHost, id: number, head: RequestHead, options: TransportOptions) {
    super(host, id, head.declaredBytes);
    this.#head = head;
    this.path = head.path;
    this.options = options;
    this.#startedAtMs = options.observer === undefined ? 0 : options.clock.nowMs();
  }

  get metadata(): ReadonlyMap<string, string> {
    return this.#head.metadata;
  }

  get peer(): string {
    return this.host.peer;
  }

  onCancel(fn: () => void): void {
    if (this.isCancelled) fn();
    else if (this.#cancelListeners === undefined) this.#cancelListeners = [fn];
    else this.#cancelListeners.push(fn);
  }

  override begin(): void {
    this.options.observer?.started(this.path, this.#head.metadata);
    const { timeout } = this.#head;
    if (timeout !== undefined) {
      const timeoutMs = timeoutMsOf(timeout);
      if (timeoutMs === "malformed") {
        this.endByTransport({ code: grpcCode.internal, text: `Invalid grpc-timeout value "${timeout}"` });
        return;
      }
      this.timeoutMs = timeoutMs;
      if (timeoutMs !== undefined)
        this.#deadline = this.options.clock.after(timeoutMs, () => this.endByTransport(deadlineExceeded));
    }
    this.start();
  }

  override onData(source: Buffer, start: number, end: number, frameBytes: number): void {
    if (this.isFinished || this.#isReadOut) {
      this.host.consumed(this, frameBytes);
      return;
    }
    if (this.host.isChoked && !this.#isWaitingForPeer) this.#waitForPeer();
    if (this.#reader === undefined && isOneMessage(source, start, end, this.options.messageBytesMax)) {
      this.#credit(frameBytes);
      this.takeMessage(source.subarray(start + MESSAGE_PREFIX_BYTES, end), false);
      return;
    }
    this.#reader ??= this.#makeReader();
    this.#reader.push(source, start, end);
    this.#credit(frameBytes);
  }

  override onRemoteEnd(): void {
    this.#isHalfClosed = true;
    this.#halfClose();
  }

  override onGone(): void {
    this.#deadline?.cancel();
    this.#reader?.stop();
    if (!this.isFinished) {
      this.isFinished = true;
      this.#observe(grpcCode.canceled);
    }
    // The connection goes on without it: what a pause held back is out of the way.
    if (this.#heldBytes > 0) this.#credit(0);
    this.#cancel();
  }

  override peerHasTaken(): void {
    this.#isWaitingForPeer = false;
    this.#setPause();
  }

  takeMessage(message: Buffer, isCompressed: boolean): void {
    if (this.isFinished) return;
    if (isCompressed) void this.#inflate(message);
    else this.#deliver(message);
  }

  refuseOversized(bytes: number): void {
    this.endByTransport(oversized(bytes, this.options.messageBytesMax));
  }

  keepBytes(bytes: number): boolean {
    return this.host.keep(bytes);
  }

  /** The call has begun. */
  protected abstract start(): void;
  protected abstract receive(message: Buffer): void;
  /** The peer will send no more. */
  protected abstract halfClosed(): void;

  protected holdMessages(isHeld: boolean): void {
    this.#isPausedByHandler = isHeld;
    this.#setPause();
  }

  /** Whatever the peer sends from now on is let pass. */
  protected stopReading(): void {
    this.#isReadOut = true;
    this.#reader?.stop();
  }

  fail(error: unknown): void {
    this.finish(toStatus(error, this.options.log));
  }

  protected finish(status: CallStatus): void {
    if (this.isFinished) return;
    this.#isEndedByHandler = true;
    this.#conclude(status);
  }

  /** Headers, where none were sent. */
  protected open(): void {
    if (this.#hasSentHeaders) return;
    this.#hasSentHeaders = true;
    this.host.sender.headers(this, usual);
  }

  /** The one answer of a call that went well. */
  answer(message: Buffer): void {
    if (this.isFinished) return;
    this.options.observer?.sent(this.path, message.length);
    this.isFinished = true;
    this.#isEndedByHandler = true;
    this.#observe(grpcCode.ok);
    this.#deadline?.cancel();
    this.host.sender.answer(this, message);
  }

  #deliver(message: Buffer): void {
    this.options.observer?.received(this.path, message.length);
    try {
      this.receive(message);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Messages wait for the one before them, as they do on the wire. */
  async #inflate(message: Buffer): Promise<void> {
    const encoding = this.#head.encoding ?? "identity";
    if (encoding !== "gzip" && encoding !== "deflate") {
      this.endByTransport(
        encoding === "identity"
          ? { code: grpcCode.internal, text: "grpc: compressed flag set with identity or empty encoding" }
          : {
              code: grpcCode.unimplemented,
              text: `grpc: Decompressor is not installed for grpc-encoding "${encoding}"`,
            },
      );
      return;
    }
    this.#isInflating = true;
    this.#setPause();
    const { messageBytesMax } = this.options;
    let opened: Buffer;
    try {
      opened = await openers[encoding](message, { maxOutputLength: messageBytesMax });
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      this.endByTransport(
        isOutputTooLarge(error)
          ? { code: grpcCode.resourceExhausted, text: tooLargeOpened(messageBytesMax) }
          : { code: grpcCode.internal, text: "grpc: failed to decompress the received message" },
      );
      return;
    }
    if (this.isFinished) return;
    this.#deliver(opened);
    this.#isInflating = false;
    this.#setPause();
  }

  /** So that a peer that asks and does not take the answers keeps its requests, not our memory. */
  #waitForPeer(): void {
    this.#isWaitingForPeer = true;
    this.#setPause();
    this.host.waitForPeer(this);
  }

  #makeReader(): MessageReader {
    const reader = new MessageReader(this, this.options.messageBytesMax);
    reader.isPaused = this.#isPaused;
    return reader;
  }

  get #isPaused(): boolean {
    return this.#isPausedByHandler || this.#isInflating || this.#isWaitingForPeer;
  }

  #setPause(): void {
    if (this.#isPaused) {
      this.#reader ??= this.#makeReader();
      this.#reader.isPaused = true;
      return;
    }
    this.#reader?.resume();
    if (this.#isPaused) return;
    this.#credit(0);
    this.#halfClose();
  }

  /** Credit for a frame, unless a pause holds it back; then with all that was held when the pause is over. */
  #credit(frameBytes: number): void {
    this.#heldBytes += frameBytes;
    if (this.#isPaused && !this.isFinished) return;
    const bytes = this.#heldBytes;
    this.#heldBytes = 0;
    this.host.consumed(this, bytes);
  }

  #halfClose(): void {
    if (!this.#isHalfClosed || this.isFinished || this.#isPaused) return;
    if ((this.#reader?.waitingBytes ?? 0) > 0) {
      this.endByTransport(unexpectedEnd);
      return;
    }
    this.#isHalfClosed = false;
    try {
      this.halfClosed();
    } catch (error) {
      this.fail(error);
    }
  }

  /** The call ends with a status that its handler does not know of: it is told of it as of a cancel. */
  protected endByTransport(status: CallStatus): void {
    if (this.isFinished) return;
    this.#conclude(status);
    this.#cancel();
  }

  #conclude(status: CallStatus): void {
    this.isFinished = true;
    this.#observe(status.code);
    this.#deadline?.cancel();
    const { sender } = this.host;
    if (!this.#hasSentHeaders) sender.end(this, trailersOnly(status));
    else sender.end(this, status.code === grpcCode.ok ? usual : trailersOf(status));
    // Behind the status, so that the credit finds the stream in the state that the status leaves.
    if (this.#heldBytes > 0) this.#credit(0);
  }

  #cancel(): void {
    if (this.#isEndedByHandler || this.isCancelled) return;
    this.isCancelled = true;
    const listeners = this.#cancelListeners;
    this.#cancelListeners = undefined;
    if (listeners !== undefined) for (const listener of listeners) listener();
  }

  #observe(code: GrpcCode): void {
    const { observer, clock } = this.options;
    observer?.handled(this.path, code, clock.nowMs() - this.#startedAtMs);
  }
}

/** Whether the frame is exactly one message, not compressed and not too large. */
function isOneMessage(source: Buffer, start: number, end: number, messageBytesMax: number): boolean {
  const length = end - start - MESSAGE_PREFIX_BYTES;
  return (
    length >= 0 &&
    length <= messageBytesMax &&
    source[start] === 0 &&
    source.readUInt32BE(start + 1) === length
  );
}

function isOutputTooLarge(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
}

function tooLargeOpened(bytesMax: number): string {
  return `grpc: message after decompression larger than max (${bytesMax})`;
}
