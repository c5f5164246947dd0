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

  /** Runs a check in the middle of a member's work, which goes on: the world looks here after the event. */
  guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      if (!(error instanceof InvariantBroken)) throw error;
    }
  }
}
