import type { TransportFactory } from "../../src/server/api/index.ts";
import type { CallPlan } from "./call-plan.ts";
import { Draw } from "./draw.ts";
import { coverOf, type HonestDifference } from "./honest-differences.ts";
import { type Difference, differencesOf, type Outcome } from "./outcome.ts";
import { makeStorePlan } from "./store-plans.ts";
import { makeClientPlan, makeSyntheticPlan } from "./synthetic-plans.ts";
import { World } from "./world.ts";

/** Calls that are under way together. */
const BATCH = 24;

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
  /** Stops after the batch in which so many were unequal. */
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
  const worlds = [await World.start(reference), await World.start(underTest)] as const;
  const unequal: UnequalCall[] = [];
  const names = new Map<string, number>();
  const covered = new Map<HonestDifference, number>();
  let [calls, unequalCount, inVain] = [0, 0, 0];
  try {
    while (calls < options.calls && unequalCount < options.unequalMax) {
      const first = calls;
      const plans = Array.from({ length: Math.min(BATCH, options.calls - first) }, (_, at) =>
        planOf(options.seed, first + at),
      );
      const [lefts, rights] = await Promise.all(worlds.map((world) => runBatch(world, plans, first)));
      for (const [at, plan] of plans.entries()) {
        names.set(plan.name, (names.get(plan.name) ?? 0) + 1);
        const [left, right] = [lefts?.[at], rights?.[at]];
        if (left === undefined || right === undefined) throw new Error("every call has an outcome");
        if (isInVain(left)) inVain++;
        const open = differencesOf(left, right).filter((difference) => {
          const cover = coverOf(plan, difference);
          if (cover !== undefined) covered.set(cover, (covered.get(cover) ?? 0) + 1);
          return cover === undefined;
        });
        if (open.length === 0) continue;
        unequalCount++;
        if (unequal.length < options.unequalKept) {
          unequal.push({ number: first + at, plan, differences: open, left, right });
        }
      }
      calls += plans.length;
    }
  } finally {
    for (const world of worlds) await world.close();
  }
  return { calls, unequal, unequalCount, inVain, names, covered };
}

async function runBatch(world: World, plans: readonly CallPlan[], first: number): Promise<Outcome[]> {
  let storeTurn: Promise<unknown> = Promise.resolve();
  return Promise.all(
    plans.map((plan, at) => {
      const run = (): Promise<Outcome> => world.run(plan, String(first + at));
      if (!plan.isOfStore) return run();
      const turn = storeTurn.then(run);
      storeTurn = turn;
      return turn;
    }),
  );
}

function isInVain({ caller, handler }: Outcome): boolean {
  const waits = caller["inVain"];
  if (Array.isArray(waits) && waits.length > 0) return true;
  return typeof handler === "object" && handler.events.includes("never ended");
}
