import type { Message } from "../../src/server/raft/index.ts";
import type { StateSnapshot } from "../../src/server/state/index.ts";
import type { Endpoint, Road } from "./endpoint.ts";
import type { Random } from "./random.ts";
import type { VirtualTime } from "./virtual-time.ts";

interface Transfer {
  readonly network: Road;
  readonly time: VirtualTime;
  readonly random: Random;
  readonly from: Endpoint;
  readonly message: Message;
  readonly state: StateSnapshot;
}

/** The stream broke off, or what arrived is not what was sent. */
class TransferError extends Error {
  override readonly name = "TransferError";
}

/**
 * One snapshot on its way: chunk by chunk, cut off by what cuts the link off, sometimes in the middle, sometimes
 * with a digest at its end that does not match.
 */
export function carrySnapshot(transfer: Transfer): void {
  const { network, time, random, from, message, state } = transfer;
  const { to } = message;
  const target = network.endpoint(to);
  network.counts.add("snapshots sent");
  const isFailing = network.isDisturbed && random.chance(network.settings.snapshotFailureRate);
  // After how many chunks it breaks off; beyond the last one it is the digest that is wrong.
  const failsAfter = isFailing ? random.below(4) : Number.POSITIVE_INFINITY;
  const iterator = iteratorOf(state.chunks);
  const inbox = new Inbox();
  let sent = 0;
  let isOver = false;
  const end = (succeeded: boolean): void => {
    if (isOver) return;
    isOver = true;
    state.close();
    if (!succeeded) network.counts.add("snapshots cut off");
    from.process.post(network.settings.latencyMs, `snapshot sent ${to}`, () =>
      from.handler.snapshotSent(to, succeeded),
    );
  };
  const fail = (): void => {
    target?.process.run(() => inbox.fail(new TransferError("the snapshot broke off")));
    end(false);
  };
  const isBroken = (): boolean =>
    target === undefined ||
    network.endpoint(to) !== target ||
    network.link(from.id, to).isBlocked ||
    from.process.isKilled;

  const next = (): void => {
    if (isOver) return;
    if (isBroken() || sent >= failsAfter) {
      fail();
      return;
    }
    const answer = iterator.next();
    if (!(answer instanceof Promise)) {
      carry(answer);
      return;
    }
    answer.then(
      (chunk) => from.process.run(() => carry(chunk)),
      () => from.process.run(fail),
    );
  };
  const carry = (chunk: IteratorResult<Buffer>): void => {
    if (isOver) return;
    const bytes = chunk.done === true ? 0 : chunk.value.length;
    const delayMs = network.settings.latencyMs + bytes / network.settings.bytesPerMs;
    time.after(delayMs, `snapshot ${from.id}>${to} ${sent} ${bytes}`, () => {
      if (isBroken()) {
        fail();
        return;
      }
      const receiver = target!;
      if (sent === 0) {
        receiver.process.run(() => {
          receiver.handler.receiveSnapshot(message, inbox.chunks()).then(
            () => end(true),
            () => end(false),
          );
        });
      }
      sent++;
      if (chunk.done !== true) {
        const copy = new Uint8Array(chunk.value);
        receiver.process.run(() => inbox.push(copy));
        from.process.run(next);
      } else if (failsAfter !== Number.POSITIVE_INFINITY) {
        fail();
      } else {
        receiver.process.run(() => inbox.finish());
      }
    });
  };
  next();
  // A member that died answers nothing more: its peer learns that from the connection.
  const watch = (): void => {
    if (isOver) return;
    if (isBroken()) fail();
    else time.after(WATCH_MS, "snapshot watch", watch);
  };
  time.after(WATCH_MS, "snapshot watch", watch);
}

const WATCH_MS = 1_000;

function iteratorOf(chunks: StateSnapshot["chunks"]): Iterator<Buffer> | AsyncIterator<Buffer> {
  return Symbol.iterator in chunks ? chunks[Symbol.iterator]() : chunks[Symbol.asyncIterator]();
}

/** What has arrived and was not read yet. */
class Inbox {
  readonly #chunks: Uint8Array[] = [];
  #error: Error | undefined;
  #isWhole = false;
  #wake: (() => void) | undefined;

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#wakeUp();
  }

  finish(): void {
    this.#isWhole = true;
    this.#wakeUp();
  }

  fail(error: Error): void {
    this.#error ??= error;
    this.#wakeUp();
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) yield chunk;
      else if (this.#error !== undefined) throw this.#error;
      else if (this.#isWhole) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
