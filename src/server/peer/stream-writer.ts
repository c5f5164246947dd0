import type { Duplex } from "node:stream";
import type { Message } from "../raft/index.ts";
import { encodeFrame, FRAME_HEADER_BYTES } from "./frame.ts";
import type { PeerLimits } from "./limits.ts";
import { messageBytes } from "./message-codec.ts";

export interface StreamWriterOptions {
  readonly limits: PeerLimits;
  readonly queueBytesMax: number;
  /** Bytes of one frame were given to the socket. */
  readonly onSent: (bytes: number) => void;
  /** A message can never be sent: no frame may be so large, or hold so many entries. It is dropped. */
  readonly onOversized: (message: Message) => void;
}

/**
 * The sending half of a stream. All messages of one turn leave in one frame and one write. While the socket takes no
 * more, messages wait in a queue that is bounded in bytes and in number; at most one frame is encoded ahead.
 */
export class StreamWriter {
  readonly #socket: Duplex;
  readonly #options: StreamWriterOptions;
  #queue: Message[] = [];
  #queuedBytes = 0;
  #ping = 0;
  #isBlocked = false;
  #isFlushDue = false;
  #isEnding = false;

  constructor(socket: Duplex, options: StreamWriterOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on("drain", () => {
      this.#isBlocked = false;
      this.#flush();
    });
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get queuedMessages(): number {
    return this.#queue.length;
  }

  /** Queues the message; false when there is no room. One message has room whatever its size. */
  enqueue(message: Message): boolean {
    const bytes = messageBytes(message);
    const { queueBytesMax, limits } = this.#options;
    if (this.#queue.length >= limits.queueMessagesMax || this.#isEnding) return false;
    if (this.#queue.length > 0 && this.#queuedBytes + bytes > queueBytesMax) return false;
    this.#queue.push(message);
    this.#queuedBytes += bytes;
    this.#flushSoon();
    return true;
  }

  /** Sends a number to be given back, with the next frame. */
  ping(number: number): void {
    this.#ping = number;
    this.#flushSoon();
  }

  /** Ends the stream once what is queued has left. */
  end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#flush();
  }

  /** A microtask: what the turn still adds joins the same frame, and no pass of the event loop is waited for. */
  #flushSoon(): void {
    if (this.#isFlushDue || this.#isBlocked) return;
    this.#isFlushDue = true;
    queueMicrotask(() => {
      this.#isFlushDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (!this.#isBlocked && !this.#socket.destroyed && (this.#queue.length > 0 || this.#ping > 0)) {
      this.#writeFrame();
    }
    if (this.#isEnding && this.#queue.length === 0 && !this.#socket.writableEnded) this.#socket.end();
  }

  #writeFrame(): void {
    const { limits, onSent, onOversized } = this.#options;
    const messages = this.#take();
    const [first] = messages;
    // Several messages together never come near the limits.
    if (first !== undefined && first.entries.length > limits.entriesPerFrameMax) {
      onOversized(first);
      return;
    }
    const frame = encodeFrame({ messages, ping: this.#ping, pong: 0 });
    if (first !== undefined && frame.length - FRAME_HEADER_BYTES > limits.frameBytesMax) {
      onOversized(first);
      return;
    }
    this.#ping = 0;
    this.#isBlocked = !this.#socket.write(frame);
    onSent(frame.length);
  }

  /** The messages of the next frame: as many as the target allows, and at least one. */
  #take(): readonly Message[] {
    const { frameBytesTarget, messagesPerFrameMax, entriesPerFrameMax } = this.#options.limits;
    let count = 0;
    let bytes = 0;
    let entries = 0;
    while (count < this.#queue.length && count < messagesPerFrameMax) {
      const message = this.#queue[count] as Message;
      const size = messageBytes(message);
      entries += message.entries.length;
      if (count > 0 && (bytes + size > frameBytesTarget || entries > entriesPerFrameMax)) break;
      bytes += size;
      count++;
    }
    this.#queuedBytes -= bytes;
    if (count < this.#queue.length) return this.#queue.splice(0, count);
    const messages = this.#queue;
    this.#queue = [];
    return messages;
  }
}
