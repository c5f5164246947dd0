const STRIKES_MAX = 2;
/** A client without open calls may ping this often (grpc-go's rule). */
const IDLE_PING_MIN_MS = 7_200_000;

/**
 * Whether a client pings too much, by grpc-go's rules: a PING sooner than `minTimeMs` after the last one (two hours
 * when no call is open) is a strike, anything the server has sent in between forgives all strikes, and the third
 * strike is too many. Source: errors.md section 4.
 */
export class PeerPings {
  readonly #minTimeMs: number;
  #strikes = 0;
  #lastMs = Number.NEGATIVE_INFINITY;
  #workFramesAtLast = 0;

  constructor(minTimeMs: number) {
    this.#minTimeMs = minTimeMs;
  }

  /** `workFrames`: a count that grows with what the server sends beside answers to pings. False: too many. */
  admit(nowMs: number, hasOpenCalls: boolean, workFrames: number): boolean {
    if (workFrames !== this.#workFramesAtLast) this.#strikes = 0;
    else if (nowMs - this.#lastMs < (hasOpenCalls ? this.#minTimeMs : IDLE_PING_MIN_MS)) this.#strikes++;
    this.#workFramesAtLast = workFrames;
    this.#lastMs = nowMs;
    return this.#strikes <= STRIKES_MAX;
  }
}
