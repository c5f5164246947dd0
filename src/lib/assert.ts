/** A programmer error: the process must stop rather than act on a state that should be impossible. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/**
 * Throws AssertionError when `condition` is false; never caught, it ends the process with exit code 70. A message that
 * has to be put together is given as a function, where it is on the way of every request.
 */
export function assert(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new AssertionError(typeof message === "string" ? message : message());
}

/** Marks a branch that the types rule out. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`);
}
