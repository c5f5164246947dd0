import { assert } from "../../../lib/assert.ts";
import {
  FRAME_HEADER_BYTES,
  FRAME_PAYLOAD_BYTES_MAX,
  frameFlag,
  frameType,
  type Http2ErrorCode,
  setting,
  WINDOW_BYTES_INITIAL,
  WINDOW_BYTES_MAX,
  writeFrameHeader,
  writeUint32,
} from "./frames.ts";
import { ResponseHeaderEncoder } from "./hpack-encoder.ts";
import type { Output } from "./output.ts";

/** Length prefix of a gRPC message: a compression flag and 32 bits. */
export const MESSAGE_PREFIX_BYTES = 5;
/** Payloads up to this are copied beside their frame header, larger ones passed on by reference. */
const COPIED_BYTES_MAX = 4_096;
const PING_BYTES = 8;
const SETTING_BYTES = 6;

/** Response headers or trailers of a gRPC call that went well, which have bytes of their own. */
export const usual = "usual";
export type HeaderFields = readonly string[] | typeof usual;

/** A piece of a stream's body that waits for a window. */
interface Piece {
  readonly bytes: Buffer;
  position: number;
  /** Length of the message that ends with this piece; undefined: none does. */
  readonly messageBytes: number | undefined;
}

/** What the sender keeps of a stream: its half of the flow control, and what waits for it. */
export abstract class SendState {
  readonly id: number;
  windowBytes: number;
  /** Undefined: nothing waits. */
  pieces: Piece[] | undefined;
  waitingBytes = 0;
  /** What ends the stream once the pieces are gone. */
  pendingEnd: HeaderFields | "data" | undefined;
  isInRing = false;
  /** END_STREAM or RST_STREAM was written: nothing more may be. */
  isSendClosed = false;

  constructor(id: number, windowBytes: number) {
    this.id = id;
    this.windowBytes = windowBytes;
  }

  /** A message of this length, which had to wait, has gone. */
  abstract onTaken(messageBytes: number): void;
  /** END_STREAM has been written. */
  abstract onSendEnded(): void;
}

/**
 * The writing half of a connection: frames, header blocks, both flow-control windows. What no window has room for
 * waits on its stream; streams that may write take turns, a frame each.
 */
export class Sender {
  /** Initial window of the streams that open from now on, as the peer set it. */
  streamWindowBytes = WINDOW_BYTES_INITIAL;
  /** Grows with everything but answers to PING and SETTINGS: what tells a peer that it is being served. */
  workFrames = 0;
  /** Bytes that wait for a window or the socket, over all streams. */
  queuedBytes = 0;

  readonly #output: Output;
  readonly #requestFlush: () => void;
  readonly #encoder = new ResponseHeaderEncoder();
  #windowBytes = WINDOW_BYTES_INITIAL;
  /** Streams that have something to write and a window for it, in the order of their turns. */
  readonly #ring: SendState[] = [];

  constructor(output: Output, requestFlush: () => void) {
    this.#output = output;
    this.#requestFlush = requestFlush;
  }

  /** `settings`: id and value in turn. The first frame of a server. */
  settings(settings: readonly number[], connectionWindowBytes: number): void {
    const payloadBytes = (settings.length / 2) * SETTING_BYTES;
    let at = this.#begin(payloadBytes, frameType.settings, 0, 0);
    const { chunk } = this.#output;
    for (let i = 0; i < settings.length; i += 2) {
      const id = settings[i] as number;
      chunk[at++] = id >>> 8;
      chunk[at++] = id;
      at = writeUint32(chunk, at, settings[i + 1] as number);
    }
    this.#finish(at);
    this.windowUpdate(0, connectionWindowBytes - WINDOW_BYTES_INITIAL);
  }

  settingsAck(): void {
    this.#finish(this.#begin(0, frameType.settings, frameFlag.ack, 0));
  }

  ping(payload: Buffer): void {
    this.#writePing(payload, 0);
    this.#requestFlush();
  }

  /** Leaves with whatever is written next: when that has to be is the caller's to say. */
  pingAck(payload: Buffer): void {
    this.#writePing(payload, frameFlag.ack);
  }

