import type { CallPlan } from "./call-plan.ts";
import type { Difference } from "./outcome.ts";

/**
 * A difference from @grpc/grpc-js that is meant. It covers one field of the outcome, for calls of the names it
 * matches, and only with these two values (as JSON): anything else about the same call still counts as a failure.
 */
export interface HonestDifference {
  readonly reason: string;
  readonly plan: RegExp;
  readonly field: string;
  /** Of the reference. */
  readonly left: RegExp;
  /** Of the transport under test. */
  readonly right: RegExp;
}

export const honestDifferences: readonly HonestDifference[] = [];

/** The entry that covers `difference`, or undefined. */
export function coverOf(
  plan: CallPlan,
  difference: Difference,
  table: readonly HonestDifference[] = honestDifferences,
): HonestDifference | undefined {
  return table.find(
    (entry) =>
      entry.field === difference.field &&
      entry.plan.test(plan.name) &&
      entry.left.test(difference.left) &&
      entry.right.test(difference.right),
  );
}
