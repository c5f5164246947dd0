import assert from "node:assert/strict";
import { SystemClock } from "../../../../src/lib/clock.ts";
import { type errorTable, RequestError } from "../../../../src/lib/errors.ts";
import { silentLog } from "../../../../src/lib/log.ts";
import {
  type CallContext,
  createMethodTable,
  type DuplexStream,
  type MethodTable,
  type MethodTableOptions,
  type ServerStream,
  sendQueueLimits,
} from "../../../../src/server/api/index.ts";
import type { ServerNode } from "../../../../src/server/node/index.ts";

export const tableOptions: MethodTableOptions = {
  requestBytesMax: 1_572_864,
  txnOpsMax: 128,
  electionTimeoutMs: 1_000,
  clock: new SystemClock(),
  log: silentLog,
};

export class FakeContext implements CallContext {
  readonly metadata: Map<string, string>;
  readonly timeoutMs = undefined;
  readonly peer = "127.0.0.1:1";
  isCancelled = false;
  readonly #listeners: (() => void)[] = [];

  constructor(metadata: Record<string, string> = {}) {
    this.metadata = new Map(Object.entries(metadata));
  }

  onCancel(fn: () => void): void {
    if (this.isCancelled) fn();
    else this.#listeners.push(fn);
  }

  cancel(): void {
    this.isCancelled = true;
    for (const listener of this.#listeners.splice(0)) listener();
  }
}

/** A stream whose peer takes messages at once, or only by `take` when it does not read. */
export class FakeStream implements DuplexStream, ServerStream {
  readonly context: FakeContext;
  readonly sent: Buffer[] = [];
  queuedBytes = 0;
  queuedMessages = 0;
  isReading = true;
  isPaused = false;
  /** undefined: open; "ok" or the error it was ended with. */
  ended: "ok" | Error | undefined;
  #queue: Buffer[] = [];
  #isBlocked = false;
  #inbox: Buffer[] = [];
  #message: ((message: Buffer) => void) | undefined;
  #halfClose: (() => void) | undefined;
  #drain: (() => void) | undefined;

  constructor(metadata: Record<string, string> = {}) {
    this.context = new FakeContext(metadata);
  }

  send(message: Buffer): boolean {
    if (this.ended !== undefined || this.context.isCancelled) return false;
    if (this.isReading) {
      this.sent.push(message);
      return true;
    }
    this.#queue.push(message);
    this.queuedBytes += message.length;
    this.queuedMessages++;
    if (this.queuedBytes < sendQueueLimits.bytesMax && this.queuedMessages < sendQueueLimits.messagesMax) {
      return true;
    }
    this.#isBlocked = true;
    return false;
  }

  /** The peer takes what is queued, and goes on reading. */
  take(): void {
    this.isReading = true;
    this.sent.push(...this.#queue);
    this.#queue = [];
    this.queuedBytes = 0;
    this.queuedMessages = 0;
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    this.#drain?.();
  }

  /** The peer sends; an error of the handler ends the stream, as transports do. */
  receive(message: Buffer): void {
    this.#inbox.push(message);
    this.#deliver();
  }

  halfClose(): void {
    this.#halfClose?.();
  }

  onMessage(fn: (message: Buffer) => void): void {
    this.#message = fn;
  }

  onHalfClose(fn: () => void): void {
    this.#halfClose = fn;
  }

  onDrain(fn: () => void): void {
    this.#drain = fn;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.#deliver();
  }

  end(error?: Error): void {
    this.ended ??= error ?? "ok";
  }

  /** Messages that wait for `resume`. */
  get waiting(): number {
    return this.#inbox.length;
  }

  #deliver(): void {
    while (!this.isPaused && this.#inbox.length > 0 && this.ended === undefined) {
      try {
        this.#message?.(this.#inbox.shift() as Buffer);
      } catch (error) {
        this.end(error as Error);
      }
    }
  }
}

export class FakeApi {
  readonly methods: MethodTable;

  constructor(node: ServerNode, options: Partial<MethodTableOptions> = {}) {
    this.methods = createMethodTable(node, { ...tableOptions, ...options });
  }

  async call(path: string, request: Buffer, metadata: Record<string, string> = {}): Promise<Buffer> {
    const method = this.methods.get(path);
    assert.ok(method?.kind === "unary", path);
    return method.handle(request, new FakeContext(metadata));
  }

  /** Opens a duplex stream; what the handler throws ends it. */
  open(path: string, metadata: Record<string, string> = {}): FakeStream {
    const method = this.methods.get(path);
    assert.ok(method?.kind === "duplex", path);
    const stream = new FakeStream(metadata);
    try {
      method.handle(stream);
    } catch (error) {
      stream.end(error as Error);
    }
    return stream;
  }

  /** Starts a server stream; `isReading` false: the peer takes nothing until `take`. */
  stream(path: string, request: Buffer, isReading = true): FakeStream {
    const method = this.methods.get(path);
    assert.ok(method?.kind === "serverStream", path);
    const stream = new FakeStream();
    stream.isReading = isReading;
    method.handle(request, stream);
    return stream;
  }

  async rejects(
    path: string,
    request: Buffer,
    code: keyof typeof errorTable,
    metadata: Record<string, string> = {},
  ): Promise<void> {
    await assert.rejects(this.call(path, request, metadata), (error) => {
      assert.ok(error instanceof RequestError, String(error));
      assert.equal(error.code, code);
      return true;
    });
  }
}

export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `in time: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
