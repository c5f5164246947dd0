import type { Duplex } from "node:stream";
import { AssertionError } from "../../../lib/assert.ts";
import type { Clock } from "../../../lib/clock.ts";
import { IntMap } from "../../../lib/int-map.ts";
import { limits } from "../../../lib/limits.ts";
import type { Log } from "../../../lib/log.ts";
import { secretUint32 } from "../../../lib/secret.ts";
import { ClosedStreams, type StreamEnd } from "./closed-streams.ts";
import { type CheapFrame, FloodGuard } from "./flood-guard.ts";
import { FrameReader, type FrameSink } from "./frame-reader.ts";
import {
  ConnectionError,
  frameFlag,
  frameType,
  type Http2ErrorCode,
  http2Error,
  readUint31,
  setting,
} from "./frames.ts";
import { type BlockStart, HeaderBlock } from "./header-block.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { HpackError } from "./hpack-error.ts";
import { Output } from "./output.ts";
import { PeerLiveness } from "./peer-liveness.ts";
import { PeerPings } from "./peer-pings.ts";
import { readSettings } from "./peer-settings.ts";
import { ReceiveWindow } from "./receive-window.ts";
import { areTrailers, parseRequestHead, type RequestHead } from "./request-head.ts";
import { Sender } from "./sender.ts";
import type { StreamHost, WireStream } from "./wire-stream.ts";

/** What one stream may have on the way to us unread: a request of the usual size needs no second round trip. */
const STREAM_WINDOW_BYTES = 262_144;
/** The same for a whole connection. */
const CONNECTION_WINDOW_BYTES = 4_194_304;
const HEADER_TABLE_BYTES = 4_096;
/** Name/value pairs in one header block. */
const HEADER_PAIRS_MAX = 256;
/** Peers choose the ids of their streams. */
const STREAMS_SECRET = secretUint32();
/** Answers to PINGs that may wait for others. */
const PING_ANSWERS_BYTES_MAX = 1_024;
/** Time for a peer to read the GOAWAY that says what it did wrong. */
const LAST_WORDS_MS = 1_000;
/** What it may still send meanwhile: unread, it would make the kernel reset the connection before the GOAWAY is read. */
const LAST_WORDS_BYTES_MAX = 1_048_576;

export interface ConnectionOptions {
  readonly headerBytesMax: number;
  readonly concurrentStreamsMax: number;
  readonly keepalive: { readonly minTimeMs: number; readonly intervalMs: number; readonly timeoutMs: number };
  readonly clock: Clock;
  readonly log: Log;
}

export interface ConnectionHooks {
  /** Makes the stream of a request; undefined: there are too many of its kind, the peer may try again. */
  accept(host: StreamHost, id: number, head: RequestHead): WireStream | undefined;
  /** The connection has something to write at the end of this turn of the loop. */
  requestFlush(connection: Connection): void;
  /** It has an answer to a PING, which may wait for others a little. */
  requestLateFlush(connection: Connection): void;
  onClosed(connection: Connection): void;
}

/** The server's side of one HTTP/2 connection (RFC 9113). */
export class Connection implements StreamHost, FrameSink {
  readonly sender: Sender;
  plainRequests = 0;
  readonly peer: string;

  readonly #socket: Duplex;
  readonly #options: ConnectionOptions;
  readonly #hooks: ConnectionHooks;
  readonly #output: Output;
  readonly #reader: FrameReader;
  readonly #decoder: HpackDecoder;
  readonly #guard: FloodGuard;
  readonly #pings: PeerPings;
  readonly #liveness: PeerLiveness;
  readonly #streams = new IntMap<WireStream>(STREAMS_SECRET);
  readonly #closed = new ClosedStreams();
  /** Streams that wait until the peer has taken some of its answers. */
  readonly #waiting = new Set<WireStream>();
  /** Streams whose answer was complete before their request, in this turn of the loop. */
  readonly #answeredEarly: WireStream[] = [];
  readonly #window = new ReceiveWindow(CONNECTION_WINDOW_BYTES);
  /** The header block whose END_HEADERS has not come. */
  #block: HeaderBlock | undefined;
  #lastStreamId = 0;
  #hasSettings = false;
  #isFlushRequested = false;
  #isLateFlushRequested = false;
  #hasAnswer = false;
  #isGoingAway = false;
  #isClosed = false;
  #bytesAfterEnd = 0;
  #keptBytes = 0;

