import { setTimeout as sleep } from "node:timers/promises";
import { createPrng } from "../../../src/lib/prng.ts";
import type { Cluster } from "../harness/index.ts";
import { type Fault, type FaultContext, faults } from "./faults.ts";
import { between } from "./targets.ts";

export interface NemesisOptions extends Pick<FaultContext, "loggedRevision" | "compact"> {
  readonly cluster: Cluster;
  readonly seed: number;
  /** Names, or parts of names, of the faults to draw from; absent: all. */
  readonly only?: readonly string[];
  /** Told what is done, and why something was not. */
  readonly note?: (text: string) => void;
}

/** Pause between faults, in which the cluster gets on its feet again. */
const PAUSE_MS = { low: 500, high: 4_000 } as const;

/** Draws faults from a seed and does them to a cluster: what, for how long and to which kind of member. */
export class Nemesis {
  readonly #options: NemesisOptions;
  readonly #bag: readonly Fault[];
  /** How often each fault was done. */
  readonly counts = new Map<string, number>();
  /** How often there was nothing to do it to, or it was refused. */
  refusedCount = 0;

  constructor(options: NemesisOptions) {
    this.#options = options;
    const { only } = options;
    const chosen = faults.filter(({ name }) => only?.some((part) => name.includes(part)) ?? true);
    if (chosen.length === 0) throw new Error(`no fault is called ${only?.join(" or ")}`);
    this.#bag = chosen.flatMap((fault) => Array.from({ length: fault.weight }, () => fault));
  }

  get faultCount(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Two hands: one for processes and requests, one for links, so that faults overlap; some want both. */
  async run(forMs: number): Promise<void> {
    const endMs = performance.now() + forMs;
    const isStopped = (): boolean => performance.now() >= endMs;
    const prng = createPrng(this.#options.seed);
    const draws = (of: (fault: Fault) => boolean): Fault[] => this.#bag.filter(of);
    const busy = { alone: false, links: false, members: false };
    const hand = async (touched: "members" | "links", seed: number): Promise<void> => {
      const own = createPrng(seed);
      const bag = draws(
        ({ touches }) => touches === touched || (touches === "alone" && touched === "members"),
      );
      while (bag.length > 0 && !isStopped()) {
        await sleep(
          Math.min(between(own, PAUSE_MS.low, PAUSE_MS.high), Math.max(0, endMs - performance.now())),
        );
        const fault = bag[own.below(bag.length)]!;
        const faultSeed = own.below(2 ** 31);
        if (busy.alone) continue;
        if (fault.touches === "alone") {
          busy.alone = true;
          while (busy.links && !isStopped()) await sleep(20);
        }
        if (isStopped()) break;
        busy[touched] = true;
        try {
          await this.#apply(fault, faultSeed, isStopped);
        } finally {
          busy[touched] = false;
          if (fault.touches === "alone") busy.alone = false;
        }
      }
    };
    await Promise.all([hand("members", prng.below(2 ** 31)), hand("links", prng.below(2 ** 31))]);
  }

  async #apply(fault: Fault, seed: number, isStopped: () => boolean): Promise<void> {
    const { note = () => {}, ...shared } = this.#options;
    note(fault.name);
    const wasDone = await fault.apply({ ...shared, prng: createPrng(seed), note, isStopped });
    if (wasDone) this.counts.set(fault.name, (this.counts.get(fault.name) ?? 0) + 1);
    else this.refusedCount += 1;
  }
}
