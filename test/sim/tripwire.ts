/** Something that must never be, with all there is to say of it. */
export class InvariantBroken extends Error {
  override readonly name = "InvariantBroken";
  readonly invariant: string;

  constructor(invariant: string, detail: string) {
    super(`${invariant}: ${detail}`);
    this.invariant = invariant;
  }
}

/** Holds the first thing that broke: what is thrown within a member may be caught by it. */
export class Tripwire {
  broken: InvariantBroken | undefined;

  fail(invariant: string, detail: string): never {
    const error = new InvariantBroken(invariant, detail);
    this.broken ??= error;
    throw error;
  }
}
