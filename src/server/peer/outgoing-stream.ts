import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import type { Clock, Timer } from "../../lib/clock.ts";
import type { Prng } from "../../lib/prng.ts";
import type { Message } from "../raft/index.ts";
import { type Dialer, readRefusal } from "./dialer.ts";
import { REMOVED_STATUS } from "./door.ts";
import { decodeFrame } from "./frame.ts";
import { FrameReader } from "./frame-reader.ts";
import { CHANNEL_HEADER, paths, STREAM_PROTOCOL } from "./headers.ts";
import type { PeerLimits } from "./limits.ts";
import { StreamWriter } from "./stream-writer.ts";
import type { Channel } from "./types.ts";

export interface OutgoingStreamOptions {
  readonly channel: Channel;
  readonly urls: readonly string[];
  readonly dialer: Dialer;
  readonly headers: () => OutgoingHttpHeaders;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly limits: PeerLimits;
  readonly sink: OutgoingStreamSink;
}

export interface OutgoingStreamSink {
  connected(url: string): void;
  /** A connection ended; what was on its way may be lost. */
  lost(url: string, reason: string): void;
  /** An attempt to connect failed; the next follows by itself. */
  refused(url: string, reason: string): void;
  /** Every URL in turn refused the connection: nobody listens there. */
  gone(): void;
  removed(): void;
  sent(bytes: number): void;
  oversized(message: Message): void;
  roundTrip(durationMs: number): void;
}

interface Connection {
  readonly url: string;
  readonly socket: Socket;
  readonly writer: StreamWriter;
  readonly sinceMs: number;
  readonly heartbeat: Timer;
}

/**
 * One stream to a peer: dialled by this member, which alone sends messages on it. Connects again for as long as it is
 * open, to all URLs of the peer in turn, and gives a connection up on which nothing comes back.
 */
export class OutgoingStream {
  readonly #options: OutgoingStreamOptions;
  #urls: readonly string[];
  #isClosed = false;
  #connection: Connection | undefined;
  #attempt: ClientRequest | undefined;
  #redial: Timer | undefined;
  #nextUrl = 0;
  /** Failures since the last connection that proved to work. */
  #failures = 0;
  /** How many attempts in a row found nobody listening. */
  #refusals = 0;

  constructor(options: OutgoingStreamOptions) {
    this.#options = options;
    this.#urls = options.urls;
  }

  get connectedSinceMs(): number | undefined {
    return this.#connection?.sinceMs;
  }

  /** Whether nothing waits to leave: all has been taken by the system, or there is no connection. */
  get isIdle(): boolean {
    const connection = this.#connection;
    if (connection === undefined) return true;
    return connection.writer.queuedMessages === 0 && connection.socket.writableLength === 0;
  }

  /** Begins to connect. */
  start(): void {
    this.#dial();
  }

  /** Queues the message; false when there is no connection or no room. */
  send(message: Message): boolean {
    return this.#connection?.writer.enqueue(message) ?? false;
  }

  /** A connection to a URL that is no longer among them is closed. */
  setUrls(urls: readonly string[]): void {
    this.#urls = urls;
    const connection = this.#connection;
    if (connection !== undefined && !urls.includes(connection.url)) {
      this.#drop(connection, "its URL is no longer advertised");
    }
  }

  /** Lets what is queued leave, and connects no more. `destroy` does the rest. */
  end(): void {
    this.#isClosed = true;
    this.#redial?.cancel();
    this.#attempt?.destroy();
    this.#connection?.writer.end();
  }

  destroy(): void {
    this.end();
    const connection = this.#connection;
    if (connection !== undefined) this.#drop(connection, "closed by this member");
  }

