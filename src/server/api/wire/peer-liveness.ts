import type { Clock, Timer } from "../../../lib/clock.ts";
import { limits } from "../../../lib/limits.ts";

/** Whether the peer of a connection is there, and takes what waits for it; asked at every sweep of the connections. */
export class PeerLiveness {
  readonly #clock: Clock;
  readonly #answerMsMax: number;
  readonly #onSilent: () => void;
  #hasRead = true;
  #answerTimer: Timer | undefined;
  #workFramesAtLast = 0;
  #stalledSinceMs: number | undefined;

  /** `onSilent`: nothing came within `answerMsMax` of a ping. */
  constructor(clock: Clock, answerMsMax: number, onSilent: () => void) {
    this.#clock = clock;
    this.#answerMsMax = answerMsMax;
    this.#onSilent = onSilent;
  }

  /** Something came from the peer. */
  hasRead(): void {
    this.#hasRead = true;
    if (this.#answerTimer === undefined) return;
    this.#answerTimer.cancel();
    this.#answerTimer = undefined;
  }

  /** Whether to send a ping: nothing has come since the last sweep, and none is under way. */
  needsPing(): boolean {
    const wasSilent = !this.#hasRead;
    this.#hasRead = false;
    if (!wasSilent || this.#answerTimer !== undefined) return false;
    this.#answerTimer = this.#clock.after(this.#answerMsMax, this.#onSilent);
    return true;
  }

  /** Whether something has waited for limits.http2StallMsMax without any of it going; `workFrames` grows with what goes. */
  isStalled(isWaiting: boolean, workFrames: number): boolean {
    const nowMs = this.#clock.nowMs();
    if (!isWaiting || workFrames !== this.#workFramesAtLast) this.#stalledSinceMs = undefined;
    else this.#stalledSinceMs ??= nowMs;
    this.#workFramesAtLast = workFrames;
    return this.#stalledSinceMs !== undefined && nowMs - this.#stalledSinceMs >= limits.http2StallMsMax;
  }

  stop(): void {
    this.#answerTimer?.cancel();
  }
}
