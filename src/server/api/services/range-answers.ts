import { encodeRangeResponse, type KeyValue, type RangeResponse } from "../../../codec/index.ts";
import { type Clock, turnEnd } from "../../../lib/clock.ts";
import type { Eventual } from "../../../lib/eventual.ts";
import type { CallContext } from "../transport.ts";

/** About so much is encoded in one turn: some milliseconds. */
const BITE_BYTES = 1 << 20;
/** What a key costs beside its bytes. */
const KEY_OVERHEAD_BYTES = 64;
/** So much is copied in one turn. */
const COPIED_BYTES = 16 << 20;
const NOTHING = Buffer.alloc(0);

/**
 * Encodes what Range answers. Large answers are made one at a time and over many turns: a million keys at once would
 * keep heartbeats waiting for most of a second. Protobuf lets a message be the encodings of its parts one after the other.
 */
export class RangeAnswers {
  readonly #clock: Clock;
  /** Resolves when the large answers so far are made. */
  #made: Promise<void> = Promise.resolve();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What comes of a call that is cancelled meanwhile is of no use to anybody, and empty. */
  encode(response: RangeResponse, call: Pick<CallContext, "isCancelled">): Eventual<Buffer> {
    if (biteEnd(response.kvs, 0) === response.kvs.length) return encodeRangeResponse(response);
    const answer = this.#made.then(() => this.#encodeInBites(response, call));
    // Not the answer: it would stay in memory until the next one.
    this.#made = answer.then(
      () => {},
      () => {},
    );
    return answer;
  }

  async #encodeInBites(
    { header, kvs, more, count }: RangeResponse,
    call: Pick<CallContext, "isCancelled">,
  ): Promise<Buffer> {
    const parts = [encodeRangeResponse({ header, kvs: [], more: false, count: 0 })];
    for (let from = 0; from < kvs.length; ) {
      if (call.isCancelled) return NOTHING;
      const end = biteEnd(kvs, from);
      parts.push(
        encodeRangeResponse({ header: undefined, kvs: kvs.slice(from, end), more: false, count: 0 }),
      );
      from = end;
      await turnEnd(this.#clock);
    }
    parts.push(encodeRangeResponse({ header: undefined, kvs: [], more, count }));
    return this.#join(parts);
  }

  async #join(parts: readonly Buffer[]): Promise<Buffer> {
    const whole = Buffer.allocUnsafeSlow(parts.reduce((bytes, part) => bytes + part.length, 0));
    let at = 0;
    let yieldedAt = 0;
    for (const part of parts) {
      at += part.copy(whole, at);
      if (at - yieldedAt < COPIED_BYTES) continue;
      yieldedAt = at;
      await turnEnd(this.#clock);
    }
    return whole;
  }
}

/** The end of the bite that begins with the key at `from`: one key at least. */
function biteEnd(kvs: readonly KeyValue[], from: number): number {
  let bytes = 0;
  for (let i = from; i < kvs.length; i++) {
    const { key, value } = kvs[i] as KeyValue;
    if (bytes >= BITE_BYTES) return i;
    bytes += key.length + value.length + KEY_OVERHEAD_BYTES;
  }
  return kvs.length;
}
