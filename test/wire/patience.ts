/** How long anything is waited for that must come: long enough for a laden machine, and never a verdict on speed. */
export const PATIENCE_MS = 15_000;

/** Resolves with true when `subscribe` calls back, with false after `limitMs`. */
export function happened(subscribe: (done: () => void) => void, limitMs = PATIENCE_MS): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), limitMs);
    subscribe(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

/** The same for a handler whose call has ended for its caller, and who is to be told. */
export const HANDLER_PATIENCE_MS = 5_000;
