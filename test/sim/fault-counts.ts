/** How often each kind of thing happened. */
export class FaultCounts {
  readonly #counts = new Map<string, number>();

  add(kind: string, count = 1): void {
    if (count > 0) this.#counts.set(kind, this.of(kind) + count);
  }

  of(kind: string): number {
    return this.#counts.get(kind) ?? 0;
  }

  addAll(other: FaultCounts): void {
    for (const [kind, count] of other.entries()) this.add(kind, count);
  }

  /** In order of kind. */
  entries(): [string, number][] {
    return [...this.#counts].sort(([left], [right]) => (left < right ? -1 : 1));
  }
}
