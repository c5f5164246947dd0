import type { Socket } from "node:net";
import type { Prng } from "../../../src/lib/prng.ts";
import type { LinkFault } from "./links.ts";

interface Piece {
  readonly bytes: Buffer;
  readonly dueMs: number;
}

/** Bytes held for a slow or stalled link before the sender is made to wait. */
const HELD_BYTES_MAX = 256 * 1024;

/** One direction of a proxied connection: takes bytes from `source` and hands them to `sink` as the link's fault says. */
export class Flow {
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #fault: () => LinkFault | undefined;
  readonly #prng: Prng;
  #held: Piece[] = [];
  #heldBytes = 0;
  #lastDueMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #isSourceEnded = false;
  #isSinkFull = false;
  /** Bytes of this connection are gone for good: it can only be reset. */
  hasDropped = false;

  constructor(source: Socket, sink: Socket, fault: () => LinkFault | undefined, prng: Prng) {
    this.#source = source;
    this.#sink = sink;
    this.#fault = fault;
    this.#prng = prng;
    source.on("data", (bytes: Buffer) => this.take(bytes));
    source.once("end", () => this.#ended());
    source.once("close", () => this.#ended());
    sink.on("drain", () => {
      this.#isSinkFull = false;
      this.#pump();
    });
  }

  take(bytes: Buffer): void {
    const fault = this.#fault();
    if (fault?.kind === "drop") {
      this.hasDropped = true;
      return;
    }
    let dueMs = performance.now();
    if (fault?.kind === "slow") {
      const jitterMs = this.#prng.below(Math.max(1, fault.jitterMs));
      const wireMs = (bytes.length * 1_000) / fault.bytesPerSecond;
      dueMs = Math.max(dueMs + fault.delayMs + jitterMs, this.#lastDueMs + wireMs);
    }
    this.#lastDueMs = Math.max(dueMs, this.#lastDueMs);
    this.#held.push({ bytes, dueMs: this.#lastDueMs });
    this.#heldBytes += bytes.length;
    this.#pump();
    if (this.#heldBytes > HELD_BYTES_MAX) this.#source.pause();
  }

  /** The link's fault is another one now. */
  refresh(): void {
    if (this.#fault()?.kind !== "slow") {
      this.#held = this.#held.map(({ bytes }) => ({ bytes, dueMs: 0 }));
      this.#lastDueMs = 0;
    }
    this.#pump();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#held = [];
  }

  #pump(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const kind = this.#fault()?.kind;
    // Neither bytes nor the end of the stream get through.
    if (kind === "stall" || kind === "drop") return;
    const nowMs = performance.now();
    while (!this.#isSinkFull) {
      const piece = this.#held[0];
      if (piece === undefined) break;
      if (piece.dueMs > nowMs) {
        this.#timer = setTimeout(() => this.#pump(), piece.dueMs - nowMs);
        return;
      }
      this.#held.shift();
      this.#heldBytes -= piece.bytes.length;
      if (!this.#sink.destroyed) this.#isSinkFull = !this.#sink.write(piece.bytes);
    }
    if (this.#heldBytes <= HELD_BYTES_MAX && this.#source.isPaused()) this.#source.resume();
    if (this.#isSourceEnded && this.#held.length === 0) this.#sink.end();
  }

  #ended(): void {
    this.#isSourceEnded = true;
    this.#pump();
  }
}
