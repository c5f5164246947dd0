import type { WireEvent } from "../harness/index.ts";

/** What a key holds: a value with the revision that wrote it, or nothing. */
interface Held {
  readonly value: string | undefined;
  /** 0: known only by a read, or never written. */
  readonly revision: number;
}

/** A write: the keys of one request with their new values; undefined deletes. */
export type Changes = ReadonlyMap<string, string | undefined>;

const NOTHING: Held = { value: undefined, revision: 0 };

/**
 * What the server acknowledged, kept outside of it. Each key has one writer, and a writer has one write in flight,
 * so the state of a key is known exactly but for the writes whose answer never came ("unsure").
 */
export class Ledger {
  readonly #state = new Map<string, Held>();
  readonly #unsure: Changes[] = [];
  /** Acknowledged writes since the last check, by revision. */
  readonly #acknowledged = new Map<number, Changes>();
  readonly violations: string[] = [];
  acknowledgedCount = 0;
  unsureCount = 0;
  unsureAppliedCount = 0;
  /** The highest revision any answer showed. */
  revisionSeen = 0;

  /** Any answer of the server: it may never show a lower revision to the same caller than it showed before. */
  sawRevision(revision: number): void {
    if (revision > this.revisionSeen) this.revisionSeen = revision;
  }

  acknowledge(changes: Changes, revision: number): void {
    this.acknowledgedCount += 1;
    this.sawRevision(revision);
    if (this.#acknowledged.has(revision)) this.violations.push(`revision ${revision} was acknowledged twice`);
    this.#acknowledged.set(revision, changes);
    for (const [key, value] of changes) this.#state.set(key, { value, revision });
  }

  unsure(changes: Changes): void {
    this.unsureCount += 1;
    this.#unsure.push(changes);
  }

  valueOf(key: string): string | undefined {
    return this.#state.get(key)?.value;
  }

  get keyCount(): number {
    return this.#state.size;
  }

  /**
   * Compares with the server after a restart: `events` is its whole history after the revision of the last check,
   * `present` its current keys. Settles the unsure writes by what is found. Empty the violations, not this, to go on.
   */
  check(
    revision: number,
    events: readonly WireEvent[],
    present: ReadonlyMap<string, { value: string; modRevision: number }>,
  ): void {
    const fail = (text: string): void => {
      this.violations.push(text);
    };
    if (revision < this.revisionSeen) fail(`revision went back from ${this.revisionSeen} to ${revision}`);
    this.#settle(groupByRevision(events, fail), fail);
    for (const [key, held] of this.#state) {
      const found = present.get(key);
      if (found?.value !== held.value) {
        fail(
          `${key}: ${held.value ?? "nothing"} of revision ${held.revision} is now ${found?.value ?? "gone"}`,
        );
      } else if (found !== undefined && held.revision !== 0 && found.modRevision !== held.revision) {
        fail(`${key}: written at revision ${held.revision}, found at ${found.modRevision}`);
      }
    }
    for (const key of present.keys()) {
      if (!this.#state.has(key)) fail(`${key}: nobody wrote it`);
    }
    this.revisionSeen = Math.max(this.revisionSeen, revision);
  }

  #settle(history: Map<number, Map<string, string | undefined>>, fail: (text: string) => void): void {
    for (const [revision, changes] of this.#acknowledged) {
      const found = history.get(revision);
      if (found === undefined) fail(`acknowledged revision ${revision} is not in the history`);
      else if (!same(found, changes)) fail(`revision ${revision}: ${show(changes)} became ${show(found)}`);
      history.delete(revision);
    }
    this.#acknowledged.clear();
    for (const [revision, found] of history) {
      const index = this.#unsure.findIndex((changes) => same(found, changes));
      if (index < 0) fail(`revision ${revision} holds ${show(found)}, which nobody wrote`);
      else this.#unsure.splice(index, 1);
      this.unsureAppliedCount += 1;
      for (const [key, value] of found) this.#state.set(key, { value, revision });
    }
    // The server they were sent to is dead: what is not in the history now never will be.
    for (const changes of this.#unsure.splice(0)) {
      for (const key of changes.keys()) if (!this.#state.has(key)) this.#state.set(key, NOTHING);
    }
  }
}

function groupByRevision(
  events: readonly WireEvent[],
  fail: (text: string) => void,
): Map<number, Map<string, string | undefined>> {
  const history = new Map<number, Map<string, string | undefined>>();
  let last = 0;
  for (const { deleted, kv } of events) {
    if (kv.modRevision < last) fail(`the history goes back from ${last} to ${kv.modRevision}`);
    last = kv.modRevision;
    const changes = history.get(kv.modRevision) ?? new Map<string, string | undefined>();
    if (changes.has(kv.key)) fail(`revision ${kv.modRevision} holds ${kv.key} twice`);
    changes.set(kv.key, deleted ? undefined : kv.value);
    history.set(kv.modRevision, changes);
  }
  return history;
}

function same(left: Changes, right: Changes): boolean {
  if (left.size !== right.size) return false;
  for (const [key, value] of left) if (!right.has(key) || right.get(key) !== value) return false;
  return true;
}

function show(changes: Changes): string {
  return [...changes].map(([key, value]) => `${key}=${value ?? "(deleted)"}`).join(" ");
}
