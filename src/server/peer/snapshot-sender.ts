import type { ClientRequest, OutgoingHttpHeaders } from "node:http";
import { type Clock, type Timer, turnEnd } from "../../lib/clock.ts";
import { createDigest } from "../../lib/digest.ts";
import type { Message } from "../raft/index.ts";
import type { StateSnapshot } from "../state/index.ts";
import { type Dialer, readRefusal } from "./dialer.ts";
import { FRAME_HEADER_BYTES } from "./frame.ts";
import { paths } from "./headers.ts";
import type { PeerLimits } from "./limits.ts";
import type { Pacer } from "./pacer.ts";
import { encodeSnapshotRecord } from "./snapshot-record.ts";

/** The peer answered that it has the whole snapshot. */
const TAKEN_STATUS = 204;

export interface SnapshotSenderOptions {
  readonly message: Message;
  readonly state: StateSnapshot;
  readonly urls: readonly string[];
  readonly dialer: Dialer;
  readonly headers: OutgoingHttpHeaders;
  readonly clock: Clock;
  readonly limits: PeerLimits;
  readonly pacer: Pacer;
  readonly onSent: (bytes: number) => void;
  /** Called once, never from within the constructor or start(). `state` is closed by then. */
  readonly onEnd: (outcome: { readonly error: Error | undefined; readonly bytes: number }) => void;
}

/** The next URL may be tried: this one did not take anything. */
class NotReached extends Error {}

/**
 * One snapshot on its way to one peer, on a connection of its own. Chunks are made only as fast as the peer takes
 * them and the pacer allows. Whatever ends it, the state is closed once and the outcome told once.
 */
export class SnapshotSender {
  readonly #options: SnapshotSenderOptions;
  readonly #chunks: Iterator<Buffer> | AsyncIterator<Buffer>;
  #request: ClientRequest | undefined;
  #failure: Error | undefined;
  #status: number | undefined;
  #isInvited = false;
  #isDrained = true;
  #wake: () => void = () => {};
  #bytes = 0;

  constructor(options: SnapshotSenderOptions) {
    this.#options = options;
    const { chunks } = options.state;
    this.#chunks = Symbol.iterator in chunks ? chunks[Symbol.iterator]() : chunks[Symbol.asyncIterator]();
  }

  get message(): Message {
    return this.#options.message;
  }