  goaway(lastStreamId: number, code: Http2ErrorCode, debugData: string): void {
    const text = Buffer.from(debugData, "latin1");
    let at = this.#begin(8 + text.length, frameType.goaway, 0, 0);
    const { chunk } = this.#output;
    at = writeUint32(chunk, at, lastStreamId);
    at = writeUint32(chunk, at, code);
    this.#finish(at + text.copy(chunk, at));
  }

  windowUpdate(streamId: number, bytes: number): void {
    const at = this.#begin(4, frameType.windowUpdate, 0, streamId);
    this.#finish(writeUint32(this.#output.chunk, at, bytes));
  }

  /** The stream is over at once: what waited for it is dropped. */
  reset(state: SendState | undefined, streamId: number, code: Http2ErrorCode): void {
    if (state !== undefined) this.forget(state);
    const at = this.#begin(4, frameType.rstStream, 0, streamId);
    this.#finish(writeUint32(this.#output.chunk, at, code));
  }

  /** Drops what waits for the stream. */
  forget(state: SendState): void {
    state.isSendClosed = true;
    this.queuedBytes -= state.waitingBytes;
    state.waitingBytes = 0;
    state.pieces = undefined;
    state.pendingEnd = undefined;
  }

  /** `fields`: names and values in turn. Must come before the body. */
  headers(state: SendState, fields: HeaderFields): void {
    if (!state.isSendClosed) this.#writeHeaders(state, fields, false);
  }

  /** One gRPC message, its prefix included by us. False: it, or a part of it, has to wait. */
  message(state: SendState, message: Buffer): boolean {
    if (state.isSendClosed) return true;
    const { length } = message;
    const bytes = MESSAGE_PREFIX_BYTES + length;
    if (!this.#mayWriteNow(state, bytes)) {
      const prefix = Buffer.alloc(MESSAGE_PREFIX_BYTES);
      prefix.writeUInt32BE(length, 1);
      this.#enqueue(state, prefix, length === 0 ? 0 : undefined);
      if (length > 0) this.#enqueue(state, message, length);
      return false;
    }
    this.#takeWindows(state, bytes);
    let at = this.#begin(bytes, frameType.data, 0, state.id, length);
    const { chunk } = this.#output;
    chunk[at] = 0;
    at = writeUint32(chunk, at + 1, length);
    this.#finishWith(at, message);
    this.workFrames++;
    return true;
  }

  /** A piece of a body that is not gRPC. False: it has to wait. */
  data(state: SendState, bytes: Buffer): boolean {
    if (state.isSendClosed || bytes.length === 0) return true;
    if (!this.#mayWriteNow(state, bytes.length)) {
      this.#enqueue(state, bytes, bytes.length);
      return false;
    }
    this.#takeWindows(state, bytes.length);
    this.#finishWith(this.#begin(bytes.length, frameType.data, 0, state.id, bytes.length), bytes);
    this.workFrames++;
    return true;
  }

  /** Ends the stream with trailers, or with an empty DATA frame, behind everything that waits. */
  end(state: SendState, fields: HeaderFields | "data"): void {
    if (state.isSendClosed || state.pendingEnd !== undefined) return;
    if (state.pieces === undefined) this.#writeEnd(state, fields);
    else state.pendingEnd = fields;
  }

  /** Headers, one message and the trailers of a call that went well, in one go where the windows allow. */
  answer(state: SendState, message: Buffer): void {
    if (state.isSendClosed) return;
    const { length } = message;
    const bytes = MESSAGE_PREFIX_BYTES + length;
    if (length > COPIED_BYTES_MAX || !this.#mayWriteNow(state, bytes)) {
      this.headers(state, usual);
      this.message(state, message);
      this.end(state, usual);
      return;
    }
    this.#takeWindows(state, bytes);
    const output = this.#output;
    const { id } = state;
    const start = output.reserve(3 * FRAME_HEADER_BYTES + ResponseHeaderEncoder.fixedBytesMax + bytes);
    const { chunk } = output;
    let at = this.#encoder.writeGrpcHeaders(chunk, start + FRAME_HEADER_BYTES);
    writeFrameHeader(
      chunk,
      start,
      at - start - FRAME_HEADER_BYTES,
      frameType.headers,
      frameFlag.endHeaders,
      id,
    );
    at = writeFrameHeader(chunk, at, bytes, frameType.data, 0, id);
    chunk[at] = 0;
    at = writeUint32(chunk, at + 1, length);
    at += message.copy(chunk, at);
    const trailers = at;
    at = this.#encoder.writeOkTrailers(chunk, at + FRAME_HEADER_BYTES);
    writeFrameHeader(
      chunk,
      trailers,
      at - trailers - FRAME_HEADER_BYTES,
      frameType.headers,
      frameFlag.endHeaders | frameFlag.endStream,
      id,
    );
    this.workFrames++;
    this.#finish(at);
    state.isSendClosed = true;
    state.onSendEnded();
  }

