import { type ReadOnlyOption, readOnlyOption } from "./config.ts";
import { jointIndex } from "./quorum.ts";
import type { TrackerConfig } from "./tracker.ts";
import type { Message } from "./types.ts";

/** A read, and the commit index at the time it came. */
export interface PendingRead {
  readonly request: Message;
  readonly index: number;
}

const POSITION_BYTES = 8;

/**
 * The reads that wait for a quorum to say that this member still leads (raft-core-spec section 11). Every heartbeat
 * carries the position up to which reads have come; its answer confirms them all, so that lost ones lose nothing.
 */
export class ReadRounds {
  readonly option: ReadOnlyOption;
  readonly #acks = new Map<bigint, number>();
  #unconfirmed: PendingRead[] = [];
  /** Reads confirmed so far: the position of the first that is not. */
  #confirmed = 0;

  constructor(option: ReadOnlyOption) {
    this.option = option;
  }

  get isSafe(): boolean {
    return this.option === readOnlyOption.safe;
  }

  add(read: PendingRead): void {
    this.#unconfirmed.push(read);
  }

  /** What a heartbeat carries now: the position, 8 bytes little-endian; nothing when no read waits. */
  heartbeatContext(): Uint8Array {
    if (this.#unconfirmed.length === 0) return new Uint8Array(0);
    const context = new Uint8Array(POSITION_BYTES);
    const position = this.#confirmed + this.#unconfirmed.length;
    new DataView(context.buffer).setBigUint64(0, BigInt(position), true);
    return context;
  }

  /** A peer has answered a heartbeat that carried `context`. */
  acknowledge(from: bigint, context: Uint8Array): void {
    if (context.length !== POSITION_BYTES) return;
    const view = new DataView(context.buffer, context.byteOffset, context.byteLength);
    const position = Number(view.getBigUint64(0, true));
    this.#acks.set(from, Math.max(this.#acks.get(from) ?? 0, position));
  }

  /** Takes the reads that a quorum has confirmed by now. */
  takeConfirmed({ incoming, outgoing }: TrackerConfig): PendingRead[] {
    const position = jointIndex(incoming, outgoing, (id) => this.#acks.get(id));
    if (position <= this.#confirmed) return [];
    const confirmed = this.#unconfirmed.splice(0, position - this.#confirmed);
    this.#confirmed += confirmed.length;
    return confirmed;
  }
}
