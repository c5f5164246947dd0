import type { IncomingMessage } from "node:http";
import type { Clock } from "../../lib/clock.ts";
import { createDigest, type Digest } from "../../lib/digest.ts";
import { DecodeError } from "../../lib/errors.ts";
import { type Message, messageType } from "../raft/index.ts";
import { FrameReader } from "./frame-reader.ts";
import { hexId } from "./headers.ts";
import type { PeerLimits } from "./limits.ts";
import { decodeSnapshotRecord, type SnapshotEnd } from "./snapshot-record.ts";

export interface SnapshotReceiverOptions {
  readonly request: IncomingMessage;
  readonly peer: bigint;
  readonly self: bigint;
  readonly clock: Clock;
  readonly limits: PeerLimits;
  readonly onReceived: (bytes: number) => void;
}

/**
 * One snapshot on its way in. Records are read only when they are asked for, so that the sender waits for a slow
 * disk. Every method throws DecodeError for what is damaged, cut short or not allowed, and when nothing comes for too
 * long; `problem` keeps the first of these.
 */
export class SnapshotReceiver {
  readonly #options: SnapshotReceiverOptions;
  readonly #reader: FrameReader;
  readonly #body: AsyncIterator<Buffer>;
  /** Payloads that came together; those before #next are done with. */
  #payloads: Buffer[] = [];
  #next = 0;
  readonly #digest: Digest = createDigest();
  #problem: DecodeError | undefined;

  constructor(options: SnapshotReceiverOptions) {
    this.#options = options;
    this.#reader = new FrameReader(options.limits.frameBytesMax, (payload) => this.#payloads.push(payload));
    this.#body = options.request.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  }

  get problem(): DecodeError | undefined {
    return this.#problem;
  }

  /** The connection is of no more use; who waits for a chunk gets an error. */
  abort(reason: string): void {
    this.#problem ??= new DecodeError(reason);
    this.#options.request.destroy();
  }

  /** Lets go of the body, so that what is still coming can be thrown away. */
  release(): void {
    this.#body.return?.().catch(() => {});
  }

  /** The message that the snapshot stands for: the first record. */
  async message(): Promise<Message> {
    const payload = await this.#payload();
    if (payload === undefined) throw this.#fail("a snapshot has no message");
    const record = this.#decode(payload);
    const { peer, self } = this.#options;
    if (record.kind !== "message") throw this.#fail("a snapshot begins with its message");
    const { message } = record;
    if (message.type !== messageType.snap || message.snapshot === undefined) {
      throw this.#fail("the message of a snapshot is no snapshot message");
    }
    if (message.from !== peer || message.to !== self) {
      throw this.#fail(`a snapshot message from ${hexId(message.from)} to ${hexId(message.to)} came here`);
    }
    this.#digest.update(payload);
    return message;
  }

  /** The chunks, to their end; returns only when count, size and digest are right and nothing follows. */
  async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    let chunks = 0;
    let bytes = 0;
    for (;;) {
      const payload = await this.#payload();
      if (payload === undefined) throw this.#fail("a snapshot was cut short");
      const record = this.#decode(payload);
      if (record.kind === "message") throw this.#fail("a snapshot holds a second message");
      if (record.kind === "end") {
        this.#check(record.end, chunks, bytes);
        if ((await this.#payload()) !== undefined)
          throw this.#fail("something follows the end of a snapshot");
        return;
      }
      chunks++;
      bytes += record.chunk.length;
      this.#digest.update(record.chunk);
      yield record.chunk;
    }
  }

  #check(end: SnapshotEnd, chunks: number, bytes: number): void {
    if (end.chunks !== chunks || end.bytes !== bytes) {
      throw this.#fail(`a snapshot of ${end.chunks} chunks, ${end.bytes} bytes came as ${chunks}, ${bytes}`);
    }
    if (!Buffer.from(end.sha256).equals(this.#digest.finish())) {
      throw this.#fail("the digest of a snapshot does not fit what came");
    }
  }

  /** The next payload; undefined at the end of the body. */
  async #payload(): Promise<Buffer | undefined> {
    for (;;) {
      if (this.#problem !== undefined) throw this.#problem;
      const payload = this.#payloads[this.#next];
      if (payload !== undefined) {
        this.#next++;
        return payload;
      }
      this.#payloads = [];
      this.#next = 0;
      const chunk = await this.#read();
      if (chunk === undefined) {
        if (!this.#reader.isBetweenFrames) throw this.#fail("a snapshot was cut short");
        return undefined;
      }
      this.#options.onReceived(chunk.length);
      try {
        this.#reader.push(chunk);
      } catch (error) {
        if (error instanceof DecodeError) throw this.#fail(error.message);
        throw error;
      }
    }
  }

  async #read(): Promise<Buffer | undefined> {
    const { clock, limits } = this.#options;
    const timer = clock.after(limits.snapshotStallMs, () =>
      this.abort("nothing of a snapshot came for too long"),
    );
    try {
      const next = await this.#body.next();
      return next.done === true ? undefined : next.value;
    } catch {
      throw this.#fail("the connection broke off in the middle of a snapshot");
    } finally {
      timer.cancel();
    }
  }

  #decode(payload: Buffer): ReturnType<typeof decodeSnapshotRecord> {
    try {
      return decodeSnapshotRecord(payload);
    } catch (error) {
      if (error instanceof DecodeError) throw this.#fail(error.message);
      throw error;
    }
  }

  #fail(reason: string): DecodeError {
    this.#problem ??= new DecodeError(reason);
    return this.#problem;
  }
}
