import { alarmAction, alarmType } from "../../codec/index.ts";
import type { Clock, Timer } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { ServerNode } from "./types.ts";

const CHECK_MS = 1_000;
/** Shares of the quota: from where on the operator is warned, and below which the alarm goes by itself. */
const WARNED_SHARE = 0.8;
const CLEARED_SHARE = 0.9;

type KeptNode = Pick<ServerNode, "memberId" | "quotaBytes" | "quotaRefusals" | "alarms" | "propose"> & {
  readonly kv: { stats(): { readonly sizeBytes: number } };
};

/**
 * Looks after the storage quota of this member: warns once when most of it is used, and takes back the NOSPACE alarm
 * that it raised once there is room again. An alarm that was raised by hand, with room left, stays: somebody wants it.
 */
export class QuotaKeeper {
  readonly #node: KeptNode;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Flag --quota-auto-clear. */
  readonly #isClearing: boolean;
  #timer: Timer | undefined;
  #wasFull = false;
  /** Of the node's. What was full between two looks may be empty again at the second. */
  #refusalsSeen = 0;
  #isWarned = false;
  #isProposing = false;

  constructor(
    node: KeptNode,
    options: { readonly clock: Clock; readonly log: Log; readonly isClearing: boolean },
  ) {
    this.#node = node;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#isClearing = options.isClearing;
  }

  start(): void {
    this.#timer = this.#clock.every(CHECK_MS, () => this.#check());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #check(): void {
    const { quotaBytes, memberId } = this.#node;
    const { sizeBytes } = this.#node.kv.stats();
    const share = sizeBytes / quotaBytes;
    if (share >= WARNED_SHARE && !this.#isWarned) {
      const usedPercent = Math.round(100 * share);
      this.#log.warn("most of the storage quota is used: compact, or raise it", {
        sizeBytes,
        quotaBytes,
        usedPercent,
      });
    }
    this.#isWarned = share >= WARNED_SHARE;
    const { quotaRefusals } = this.#node;
    const isRefusing = quotaRefusals > this.#refusalsSeen;
    if (share >= CLEARED_SHARE || isRefusing) this.#wasFull = true;
    this.#refusalsSeen = quotaRefusals;
    if (share < CLEARED_SHARE && this.#wasFull && this.#isClearing && !this.#isProposing) {
      const isRaised = this.#node
        .alarms()
        .some((alarm) => alarm.memberId === memberId && alarm.alarm === alarmType.noSpace);
      if (isRaised) void this.#clear(share);
      // The alarm may be on its way.
      else if (!isRefusing) this.#wasFull = false;
    }
  }

  /** Tries again with the next look when it fails. */
  async #clear(share: number): Promise<void> {
    this.#isProposing = true;
    const { memberId } = this.#node;
    const request = { action: alarmAction.deactivate, memberId, alarm: alarmType.noSpace };
    try {
      await this.#node.propose({ kind: "alarm", request });
      this.#wasFull = false;
      this.#log.info("there is room in the storage quota again: took back the NOSPACE alarm", {
        usedPercent: Math.round(100 * share),
      });
    } catch (error) {
      this.#log.warn("could not take back the NOSPACE alarm, it will be tried again", { error });
    } finally {
      this.#isProposing = false;
    }
  }
}
