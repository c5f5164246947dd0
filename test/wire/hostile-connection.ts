import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import {
  FrameReader,
  frame,
  frameFlag,
  frameType,
  http2Error,
  PREFACE,
  type ReceivedFrame,
  setting,
  settings,
  settingsAck,
} from "./http2-frames.ts";
import { happened, PATIENCE_MS } from "./patience.ts";

const DEFAULT_WINDOW = 65_535;

export interface ConnectOptions {
  readonly isTls?: boolean;
  /** Never reads the socket. */
  readonly isDeaf?: boolean;
  /** Says nothing by itself: no preface, no acknowledgements. */
  readonly isBare?: boolean;
  /** Acknowledges nothing: no frame of ours gets in between. */
  readonly isMute?: boolean;
  /** The SETTINGS that follow the preface. */
  readonly settings?: Buffer;
}

/** A connection of a peer that means harm: it sends what it is told to, and notes what comes back. */
export class HostileConnection {
  readonly socket: Socket;
  readonly frameCounts = new Map<number, number>();
  /** RST_STREAM frames by their code. */
  readonly resets = new Map<number, number>();
  /** HEADERS with END_STREAM: calls that were ended in good order. */
  endedCalls = 0;
  receivedBytes = 0;
  /** Codes of GOAWAY frames: there may be a graceful one first. */
  readonly goawayCodes: number[] = [];
  /** What may still be sent, by the server's windows: of the connection (0) and of stream 1. */
  readonly windows = [DEFAULT_WINDOW, DEFAULT_WINDOW];
  isClosed = false;
  readonly #reader = new FrameReader();
  readonly #options: ConnectOptions;
  readonly #changed = new Set<() => void>();

  private constructor(socket: Socket, options: ConnectOptions) {
    this.socket = socket;
    this.#options = options;
    socket.on("error", () => {}); // 'close' follows and is what counts
    socket.on("close", () => {
      this.isClosed = true;
      this.#tell();
    });
    if (options.isDeaf !== true) socket.on("data", (chunk: Buffer) => this.#take(chunk));
  }

  static async open(port: number, options: ConnectOptions = {}): Promise<HostileConnection> {
    const socket =
      options.isTls === true
        ? connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: ["h2"] })
        : connect(port, "127.0.0.1");
    const connection = new HostileConnection(socket, options);
    const event = options.isTls === true ? "secureConnect" : "connect";
    await happened((done) => {
      socket.once(event, done);
      socket.once("close", done);
    });
    if (options.isBare !== true) {
      socket.write(Buffer.concat([PREFACE, options.settings ?? settings()]));
    }
    return connection;
  }

  send(...parts: readonly Buffer[]): void {
    if (!this.isClosed && this.socket.writable) this.socket.write(Buffer.concat(parts));
  }

  /**
   * Sends `chunkOf(0)`, `chunkOf(1)`, ... up to `count`, no faster than they leave, until the server closes or
   * `limitMs` is over. Answers how many were given to the system.
   */
  async flood(count: number, chunkOf: (index: number) => Buffer, limitMs: number): Promise<number> {
    const deadline = performance.now() + limitMs;
    let sent = 0;
    while (sent < count && !this.isClosed && this.socket.writable && performance.now() < deadline) {
      // A turn of the loop now and then, so that answers are read.
      if (sent % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
      if (!this.socket.write(chunkOf(sent++))) {
        const left = Math.max(1, deadline - performance.now());
        let stop = (): void => {};
        await happened((done) => {
          this.socket.once("drain", done).once("close", done);
          stop = () => this.socket.off("drain", done).off("close", done);
        }, left);
        stop();
      }
    }
    return sent;
  }

  get #answers(): boolean {
    return this.#options.isBare !== true && this.#options.isMute !== true;
  }

  /** The server has said GOAWAY with an error, or has closed. */
  get isRefused(): boolean {
    return this.isClosed || this.goawayCodes.some((code) => code !== http2Error.noError);
  }

  until(isTrue: () => boolean, limitMs = PATIENCE_MS): Promise<boolean> {
    if (isTrue()) return Promise.resolve(true);
    let listener: (() => void) | undefined;
    return happened((done) => {
      listener = () => isTrue() && done();
      this.#changed.add(listener);
    }, limitMs).finally(() => listener && this.#changed.delete(listener));
  }

  /** Throws unless the connection is refused, and let go of, in time. */
  async mustBeLetGo(limitMs = PATIENCE_MS): Promise<string> {
    if (!(await this.until(() => this.isRefused, limitMs))) {
      throw new Error(`neither GOAWAY nor closed: ${this.seen()}`);
    }
    if (!(await this.until(() => this.isClosed, limitMs))) {
      throw new Error(`GOAWAY ${this.goawayCodes}, but the socket stays open`);
    }
    return this.seen();
  }

  /** Throws unless the connection serves: a PING is answered. */
  async mustServe(): Promise<string> {
    const before = this.frameCounts.get(frameType.ping) ?? 0;
    this.send(Buffer.from([0, 0, 8, frameType.ping, 0, 0, 0, 0, 0]), Buffer.alloc(8));
    const answered = await this.until(() => (this.frameCounts.get(frameType.ping) ?? 0) > before);
    if (!answered || this.isClosed) throw new Error(`no longer served: ${this.seen()}`);
    return this.seen();
  }

  /** Waits until it is quiet for a moment; for printing, not for a verdict. */
  async settle(ms = 200): Promise<void> {
    await sleep(ms);
  }

  seen(): string {
    const parts: string[] = [];
    if (this.goawayCodes.length > 0) parts.push(`GOAWAY ${this.goawayCodes}`);
    for (const [code, count] of this.resets) parts.push(`${count} RST_STREAM ${code}`);
    if (this.endedCalls > 0) parts.push(`${this.endedCalls} calls answered`);
    parts.push(this.isClosed ? "closed" : "open");
    return parts.join(", ");
  }

  destroy(): void {
    this.socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.receivedBytes += chunk.length;
    for (const received of this.#reader.read(chunk)) this.#note(received);
    this.#tell();
  }

  #note({ type, flags, streamId, payload }: ReceivedFrame): void {
    this.frameCounts.set(type, (this.frameCounts.get(type) ?? 0) + 1);
    const isAck = (flags & frameFlag.ack) !== 0;
    switch (type) {
      case frameType.goaway:
        this.goawayCodes.push(payload.readUInt32BE(4));
        return;
      case frameType.rstStream: {
        const code = payload.readUInt32BE(0);
        this.resets.set(code, (this.resets.get(code) ?? 0) + 1);
        return;
      }
      case frameType.headers:
        if ((flags & frameFlag.endStream) !== 0) this.endedCalls++;
        return;
      case frameType.windowUpdate:
        if (streamId <= 1) this.windows[streamId] = (this.windows[streamId] ?? 0) + payload.readUInt32BE(0);
        return;
      case frameType.settings:
        if (isAck) return;
        for (let at = 0; at < payload.length; at += 6) {
          if (payload.readUInt16BE(at) === setting.initialWindowSize) {
            this.windows[1] = (this.windows[1] ?? 0) + payload.readUInt32BE(at + 2) - DEFAULT_WINDOW;
          }
        }
        if (this.#answers) this.send(settingsAck);
        return;
      case frameType.ping:
        if (!isAck && this.#options.isBare !== true)
          this.send(frame(frameType.ping, frameFlag.ack, 0, payload));
    }
  }

  #tell(): void {
    for (const listener of this.#changed) listener();
  }
}
