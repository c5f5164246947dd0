import type { TransportFactory } from "../../src/server/api/index.ts";
import type { CallPlan } from "./call-plan.ts";
import { Draw } from "./draw.ts";
import { coverOf, type HonestDifference } from "./honest-differences.ts";
import { type Difference, differencesOf, type Outcome } from "./outcome.ts";
import { makeStorePlan } from "./store-plans.ts";
import { makeClientPlan, makeSyntheticPlan } from "./synthetic-plans.ts";
import { World } from "./world.ts";

/** Calls that are under way together. */
const UNDER_WAY = 48;

export interface UnequalCall {
  readonly number: number;
  readonly plan: CallPlan;
  readonly differences: readonly Difference[];
  readonly left: Outcome;
  readonly right: Outcome;
}

export interface ComparisonReport {
  readonly calls: number;
  readonly unequal: readonly UnequalCall[];
  readonly unequalCount: number;
  /** Calls of the reference that waited in vain for something: the plan is amiss, or both transports are. */
  readonly inVain: number;
  /** Calls by the name of their plan. */
  readonly names: ReadonlyMap<string, number>;
  readonly covered: ReadonlyMap<HonestDifference, number>;
}

export interface ComparisonOptions {
  readonly seed: number;
  readonly calls: number;
  readonly unequalKept: number;
  /** Makes no more calls when so many were unequal. */
  readonly unequalMax: number;
}

/** Call `number` of a seed, whatever the calls before it were. */
export function planOf(seed: number, number: number): CallPlan {
  const draw = new Draw(seed, number);
  const kind = draw.below(20);
  if (kind < 4) return makeClientPlan(draw);
  return kind < 10 ? makeStorePlan(draw) : makeSyntheticPlan(draw);
}

/** Makes the same calls over both transports and compares what came of each. */
export async function compareTransports(
  reference: TransportFactory,
  underTest: TransportFactory,
  options: ComparisonOptions,
): Promise<ComparisonReport> {
  const comparison = new Comparison(options, await World.start(reference), await World.start(underTest));
  try {
    await Promise.all(Array.from({ length: UNDER_WAY }, () => comparison.work()));
  } finally {
    await comparison.close();
  }
  return comparison;
}

class Comparison implements ComparisonReport {
  readonly unequal: UnequalCall[] = [];
  readonly names = new Map<string, number>();
  readonly covered = new Map<HonestDifference, number>();
  calls = 0;
  unequalCount = 0;
  inVain = 0;
  readonly #options: ComparisonOptions;
  readonly #left: World;
  readonly #right: World;
  #next = 0;
  #storeTurn: Promise<unknown> = Promise.resolve();

  constructor(options: ComparisonOptions, left: World, right: World) {
    this.#options = options;
    this.#left = left;
    this.#right = right;
  }

  async close(): Promise<void> {
    await this.#left.close();
    await this.#right.close();
  }

  async work(): Promise<void> {
    while (this.#next < this.#options.calls && this.unequalCount < this.#options.unequalMax) {
      const number = this.#next++;
      const plan = planOf(this.#options.seed, number);
      const run = (): Promise<[Outcome, Outcome]> =>
        Promise.all([this.#left.run(plan, String(number)), this.#right.run(plan, String(number))]);
      const outcomes = plan.isOfStore ? this.#storeTurn.then(run) : run();
      if (plan.isOfStore) this.#storeTurn = outcomes;
      this.#compare(number, plan, ...(await outcomes));
    }
  }

  #compare(number: number, plan: CallPlan, left: Outcome, right: Outcome): void {
    this.calls++;
    this.names.set(plan.name, (this.names.get(plan.name) ?? 0) + 1);
    if (isInVain(left)) this.inVain++;
    const differences = differencesOf(left, right).filter((difference) => {
      const cover = coverOf(plan, difference);
      if (cover !== undefined) this.covered.set(cover, (this.covered.get(cover) ?? 0) + 1);
      return cover === undefined;
    });
    if (differences.length === 0) return;
    this.unequalCount++;
    if (this.unequal.length < this.#options.unequalKept) {
      this.unequal.push({ number, plan, differences, left, right });
    }
  }
}

function isInVain({ caller, handler }: Outcome): boolean {
  const waits = caller["inVain"];
  if (Array.isArray(waits) && waits.length > 0) return true;
  return typeof handler === "object" && handler.events.includes("never ended");
}
