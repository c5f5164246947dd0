import type { Socket } from "node:net";
import type { Clock } from "../../lib/clock.ts";
import { DecodeError } from "../../lib/errors.ts";
import { type Message, messageType } from "../raft/index.ts";
import { decodeFrame, encodeFrame } from "./frame.ts";
import { FrameReader } from "./frame-reader.ts";
import { hexId } from "./headers.ts";
import type { PeerLimits } from "./limits.ts";

export interface IncomingStreamOptions {
  readonly socket: Socket;
  /** What came with the request for the stream. */
  readonly head: Buffer;
  readonly peer: bigint;
  readonly self: bigint;
  readonly clock: Clock;
  readonly limits: PeerLimits;
  readonly onMessages: (messages: readonly Message[]) => void;
  readonly onReceived: (bytes: number) => void;
  /** The stream is over. `violation`: what the peer sent that it may not; undefined for any other end. */
  readonly onClosed: (violation: string | undefined) => void;
}

/** What may come from another member than the one that hands it on (raft-core-spec 1.1: forwarded to the leader). */
const forwarded = new Set<number>([messageType.prop, messageType.readIndex, messageType.transferLeader]);

/**
 * One stream that a peer dialled: its messages come in, and nothing leaves but acknowledgements, which tell the peer
 * that the link lives. The first thing on it that is damaged or not allowed ends it.
 */
export class IncomingStream {
  readonly #options: IncomingStreamOptions;
  readonly #reader: FrameReader;
  readonly #heartbeat;
  #isClosed = false;
  #hasNews = false;
  #silentHeartbeats = 0;
  #lastPing = 0;
  #isPongDue = false;

  constructor(options: IncomingStreamOptions) {
    this.#options = options;
    const { socket, clock, limits } = options;
    this.#reader = new FrameReader(limits.frameBytesMax, (payload) => this.#onPayload(payload));
    this.#heartbeat = clock.every(limits.linkHeartbeatMs, () => this.#onHeartbeat());
    socket.setNoDelay(true);
    socket.setTimeout(0);
    socket.on("error", () => {});
    socket.on("end", () => this.close());
    socket.on("close", () => this.close());
  }

  /** Takes what came with the request, then all that follows. */
  start(): void {
    const { socket, head } = this.#options;
    if (head.length > 0) this.#onData(head);
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
  }

  close(violation?: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#heartbeat.cancel();
    this.#options.socket.destroy();
    this.#options.onClosed(violation);
  }

  #onData(chunk: Buffer): void {
    if (this.#isClosed) return;
    this.#hasNews = true;
    this.#options.onReceived(chunk.length);
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.close(error.message);
    }
    // Once for all that came together: a flood of pings is answered with a trickle.
    if (this.#isPongDue) this.#acknowledge();
  }

  #onPayload(payload: Buffer): void {
    if (this.#isClosed) return;
    const { messages, ping } = decodeFrame(payload, this.#options.limits);
    for (const message of messages) this.#check(message);
    if (ping > 0) {
      this.#lastPing = ping;
      this.#isPongDue = true;
    }
    if (messages.length > 0) this.#options.onMessages(messages);
  }

  #check(message: Message): void {
    const { peer, self } = this.#options;
    if (message.to !== self) throw new DecodeError(`a message for member ${hexId(message.to)} came here`);
    if (message.from !== peer && !forwarded.has(message.type)) {
      throw new DecodeError(`a message says that it comes from ${hexId(message.from)}`);
    }
    if (message.type === messageType.snap) throw new DecodeError("a snapshot came without its state");
  }

  /** A long frame on a slow link has no ping in it: its bytes are acknowledged all the same. */
  #onHeartbeat(): void {
    if (this.#hasNews) {
      this.#hasNews = false;
      this.#silentHeartbeats = 0;
      this.#acknowledge();
      return;
    }
    this.#silentHeartbeats++;
    if (this.#silentHeartbeats >= this.#options.limits.linkSilenceHeartbeatsMax) this.close();
  }

  #acknowledge(): void {
    const { socket, limits } = this.#options;
    this.#isPongDue = false;
    if (socket.destroyed || socket.writableLength > limits.acknowledgementBacklogBytesMax) return;
    socket.write(encodeFrame({ messages: [], ping: 0, pong: this.#lastPing }));
  }
}