  /** The peer takes so many more bytes of the connection. False: more than a window can be. */
  addConnectionWindow(bytes: number): boolean {
    this.#windowBytes += bytes;
    if (this.#windowBytes > WINDOW_BYTES_MAX) return false;
    this.pump();
    return true;
  }

  /** The same for one stream. */
  addStreamWindow(state: SendState, bytes: number): boolean {
    state.windowBytes += bytes;
    if (state.windowBytes > WINDOW_BYTES_MAX) return false;
    this.#enterRing(state);
    this.pump();
    return true;
  }

  /**
   * The peer's settings, one by one; values are checked by the caller. False: a stream's window overflows. Nothing is
   * written by them: the acknowledgement comes first, since peers count with a larger window only from there on.
   */
  applySetting(id: number, value: number, states: Iterable<SendState>): boolean {
    if (id === setting.headerTableSize) this.#encoder.setTableBytesMax(value);
    // maxFrameSize is left aside: a frame of mebibytes would be on the socket whole, and be taken for answers unread.
    else if (id === setting.initialWindowSize) {
      const change = value - this.streamWindowBytes;
      this.streamWindowBytes = value;
      for (const state of states) {
        state.windowBytes += change;
        if (state.windowBytes > WINDOW_BYTES_MAX) return false;
        this.#enterRing(state);
      }
    }
    return true;
  }

  /** Writes what waits, as far as windows and socket allow. */
  pump(): void {
    const ring = this.#ring;
    while (ring.length > 0 && this.#windowBytes > 0 && !this.#output.isCongested) {
      const state = ring.shift() as SendState;
      state.isInRing = false;
      // A setting may have made its window smaller meanwhile, below zero even.
      if (state.pieces === undefined || state.windowBytes <= 0) continue;
      this.#writePieces(state);
      this.#enterRing(state);
    }
  }

  #writePing(payload: Buffer, flags: number): void {
    const at = this.#begin(PING_BYTES, frameType.ping, flags, 0);
    payload.copy(this.#output.chunk, at);
    this.#output.offset = at + PING_BYTES;
  }

  #mayWriteNow(state: SendState, bytes: number): boolean {
    return (
      state.pieces === undefined &&
      bytes <= state.windowBytes &&
      bytes <= this.#windowBytes &&
      bytes <= FRAME_PAYLOAD_BYTES_MAX &&
      this.#ring.length === 0 &&
      !this.#output.isCongested
    );
  }