  constructor(socket: Duplex, peer: string, options: ConnectionOptions, hooks: ConnectionHooks) {
    this.#socket = socket;
    this.peer = peer;
    this.#options = options;
    this.#hooks = hooks;
    this.#output = new Output(socket);
    this.sender = new Sender(this.#output, () => this.#requestFlush());
    this.#reader = new FrameReader(this);
    this.#decoder = new HpackDecoder({
      tableBytesMax: HEADER_TABLE_BYTES,
      listBytesMax: options.headerBytesMax,
      fieldsMax: HEADER_PAIRS_MAX,
    });
    this.#guard = new FloodGuard(options.clock);
    this.#pings = new PeerPings(options.keepalive.minTimeMs);
    this.#liveness = new PeerLiveness(options.clock, options.keepalive.timeoutMs, () => this.destroy());
    this.sender.settings(
      [
        ...[setting.maxConcurrentStreams, options.concurrentStreamsMax],
        ...[setting.initialWindowSize, STREAM_WINDOW_BYTES],
        ...[setting.maxHeaderListSize, options.headerBytesMax],
      ],
      CONNECTION_WINDOW_BYTES,
    );
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("drain", () => this.sender.pump());
    socket.on("end", () => this.destroy());
    socket.on("close", () => this.#onSocketClosed());
    socket.on("error", (error) => options.log.debug("connection error", { error }));
  }

  get isChoked(): boolean {
    return this.sender.queuedBytes > limits.http2QueuedBytesMax;
  }

  /** What is to be flushed ends a call. */
  get hasAnswer(): boolean {
    return this.#hasAnswer;
  }

  waitForPeer(stream: WireStream): void {
    this.#waiting.add(stream);
  }

