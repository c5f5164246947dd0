import type { EventSeen, RevisionEvents } from "../../checkers/index.ts";

/**
 * Every change of a cluster from its first revision on, as a watch over all keys saw it. Each revision of the store has
 * at least one event, so a gap in the revisions is a lost event; the checkers look for those.
 */
export class EventLog {
  readonly revisions: RevisionEvents[] = [];
  readonly #deletionListeners = new Map<string, (atMs: number) => void>();
  /** The newest revision seen; an empty store is at revision 1. */
  last = 1;

  /** One answer of the watch. What was seen before is not taken twice. */
  append(events: readonly EventSeen[], atMs: number): void {
    const byRevision = new Map<number, EventSeen[]>();
    for (const event of events) {
      const of = byRevision.get(event.kv.modRevision);
      if (of === undefined) byRevision.set(event.kv.modRevision, [event]);
      else of.push(event);
    }
    for (const [revision, of] of byRevision) {
      if (revision <= this.last) continue;
      this.last = revision;
      this.revisions.push({ revision, events: of });
      for (const { type, kv } of of) {
        if (type !== "delete") continue;
        this.#deletionListeners.get(kv.key)?.(atMs);
        this.#deletionListeners.delete(kv.key);
      }
    }
  }

  /** Calls `listener` once, when the key is deleted. */
  onDeletion(key: string, listener: (atMs: number) => void): void {
    this.#deletionListeners.set(key, listener);
  }
}