  #takeWindows(state: SendState, bytes: number): void {
    state.windowBytes -= bytes;
    this.#windowBytes -= bytes;
  }

  #enqueue(state: SendState, bytes: Buffer, messageBytes: number | undefined): void {
    state.pieces ??= [];
    state.pieces.push({ bytes, position: 0, messageBytes });
    state.waitingBytes += bytes.length;
    this.queuedBytes += bytes.length;
    this.#enterRing(state);
    this.#requestFlush();
  }

  #enterRing(state: SendState): void {
    if (state.isInRing || state.pieces === undefined || state.windowBytes <= 0) return;
    state.isInRing = true;
    this.#ring.push(state);
  }

  /** One DATA frame of what waits on the stream, and its end when that was all. */
  #writePieces(state: SendState): void {
    const pieces = state.pieces as Piece[];
    const budget = Math.min(
      state.waitingBytes,
      state.windowBytes,
      this.#windowBytes,
      FRAME_PAYLOAD_BYTES_MAX,
    );
    assert(budget > 0, "a stream in the ring has bytes and a window for them");
    this.#takeWindows(state, budget);
    state.waitingBytes -= budget;
    this.queuedBytes -= budget;
    this.workFrames++;
    this.#finish(this.#begin(budget, frameType.data, 0, state.id));
    let left = budget;
    let done = 0;
    while (left > 0) {
      const piece = pieces[done] as Piece;
      const bytes = Math.min(left, piece.bytes.length - piece.position);
      this.#append(piece.bytes, piece.position, bytes);
      piece.position += bytes;
      left -= bytes;
      if (piece.position === piece.bytes.length) done++;
    }
    const gone = pieces.splice(0, done);
    if (pieces.length === 0) {
      state.pieces = undefined;
      const end = state.pendingEnd;
      if (end !== undefined) {
        state.pendingEnd = undefined;
        this.#writeEnd(state, end);
      }
    }
    for (const { messageBytes } of gone) if (messageBytes !== undefined) state.onTaken(messageBytes);
  }

  #append(bytes: Buffer, start: number, length: number): void {
    const output = this.#output;
    if (length > COPIED_BYTES_MAX) {
      output.reference(bytes.subarray(start, start + length));
      return;
    }
    const at = output.reserve(length);
    bytes.copy(output.chunk, at, start, start + length);
    output.offset = at + length;
  }

  #writeEnd(state: SendState, fields: HeaderFields | "data"): void {
    if (fields === "data") this.#finish(this.#begin(0, frameType.data, frameFlag.endStream, state.id));
    else this.#writeHeaders(state, fields, true);
    this.workFrames++;
    state.isSendClosed = true;
    state.onSendEnded();
  }

  #writeHeaders(state: SendState, fields: HeaderFields, isEnd: boolean): void {
    const flags = isEnd ? frameFlag.endStream : 0;
    this.workFrames++;
    if (fields !== usual && ResponseHeaderEncoder.boundOf(fields) > FRAME_PAYLOAD_BYTES_MAX / 2) {
      this.#writeLongHeaders(state.id, fields, flags);
      return;
    }
    const bound =
      fields === usual ? ResponseHeaderEncoder.fixedBytesMax : ResponseHeaderEncoder.boundOf(fields);
    const output = this.#output;
    const start = output.reserve(FRAME_HEADER_BYTES + bound);
    const block = start + FRAME_HEADER_BYTES;
    const { chunk } = output;
    let at: number;
    if (fields !== usual) at = this.#encoder.writeFields(chunk, block, fields);
    else if (isEnd) at = this.#encoder.writeOkTrailers(chunk, block);
    else at = this.#encoder.writeGrpcHeaders(chunk, block);
    writeFrameHeader(chunk, start, at - block, frameType.headers, flags | frameFlag.endHeaders, state.id);
    this.#finish(at);
  }

  /** A block that may need CONTINUATION frames. */
  #writeLongHeaders(streamId: number, fields: readonly string[], flags: number): void {
    const whole = Buffer.allocUnsafe(ResponseHeaderEncoder.boundOf(fields));
    const block = whole.subarray(0, this.#encoder.writeFields(whole, 0, fields));
    for (let from = 0; from < block.length || from === 0; from += FRAME_PAYLOAD_BYTES_MAX) {
      const part = block.subarray(from, from + FRAME_PAYLOAD_BYTES_MAX);
      const type = from === 0 ? frameType.headers : frameType.continuation;
      const isLast = from + FRAME_PAYLOAD_BYTES_MAX >= block.length;
      const partFlags = (from === 0 ? flags : 0) | (isLast ? frameFlag.endHeaders : 0);
      this.#finish(this.#begin(part.length, type, partFlags, streamId));
      this.#append(part, 0, part.length);
    }
  }

  /** Begins a frame; returns where its payload goes, with room for control payloads or `copied` bytes. */
  #begin(payloadBytes: number, type: number, flags: number, streamId: number, copied = 0): number {
    const room =
      type === frameType.data || type === frameType.headers || type === frameType.continuation
        ? MESSAGE_PREFIX_BYTES + (copied > COPIED_BYTES_MAX ? 0 : copied)
        : payloadBytes;
    const at = this.#output.reserve(FRAME_HEADER_BYTES + room);
    return writeFrameHeader(this.#output.chunk, at, payloadBytes, type, flags, streamId);
  }

  #finish(at: number): void {
    this.#output.offset = at;
    this.#requestFlush();
  }

  #finishWith(at: number, payload: Buffer): void {
    const output = this.#output;
    if (payload.length > COPIED_BYTES_MAX) {
      output.offset = at;
      output.reference(payload);
    } else {
      output.offset = at + payload.copy(output.chunk, at);
    }
    this.#requestFlush();
  }
}