  start(): void {
    // Not in this call: who asks for a snapshot is not told of its end before.
    this.#options.clock.defer(() => {
      this.#run()
        .catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))))
        .then((error) => this.#finish(error ?? undefined));
    });
  }

  abort(reason: string): void {
    this.#fail(new Error(reason));
  }

  async #run(): Promise<void> {
    let reached: Error = new Error("the peer has no URL");
    for (const url of this.#options.urls) {
      try {
        await this.#connect(url);
        await this.#sendAll();
        return;
      } catch (error) {
        if (!(error instanceof NotReached) || this.#failure !== undefined) throw error;
        reached = new Error(`${url}: ${error.message}`);
      }
    }
    throw reached;
  }

  /** Resolves when the peer wants the body. */
  async #connect(url: string): Promise<void> {
    this.#throwIfOver();
    const { dialer, headers, limits } = this.#options;
    let problem: Error | undefined;
    let request: ClientRequest;
    try {
      request = dialer.request({
        url,
        method: "POST",
        path: paths.snapshot,
        headers: { ...headers, Expect: "100-continue", "Content-Type": "application/octet-stream" },
      });
    } catch (error) {
      throw new NotReached(error instanceof Error ? error.message : String(error));
    }
    this.#request = request;
    request.on("continue", () => {
      this.#isInvited = true;
      this.#wake();
    });
    request.on("drain", () => {
      this.#isDrained = true;
      this.#wake();
    });
    request.on("response", (response) => {
      this.#status = response.statusCode;
      readRefusal(response, (text) => {
        const status = response.statusCode ?? 0;
        if (status !== TAKEN_STATUS) this.#fail(new Error(`the peer answered ${status}: ${text}`));
        this.#wake();
      });
    });
    const onProblem = (error: Error): void => {
      problem ??= error;
      if (this.#isInvited) this.#fail(problem);
      this.#wake();
    };
    request.on("error", onProblem);
    request.on("close", () => onProblem(new Error("the connection was closed")));
    request.flushHeaders();
    const isTimely = await this.#until(
      () => this.#isInvited || problem !== undefined || this.#status !== undefined,
      limits.dialTimeoutMs,
    );
    this.#throwIfOver();
    if (this.#isInvited) return;
    if (this.#status !== undefined) {
      // An answer without an invitation: its text follows at once, or the connection ends.
      await this.#until(() => problem !== undefined, limits.dialTimeoutMs);
      this.#throwIfOver();
      throw new Error(`the peer answered ${this.#status} before it had the snapshot`);
    }
    request.destroy();
    throw new NotReached(isTimely ? (problem?.message ?? "") : "no answer in time");
  }

  async #sendAll(): Promise<void> {
    const { limits, message } = this.#options;
    const digest = createDigest();
    const first = encodeSnapshotRecord({ kind: "message", message });
    digest.update(first.subarray(FRAME_HEADER_BYTES));
    await this.#write(first);
    let chunks = 0;
    let bytes = 0;
    for (;;) {
      const answer = this.#chunks.next();
      const next = answer instanceof Promise ? await answer : answer;
      this.#throwIfOver();
      if (next.done === true) break;
      digest.update(next.value);
      chunks++;
      bytes += next.value.length;
      await this.#write(encodeSnapshotRecord({ kind: "chunk", chunk: next.value }));
      if (this.#status !== undefined) break;
    }
    if (this.#status === undefined) {
      await this.#write(
        encodeSnapshotRecord({ kind: "end", end: { chunks, bytes, sha256: digest.finish() } }),
      );
      this.#request?.end();
    }
    const isTimely = await this.#until(() => this.#status === TAKEN_STATUS, limits.snapshotAnswerMs);
    this.#throwIfOver();
    if (!isTimely) throw new Error("the peer did not say whether it has the snapshot");
  }

  /** Resolves when the next frame may be made: the pacer's time has come and the socket has taken this one. */
  async #write(frame: Buffer): Promise<void> {
    const { clock, pacer, limits, onSent } = this.#options;
    const delayMs = pacer.reserve(frame.length);
    if (delayMs >= 1) await this.#until(() => false, delayMs);
    // Making chunks must not hold up what else this thread has to do.
    else await turnEnd(clock);
    this.#throwIfOver();
    if (this.#status !== undefined) return;
    this.#isDrained = this.#request?.write(frame) ?? false;
    this.#bytes += frame.length;
    onSent(frame.length);
    const isTimely = await this.#until(
      () => this.#isDrained || this.#status !== undefined,
      limits.snapshotStallMs,
    );
    this.#throwIfOver();
    if (!isTimely) throw new Error("the peer took nothing for too long");
  }

  /** Waits until `isMet`, or something failed, or the time is over: false then. */
  async #until(isMet: () => boolean, timeoutMs: number): Promise<boolean> {
    let isLate = false;
    const timer: Timer = this.#options.clock.after(timeoutMs, () => {
      isLate = true;
      this.#wake();
    });
    while (!isMet() && !isLate && this.#failure === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    timer.cancel();
    return !isLate;
  }

  #fail(error: Error): void {
    // What comes after the peer has said that it has everything changes nothing.
    if (this.#status === TAKEN_STATUS) return;
    this.#failure ??= error;
    this.#wake();
  }

  #throwIfOver(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #finish(error: Error | undefined): void {
    this.#request?.destroy();
    void this.#chunks.return?.();
    this.#options.state.close();
    this.#options.onEnd({ error, bytes: this.#bytes });
  }
}