  /** Writes answers to PINGs that nothing has taken along. */
  flushLate(): void {
    this.#isLateFlushRequested = false;
    if (!this.#isFlushRequested && this.#output.hasUnflushed) this.flush();
  }

  /** Writes what this turn has gathered. */
  flush(): void {
    this.#isFlushRequested = false;
    this.#hasAnswer = false;
    if (this.#socket.destroyed || this.#isClosed) return;
    this.sender.pump();
    if (this.#waiting.size > 0) this.#wakeWaiting();
    this.#stopEarlyAnswered();
    this.#output.flush();
    if (this.#socket.writableLength > limits.http2ControlBytesMax && !this.#isClosed) {
      // What flow control holds back is not here: these are answers to a peer that asks and never reads.
      this.#options.log.debug("a connection was closed: its peer reads nothing", { peer: this.peer });
      this.destroy();
    }
  }

  /** No new streams; the connection ends with its last one. */
  goAway(): void {
    if (this.#isGoingAway || this.#isClosed) return;
    this.#isGoingAway = true;
    this.sender.goaway(this.#lastStreamId, http2Error.noError, "");
    this.#endWhenIdle();
  }

  destroy(): void {
    this.#socket.destroy();
    this.#onSocketClosed();
  }

  /** Called now and then: lets go of peers that are silent and do not answer, or take nothing of what waits for them. */
  sweep(): void {
    if (this.#isClosed) return;
    if (this.#liveness.needsPing()) this.sender.ping(Buffer.alloc(8));
    const isWaiting = this.sender.queuedBytes > 0 || this.#socket.writableLength > 0;
    if (!this.#liveness.isStalled(isWaiting, this.sender.workFrames)) return;
    this.#options.log.debug("a connection was closed: its peer takes no answers", { peer: this.peer });
    this.#endWith(http2Error.enhanceYourCalm, "stalled");
  }

  consumed(stream: WireStream, bytes: number): void {
    if (bytes === 0 || this.#isClosed) return;
    const credit = this.#window.consume(bytes);
    if (credit > 0) this.sender.windowUpdate(0, credit);
    const { receiveWindow } = stream;
    if (receiveWindow === undefined || stream.isRemoteClosed || stream.isSendClosed) return;
    const streamCredit = receiveWindow.consume(bytes);
    if (streamCredit > 0) this.sender.windowUpdate(stream.id, streamCredit);
  }

  abort(stream: WireStream, code: Http2ErrorCode): void {
    if (this.#isClosed || this.#streams.get(stream.id) === undefined) return;
    this.sender.reset(stream, stream.id, code);
    this.#forget(stream, "resetByUs");
  }

  keep(bytes: number): boolean {
    this.#keptBytes += bytes;
    return bytes <= 0 || this.#keptBytes <= limits.http2KeptBytesMax;
  }

  /** The stream has written its END_STREAM. */
  sendEnded(stream: WireStream): void {
    this.#hasAnswer = true;
    if (stream.isRemoteClosed) this.#forget(stream, "ended");
    else this.#answeredEarly.push(stream);
  }

  onFrame(type: number, flags: number, streamId: number, source: Buffer, start: number, end: number): void {
    if (!this.#hasSettings) {
      if (type !== frameType.settings || (flags & frameFlag.ack) !== 0)
        fail(http2Error.protocolError, "the first frame is not SETTINGS");
      this.#hasSettings = true;
    }
    if (this.#block !== undefined && (type !== frameType.continuation || streamId !== this.#block.streamId))
      fail(http2Error.protocolError, "a frame inside a header block");
    switch (type) {
      case frameType.data:
        this.#onData(flags, streamId, source, start, end);
        return;
      case frameType.headers:
        this.#onHeaders(flags, streamId, source, start, end);
        return;
      case frameType.priority:
        this.#onPriority(streamId, source, start, end);
        return;
      case frameType.rstStream:
        this.#onReset(streamId, end - start);
        return;
      case frameType.settings:
        this.#onSettings(flags, streamId, source, start, end);
        return;
      case frameType.pushPromise:
        fail(http2Error.protocolError, "PUSH_PROMISE from a client");
        return;
      case frameType.ping:
        this.#onPing(flags, streamId, source, start, end);
        return;
      case frameType.goaway:
        if (streamId !== 0) fail(http2Error.protocolError, "GOAWAY on a stream");
        if (end - start < 8) fail(http2Error.frameSizeError, "a short GOAWAY");
        return;
      case frameType.windowUpdate:
        this.#onWindowUpdate(streamId, source, start, end);
        return;
      case frameType.continuation:
        this.#onContinuation(flags, source, start, end);
        return;
      default:
        this.#admit("idle");
    }
  }

  #take(chunk: Buffer): void {
    if (this.#isClosed) {
      this.#bytesAfterEnd += chunk.length;
      if (this.#bytesAfterEnd > LAST_WORDS_BYTES_MAX) this.#socket.destroy();
      return;
    }
    this.#liveness.hasRead();
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      if (error instanceof ConnectionError) this.#refuse(error.code, error.message);
      else if (error instanceof HpackError) this.#refuse(http2Error.compressionError, error.message);
      else throw error;
    }
  }

  #onData(flags: number, streamId: number, source: Buffer, start: number, end: number): void {
    if (streamId === 0) fail(http2Error.protocolError, "DATA on stream 0");
    const frameBytes = end - start;
    const padding = paddingOf(flags, source, start, end);
    if (!this.#window.take(frameBytes))
      fail(http2Error.flowControlError, "more DATA than the connection's window");
    const stream = this.#streams.get(streamId);
    if (stream === undefined || stream.isRemoteClosed) {
      this.#giveBack(frameBytes);
      this.#onFrameOfClosed(streamId, stream);
      return;
    }
    const isEnd = (flags & frameFlag.endStream) !== 0;
    if (frameBytes === 0 && !isEnd) this.#admit("idle");
    if (!isEnd) stream.receiveWindow ??= new ReceiveWindow(STREAM_WINDOW_BYTES);
    if (
      stream.receiveWindow === undefined
        ? frameBytes > STREAM_WINDOW_BYTES
        : !stream.receiveWindow.take(frameBytes)
    ) {
      this.#giveBack(frameBytes);
      this.#breakOff(stream, http2Error.flowControlError);
      return;
    }
    const dataStart = padding >= 0 ? start + 1 : start;
    const dataEnd = padding >= 0 ? end - padding : end;
    stream.receivedBytes += dataEnd - dataStart;
    if (isEnd) stream.isRemoteClosed = true;
    if (stream.declaredBytes >= 0 && isWrongLength(stream, isEnd)) {
      this.#giveBack(frameBytes);
      this.#breakOff(stream, http2Error.protocolError);
      return;
    }
    if (frameBytes > 0) stream.onData(source, dataStart, dataEnd, frameBytes);
    if (isEnd) this.#endRemote(stream);
  }

  #onHeaders(flags: number, streamId: number, source: Buffer, start: number, end: number): void {
    if (streamId === 0) fail(http2Error.protocolError, "HEADERS on stream 0");
    const padding = paddingOf(flags, source, start, end);
    let from = padding >= 0 ? start + 1 : start;
    const to = padding >= 0 ? end - padding : end;
    let dependsOn = -1;
    if ((flags & frameFlag.priority) !== 0) {
      if (to - from < 5) fail(http2Error.frameSizeError, "HEADERS too short for a priority");
      dependsOn = readUint31(source, from);
      from += 5;
    }
    const isEnd = (flags & frameFlag.endStream) !== 0;
    const isSelfDependent = dependsOn === streamId;
    if ((flags & frameFlag.endHeaders) !== 0) {
      this.#onBlock({ streamId, isEnd, isSelfDependent }, source, from, to);
      return;
    }
    this.#block = new HeaderBlock(streamId, isEnd, isSelfDependent);
    this.#block.append(source, from, to, this.#options.headerBytesMax);
  }

  #onContinuation(flags: number, source: Buffer, start: number, end: number): void {
    const block = this.#block;
    if (block === undefined) {
      fail(http2Error.protocolError, "CONTINUATION without HEADERS");
      return;
    }
    block.append(source, start, end, this.#options.headerBytesMax);
    if ((flags & frameFlag.endHeaders) === 0) return;
    this.#block = undefined;
    const bytes = block.bytes();
    this.#onBlock(block, bytes, 0, bytes.length);
  }

  #onBlock(block: BlockStart, source: Buffer, start: number, end: number): void {
    const { streamId } = block;
    // Decoded whatever becomes of it: both tables have to stay in step.
    const list = this.#decoder.decode(source, start, end);
    const known = this.#streams.get(streamId);
    if (known !== undefined) {
      if (known.isRemoteClosed) this.#onFrameOfClosed(streamId, known);
      else if (!block.isEnd || block.isSelfDependent || list.isTooLarge || !areTrailers(list.fields))
        this.#breakOff(known, http2Error.protocolError);
      else this.#onTrailers(known);
      return;
    }
    if (streamId <= this.#lastStreamId) {
      this.#onFrameOfClosed(streamId, undefined);
      return;
    }
    if (streamId % 2 === 0) fail(http2Error.protocolError, "a client opened an even stream");
    this.#lastStreamId = streamId;
    const refusal = this.#refusalOf(block, list.isTooLarge);
    if (refusal !== undefined) {
      this.#refuseStream(streamId, refusal);
      return;
    }
    list.parsed ??= parseRequestHead(list.fields) ?? null;
    const head = list.parsed as RequestHead | null;
    if (head === null || (block.isEnd && head.declaredBytes > 0)) {
      this.#refuseStream(streamId, http2Error.protocolError);
      return;
    }
    this.#open(streamId, head, block.isEnd);
  }

  /** Why a stream may not be opened, whatever its headers say. */
  #refusalOf(block: BlockStart, isTooLarge: boolean): Http2ErrorCode | undefined {
    if (this.#isGoingAway) return http2Error.refusedStream;
    if (block.isSelfDependent) return http2Error.protocolError;
    if (isTooLarge) return http2Error.enhanceYourCalm;
    if (this.#streams.size >= this.#options.concurrentStreamsMax) return http2Error.refusedStream;
    return undefined;
  }

  #open(streamId: number, head: RequestHead, isEnd: boolean): void {
    const stream = this.#hooks.accept(this, streamId, head);
    if (stream === undefined) {
      this.#refuseStream(streamId, http2Error.refusedStream);
      return;
    }
    this.#streams.set(streamId, stream);
    if (isEnd) stream.isRemoteClosed = true;
    stream.begin();
    if (isEnd) this.#endRemote(stream);
  }

  #onTrailers(stream: WireStream): void {
    stream.isRemoteClosed = true;
    if (stream.declaredBytes >= 0 && isWrongLength(stream, true))
      this.#breakOff(stream, http2Error.protocolError);
    else this.#endRemote(stream);
  }

  #endRemote(stream: WireStream): void {
    if (stream.isSendClosed) this.#forget(stream, "ended");
    else stream.onRemoteEnd();
  }

  #refuseStream(streamId: number, code: Http2ErrorCode): void {
    this.#admit("reset");
    this.#closed.add(streamId, "resetByUs");
    this.sender.reset(undefined, streamId, code);
  }

  /** A frame that a peer may not send any more on this stream, unless it could not know yet. */
  #onFrameOfClosed(streamId: number, stream: WireStream | undefined): void {
    if (stream !== undefined) {
      this.#breakOff(stream, http2Error.streamClosed);
      return;
    }
    if (streamId > this.#lastStreamId || streamId % 2 === 0)
      fail(http2Error.protocolError, `a frame on stream ${streamId}, which is idle`);
    const closed = this.#closed.find(streamId);
    if (closed === "resetByUs") return;
    if (closed === "resetByPeer") {
      this.#admit("reset");
      this.sender.reset(undefined, streamId, http2Error.streamClosed);
      return;
    }
    if (closed === "ended") fail(http2Error.streamClosed, `a frame on stream ${streamId}, which is closed`);
    fail(http2Error.protocolError, `stream ${streamId} is not known any more, or never was`);
  }

  #onPriority(streamId: number, source: Buffer, start: number, end: number): void {
    if (streamId === 0) fail(http2Error.protocolError, "PRIORITY on stream 0");
    this.#admit("idle");
    if (end - start !== 5) this.#onBadPriority(streamId, http2Error.frameSizeError);
    else if (readUint31(source, start) === streamId) this.#onBadPriority(streamId, http2Error.protocolError);
  }

  #onReset(streamId: number, bytes: number): void {
    if (streamId === 0) fail(http2Error.protocolError, "RST_STREAM on stream 0");
    if (bytes !== 4) fail(http2Error.frameSizeError, "RST_STREAM of another size");
    if (streamId > this.#lastStreamId) fail(http2Error.protocolError, "RST_STREAM on an idle stream");
    this.#admit("reset");
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    this.sender.forget(stream);
    this.#forget(stream, "resetByPeer");
    // What waited for it is gone as well: others may go on.
    if (this.#waiting.size > 0) this.#requestFlush();
  }

  #onSettings(flags: number, streamId: number, source: Buffer, start: number, end: number): void {
    if (streamId !== 0) fail(http2Error.protocolError, "SETTINGS on a stream");
    if ((flags & frameFlag.ack) !== 0) {
      if (end !== start) fail(http2Error.frameSizeError, "SETTINGS acknowledged with a payload");
      this.#admit("settings");
      return;
    }
    this.#admit("settings");
    readSettings(source, start, end, (id, value) => {
      if (!this.sender.applySetting(id, value, this.#streams.values()))
        fail(http2Error.flowControlError, "a stream's window overflows");
    });
    this.sender.settingsAck();
    this.sender.pump();
  }

  #onPing(flags: number, streamId: number, source: Buffer, start: number, end: number): void {
    if (streamId !== 0) fail(http2Error.protocolError, "PING on a stream");
    if (end - start !== 8) fail(http2Error.frameSizeError, "PING of another size");
    if ((flags & frameFlag.ack) !== 0) {
      this.#admit("idle");
      return;
    }
    this.sender.pingAck(source.subarray(start, end));
    // More of them than calls can have caused are not kept waiting: what they take is bounded by one turn's reading.
    if (this.#output.waitingBytes > PING_ANSWERS_BYTES_MAX) this.#requestFlush();
    else this.#requestLateFlush();
    const nowMs = this.#options.clock.nowMs();
    if (!this.#pings.admit(nowMs, this.#streams.size > 0, this.sender.workFrames))
      this.#endWith(http2Error.enhanceYourCalm, "too_many_pings");
  }

  #onWindowUpdate(streamId: number, source: Buffer, start: number, end: number): void {
    if (end - start !== 4) fail(http2Error.frameSizeError, "WINDOW_UPDATE of another size");
    const bytes = readUint31(source, start);
    if (streamId === 0) {
      if (bytes === 0) fail(http2Error.protocolError, "WINDOW_UPDATE of 0");
      if (!this.sender.addConnectionWindow(bytes))
        fail(http2Error.flowControlError, "the connection's window overflows");
      return;
    }
    const stream = this.#streams.get(streamId);
    if (stream === undefined) {
      if (streamId > this.#lastStreamId) fail(http2Error.protocolError, "WINDOW_UPDATE on an idle stream");
      return;
    }
    if (bytes === 0) this.#breakOff(stream, http2Error.protocolError);
    else if (!this.sender.addStreamWindow(stream, bytes)) this.#breakOff(stream, http2Error.flowControlError);
  }

  /** The peer has broken the rules on a stream. */
  #breakOff(stream: WireStream, code: Http2ErrorCode): void {
    this.#admit("reset");
    this.sender.reset(stream, stream.id, code);
    this.#forget(stream, "resetByUs");
  }

  #onBadPriority(streamId: number, code: Http2ErrorCode): void {
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) this.#breakOff(stream, code);
    // A stream that has ended cannot be reset: the error is the connection's (RFC 9113, section 5.4).
    else fail(code, "a bad PRIORITY frame");
  }

  #wakeWaiting(): void {
    for (const stream of this.#waiting) {
      if (this.isChoked) return;
      this.#waiting.delete(stream);
      stream.peerHasTaken();
    }
  }

  /** The answer is complete though the request is not: the peer may stop; what it has sent already will be ignored. */
  #stopEarlyAnswered(): void {
    if (this.#answeredEarly.length === 0) return;
    for (const stream of this.#answeredEarly.splice(0)) {
      if (stream.isRemoteClosed) continue;
      this.sender.reset(undefined, stream.id, http2Error.noError);
      this.#forget(stream, "resetByUs");
    }
  }

  #forget(stream: WireStream, end: StreamEnd): void {
    if (!this.#streams.delete(stream.id)) return;
    this.#closed.add(stream.id, end);
    this.#waiting.delete(stream);
    stream.onGone();
    this.#endWhenIdle();
  }

  /** Credit for DATA that nobody takes. */
  #giveBack(bytes: number): void {
    const credit = this.#window.consume(bytes);
    if (credit > 0) this.sender.windowUpdate(0, credit);
  }

  #admit(frame: CheapFrame): void {
    if (!this.#guard.admit(frame)) fail(http2Error.enhanceYourCalm, `too many frames (${frame})`);
  }

  #endWhenIdle(): void {
    if (!this.#isGoingAway || this.#isClosed || this.#streams.size > 0) return;
    this.#lastWords();
  }

  #refuse(code: Http2ErrorCode, text: string): void {
    this.#options.log.debug("HTTP/2 connection error", { peer: this.peer, error: text });
    this.#endWith(code, "");
  }

  /** GOAWAY, and the end of every stream; the socket stays long enough to say so. */
  #endWith(code: Http2ErrorCode, debugData: string): void {
    if (this.#isClosed) return;
    this.sender.goaway(this.#lastStreamId, code, debugData);
    this.#lastWords();
  }

  #lastWords(): void {
    const socket = this.#socket;
    this.flush();
    this.#onSocketClosed();
    socket.end();
    const timer = this.#options.clock.after(LAST_WORDS_MS, () => socket.destroy());
    socket.once("close", () => timer.cancel());
  }

  #onSocketClosed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#reader.stop();
    this.#liveness.stop();
    this.#output.discard();
    const streams = this.#streams.values();
    this.#streams.clear();
    this.#waiting.clear();
    for (const stream of streams) {
      this.sender.forget(stream);
      stream.onGone();
    }
    this.#hooks.onClosed(this);
  }

  #requestLateFlush(): void {
    if (this.#isLateFlushRequested || this.#isClosed) return;
    this.#isLateFlushRequested = true;
    this.#hooks.requestLateFlush(this);
  }

  #requestFlush(): void {
    if (this.#isFlushRequested || this.#isClosed) return;
    this.#isFlushRequested = true;
    this.#hooks.requestFlush(this);
  }
}

function fail(code: Http2ErrorCode, message: string): never {
  throw new ConnectionError(code, message);
}

/** Bytes of padding behind the data; -1: the frame has no padding field. */
function paddingOf(flags: number, source: Buffer, start: number, end: number): number {
  if ((flags & frameFlag.padded) === 0) return -1;
  const padding = source[start];
  if (start === end || padding === undefined || padding >= end - start)
    fail(http2Error.protocolError, "more padding than payload");
  return padding;
}

function isWrongLength(stream: WireStream, isEnd: boolean): boolean {
  return isEnd ? stream.receivedBytes !== stream.declaredBytes : stream.receivedBytes > stream.declaredBytes;
}