  #dial(): void {
    this.#redial = undefined;
    const url = this.#urls[this.#nextUrl % Math.max(1, this.#urls.length)];
    if (url === undefined || this.#isClosed) {
      this.#dialLater();
      return;
    }
    this.#nextUrl++;
    const { dialer, headers, channel, clock, limits, sink } = this.#options;
    let isSettled = false;
    const fail = (reason: string, code?: string): void => {
      if (isSettled) return;
      isSettled = true;
      timer?.cancel();
      this.#attempt = undefined;
      if (this.#isClosed) return;
      sink.refused(url, reason);
      this.#refusals = code === "ECONNREFUSED" ? this.#refusals + 1 : 0;
      if (this.#refusals >= this.#urls.length) sink.gone();
      this.#dialLater();
    };
    let timer: Timer | undefined;
    let request: ClientRequest;
    try {
      request = dialer.request({
        url,
        method: "GET",
        path: paths.stream,
        headers: { ...headers(), Connection: "Upgrade", Upgrade: STREAM_PROTOCOL, [CHANNEL_HEADER]: channel },
      });
    } catch (error) {
      fail(textOf(error));
      return;
    }
    this.#attempt = request;
    timer = clock.after(limits.dialTimeoutMs, () => request.destroy(new Error("no answer in time")));
    request.on("error", (error: NodeJS.ErrnoException) => fail(textOf(error), error.code));
    request.on("close", () => fail("the connection was closed"));
    request.on("response", (response) => this.#readAnswer(response, fail));
    request.on("upgrade", (_response, socket, head) => {
      timer?.cancel();
      isSettled = true;
      this.#attempt = undefined;
      this.#refusals = 0;
      this.#begin(url, socket as Socket, head);
    });
    request.end();
  }

  #readAnswer(response: IncomingMessage, fail: (reason: string) => void): void {
    readRefusal(response, (text) => {
      if (response.statusCode === REMOVED_STATUS && !this.#isClosed) this.#options.sink.removed();
      fail(`answered ${response.statusCode}${text === "" ? "" : `: ${text}`}`);
    });
  }

  /** All URLs are tried before a pause; pauses grow, and differ between members that lost the same peer. */
  #dialLater(): void {
    if (this.#isClosed) return;
    const { clock, prng, limits } = this.#options;
    this.#failures++;
    const rounds = Math.floor((this.#failures - 1) / Math.max(1, this.#urls.length));
    const isRoundOver = this.#failures % Math.max(1, this.#urls.length) === 0;
    const pauseMs = Math.min(limits.redialMsMax, limits.redialMsMin * 2 ** Math.min(rounds, 16));
    const delayMs = isRoundOver ? pauseMs / 2 + (prng.below(1_000) / 1_000) * (pauseMs / 2) : 0;
    this.#redial = clock.after(delayMs, () => this.#dial());
  }

  #begin(url: string, socket: Socket, head: Buffer): void {
    socket.on("error", () => {});
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    const { clock, limits, channel, sink } = this.#options;
    socket.setNoDelay(true);
    socket.setTimeout(0);
    let silentHeartbeats = 0;
    let pingsSent = 0;
    let pingedAtMs = 0;
    let pongsSeen = 0;
    const ping = (): void => {
      pingsSent++;
      pingedAtMs = clock.nowMs();
      writer.ping(pingsSent);
    };
    // Counted in heartbeats of ours, not in time: after a pause of this process the first look finds bytes waiting.
    const heartbeat = clock.every(limits.linkHeartbeatMs, () => {
      silentHeartbeats++;
      if (silentHeartbeats >= limits.linkSilenceHeartbeatsMax) {
        this.#drop(connection, "nothing came back for too long");
      } else if (pongsSeen === pingsSent) ping();
    });
    const writer = new StreamWriter(socket, {
      limits,
      queueBytesMax: channel === "urgent" ? limits.urgentQueueBytesMax : limits.bulkQueueBytesMax,
      onSent: (bytes) => sink.sent(bytes),
      onOversized: (message) => sink.oversized(message),
    });
    const connection: Connection = { url, socket, writer, sinceMs: clock.nowMs(), heartbeat };
    const reader = new FrameReader(limits.acknowledgementBytesMax, (payload) => {
      const { pong } = decodeFrame(payload, { messagesPerFrameMax: 0, entriesPerFrameMax: 0 });
      this.#failures = 0;
      if (pong !== pingsSent || pongsSeen === pingsSent) return;
      pongsSeen = pong;
      sink.roundTrip(clock.nowMs() - pingedAtMs);
    });
    const onData = (chunk: Buffer): void => {
      silentHeartbeats = 0;
      try {
        reader.push(chunk);
      } catch (error) {
        this.#drop(connection, textOf(error));
      }
    };
    let reason = "the peer closed the connection";
    socket.on("error", (error) => {
      reason = textOf(error);
    });
    socket.on("end", () => this.#drop(connection, reason));
    socket.on("close", () => this.#drop(connection, reason));
    this.#connection = connection;
    sink.connected(url);
    if (head.length > 0) onData(head);
    socket.on("data", onData);
    ping();
  }

  #drop(connection: Connection, reason: string): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    connection.heartbeat.cancel();
    connection.socket.destroy();
    this.#options.sink.lost(connection.url, reason);
    this.#dialLater();
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
