import type { EventSeen, WatchHistory } from "./history.ts";
import { applyEvents, emptyStore, isSameKeyValue, type StoreState } from "./store-state.ts";
import type { Violation } from "./violation.ts";

/** What one revision changed, in order. */
export interface RevisionEvents {
  readonly revision: number;
  readonly events: readonly EventSeen[];
}

const CHECKPOINT_REVISIONS = 64;

/**
 * The history of the store from its first revision on, and with it the state at each revision: what the members kept,
 * against which everything that clients saw is held. Leases and compaction are not in it.
 */
export class Replay {
  /** What in the log itself cannot be: a gap, a version that does not follow. */
  readonly problems: Violation[] = [];
  readonly #log: readonly RevisionEvents[];
  readonly #checkpoints: StoreState[] = [];
  #cursor: StoreState;

  /** `log`: every revision from 2 on, ascending. */
  constructor(log: readonly RevisionEvents[]) {
    this.#log = log;
    let state: StoreState = { ...emptyStore, leases: undefined };
    this.#cursor = state;
    this.#checkpoints.push(state);
    for (const { revision, events } of log) {
      this.#inspect(state, revision, events);
      state = applyEvents(state, events);
      if (state.revision % CHECKPOINT_REVISIONS === 1) this.#checkpoints.push(state);
    }
  }

  /** 1 when nothing was ever written. */
  get lastRevision(): number {
    return this.#log.length + 1;
  }

  eventsAt(revision: number): readonly EventSeen[] {
    return this.#log[revision - 2]?.events ?? [];
  }

  /** The state after `revision`, which must be between 1 and lastRevision. Fast when asked in ascending order. */
  stateAt(revision: number): StoreState {
    const checkpoint = this.#checkpoints[Math.floor((revision - 1) / CHECKPOINT_REVISIONS)];
    if (checkpoint === undefined || revision > this.lastRevision) {
      throw new RangeError(`revision ${revision} of ${this.lastRevision}`);
    }
    let state = this.#cursor;
    if (state.revision > revision || state.revision < checkpoint.revision) state = checkpoint;
    while (state.revision < revision) state = applyEvents(state, this.eventsAt(state.revision + 1));
    this.#cursor = state;
    return state;
  }

  #inspect(state: StoreState, revision: number, events: readonly EventSeen[]): void {
    const report = (detail: string): void => {
      this.problems.push({ promise: "log of revisions", detail: `revision ${revision}: ${detail}` });
    };
    if (revision !== state.revision + 1) report(`follows revision ${state.revision}`);
    if (events.length === 0) report("changes nothing");
    const keys = new Map(state.keys);
    for (const { type, kv } of events) {
      const before = keys.get(kv.key);
      if (kv.modRevision !== revision) report(`holds an event of ${kv.modRevision}`);
      if (type === "delete") {
        if (before === undefined) report(`deletes ${kv.key}, which is not there`);
        keys.delete(kv.key);
        continue;
      }
      const version = (before?.version ?? 0) + 1;
      const createRevision = before?.createRevision ?? revision;
      if (!isSameKeyValue(kv, { ...kv, version, createRevision })) {
        report(
          `${kv.key} has version ${kv.version} of ${kv.createRevision}, not ${version} of ${createRevision}`,
        );
      }
      keys.set(kv.key, kv);
    }
  }
}

/** The log as a watch of all keys from revision 1 on has seen it. */
export function eventLogOf(watch: WatchHistory): RevisionEvents[] {
  const byRevision = new Map<number, EventSeen[]>();
  for (const seen of watch.responses) {
    if (seen.kind !== "events") continue;
    for (const event of seen.events) {
      const events = byRevision.get(event.kv.modRevision) ?? [];
      events.push(event);
      byRevision.set(event.kv.modRevision, events);
    }
  }
  return [...byRevision]
    .map(([revision, events]) => ({ revision, events }))
    .sort((left, right) => left.revision - right.revision);
}
