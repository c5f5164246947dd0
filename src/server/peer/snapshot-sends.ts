import type { OutgoingHttpHeaders } from "node:http";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Message } from "../raft/index.ts";
import type { StateSnapshot } from "../state/index.ts";
import type { Dialer } from "./dialer.ts";
import { hexId } from "./headers.ts";
import type { PeerLimits } from "./limits.ts";
import { Pacer } from "./pacer.ts";
import { SnapshotSender } from "./snapshot-sender.ts";
import type { PeerObserver } from "./types.ts";

export interface SnapshotSendsOptions {
  readonly dialer: Dialer;
  readonly headersFor: (peer: bigint) => OutgoingHttpHeaders;
  readonly clock: Clock;
  readonly limits: PeerLimits;
  readonly log: Log;
  readonly observer: PeerObserver;
  /** Once for each snapshot, never from within send(). */
  readonly onEnd: (peer: bigint, succeeded: boolean) => void;
}

/** The snapshots on their way to peers: one for each, a few in all, and together no faster than the rate. */
export class SnapshotSends {
  readonly #options: SnapshotSendsOptions;
  readonly #pacer: Pacer;
  readonly #underWay = new Map<bigint, SnapshotSender>();
  #onIdle: () => void = () => {};

  constructor(options: SnapshotSendsOptions) {
    this.#options = options;
    this.#pacer = new Pacer(options.clock, options.limits.snapshotBytesPerSecond);
  }

  /** `urls` undefined: the receiver is no peer. What cannot be sent now is closed and told as failed. */
  send(message: Message, state: StateSnapshot, urls: readonly string[] | undefined): void {
    const { clock, limits, log, dialer, headersFor, observer, onEnd } = this.#options;
    const peer = message.to;
    const running = this.#underWay.get(peer);
    // One of an earlier term is refused by its receiver anyway.
    if (running !== undefined && running.message.term < message.term) running.abort("a newer one is waiting");
    const isFull = running !== undefined || this.#underWay.size >= limits.snapshotSendsMax;
    if (urls === undefined || isFull) {
      state.close();
      clock.defer(() => onEnd(peer, false));
      return;
    }
    const startMs = clock.nowMs();
    const fields = { peer: hexId(peer), index: message.snapshot?.metadata.index ?? 0 };
    const sender = new SnapshotSender({
      message,
      state,
      urls,
      dialer,
      headers: headersFor(peer),
      clock,
      limits,
      pacer: this.#pacer,
      onSent: (bytes) => observer.sent(peer, bytes),
      onEnd: ({ error, bytes }) => {
        this.#underWay.delete(peer);
        const durationMs = clock.nowMs() - startMs;
        observer.snapshotSendEnded(peer, error === undefined, durationMs);
        const said = { ...fields, bytes, tookMs: Math.round(durationMs) };
        if (error === undefined) log.info("sent a snapshot to a peer", said);
        else {
          observer.sendFailed(peer);
          log.warn("a snapshot to a peer failed", { ...said, reason: error.message });
        }
        onEnd(peer, error === undefined);
        if (this.#underWay.size === 0) this.#onIdle();
      },
    });
    this.#underWay.set(peer, sender);
    observer.snapshotSendStarted(peer);
    log.info("sending a snapshot to a peer", fields);
    sender.start();
  }

  abort(peer: bigint, reason: string): void {
    this.#underWay.get(peer)?.abort(reason);
  }

  /** Ends all; resolves when each has been told. */
  close(reason: string): Promise<void> {
    return new Promise((resolve) => {
      if (this.#underWay.size === 0) {
        resolve();
        return;
      }
      this.#onIdle = resolve;
      for (const sender of this.#underWay.values()) sender.abort(reason);
    });
  }
}
