/** A promise that was found broken. `detail` says by what, with revisions, keys and times. */
export interface Violation {
  readonly promise: string;
  readonly detail: string;
}

/** Up to `max` of them as lines, for the message of a failed test or run. */
export function describeViolations(violations: readonly Violation[], max = 10): string {
  const lines = violations.slice(0, max).map(({ promise, detail }) => `${promise}: ${detail}`);
  if (violations.length > max) lines.push(`and ${violations.length - max} more`);
  return lines.join("\n");
}
