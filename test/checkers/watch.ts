import type { EventSeen, WatchHistory, WatchSeen } from "./history.ts";
import type { Replay } from "./replay.ts";
import { describeRange } from "./serializable-check.ts";
import { isInRange, isSameEvents, isSameKeyValue } from "./store-state.ts";
import type { Violation } from "./violation.ts";

/**
 * The promises of a watch (invariants-and-simulation 5), against the log of revisions. `filter`, `ordered`, `unique`,
 * `atomic`, `bookmarkable`, `resumable`, `reliable`, `prevKv`, `isCreate` are etcd's nine; the others are ours.
 */
export type WatchPromise =
  | "filter"
  | "ordered"
  | "unique"
  | "atomic"
  | "bookmarkable"
  | "resumable"
  | "reliable"
  | "prevKv"
  | "isCreate"
  /** The header's revision is not behind the events under it. */
  | "header"
  /** Created first, nothing after a compaction until it is opened again. */
  | "protocol"
  /** A watch is refused as compacted only below the compact revision, and told which that is. */
  | "compaction"
  /** Nothing before the revision that was asked for. */
  | "future";

export function checkWatches(watches: readonly WatchHistory[], replay: Replay): Violation[] {
  return watches.flatMap((watch, index) => new WatchCheck(watch, index, replay).run());
}

export function countEvents(watches: readonly WatchHistory[]): number {
  let count = 0;
  for (const { responses } of watches) {
    for (const seen of responses) if (seen.kind === "events") count += seen.events.length;
  }
  return count;
}

type Events = Extract<WatchSeen, { kind: "events" }>;

class WatchCheck {
  readonly #watch: WatchHistory;
  readonly #name: string;
  readonly #replay: Replay;
  readonly #violations: Violation[] = [];
  /** The next revision whose events are due; undefined before the watch is created. */
  #due: number | undefined;
  #lastEvent = 0;
  #lastProgress = 0;
  #seen = new Set<string>();
  #isEnded = false;
  /** From which revision on the present stream was asked for. */
  #start = 0;

  constructor(watch: WatchHistory, index: number, replay: Replay) {
    this.#watch = watch;
    this.#replay = replay;
    const { client, key, rangeEnd, startRevision } = watch;
    this.#name = `watch ${index} of client ${client} on ${describeRange(key, rangeEnd)} from ${startRevision}`;
  }

  run(): Violation[] {
    for (const seen of this.#watch.responses) {
      if (this.#isEnded && seen.kind !== "resumed")
        this.#violate("protocol", `${seen.kind} after its end`, seen.atMs);
      switch (seen.kind) {
        case "created":
          this.#created(seen.revision, seen.atMs);
          break;
        case "resumed":
          this.#resumed(seen.fromRevision);
          break;
        case "compacted":
          this.#compacted(seen.compactRevision, seen.atMs);
          break;
        case "progress":
          this.#progress(seen.revision, seen.atMs);
          break;
        case "events":
          this.#events(seen);
          break;
      }
    }
    return this.#violations;
  }

  #created(revision: number, atMs: number): void {
    if (revision < 1) this.#violate("header", `created at revision ${revision}`, atMs);
    // It is said again after each resumption.
    if (this.#due !== undefined) return;
    this.#start = this.#watch.startRevision === 0 ? revision + 1 : this.#watch.startRevision;
    this.#due = this.#start;
  }

  #resumed(fromRevision: number): void {
    this.#isEnded = false;
    this.#start = fromRevision;
    this.#due = fromRevision;
    this.#lastEvent = Math.min(this.#lastEvent, fromRevision - 1);
    this.#lastProgress = Math.min(this.#lastProgress, fromRevision - 1);
    this.#seen = new Set();
  }

  #compacted(compactRevision: number, atMs: number): void {
    this.#isEnded = true;
    const next = this.#due ?? this.#watch.startRevision;
    if (compactRevision <= 0 || next > compactRevision) {
      this.#violate("compaction", `refused at ${next} as compacted at ${compactRevision}`, atMs);
    }
  }

  #progress(revision: number, atMs: number): void {
    if (this.#due === undefined) {
      this.#violate("protocol", "progress before it was created", atMs);
      return;
    }
    if (revision < this.#lastProgress || revision < this.#lastEvent) {
      const known = Math.max(this.#lastProgress, this.#lastEvent);
      this.#violate("bookmarkable", `progress ${revision} after ${known}`, atMs);
    }
    if (revision > this.#replay.lastRevision) {
      this.#violate("header", `progress ${revision} of ${this.#replay.lastRevision} revisions`, atMs);
    }
    // Everything up to there must have come.
    this.#expectNothingBetween(revision + 1, "bookmarkable", `progress ${revision}`, atMs);
    this.#lastProgress = Math.max(this.#lastProgress, revision);
  }

  #events(seen: Events): void {
    const { events, revision, atMs } = seen;
    const first = events[0];
    const last = events.at(-1);
    if (this.#due === undefined || first === undefined || last === undefined) {
      const what = first === undefined ? "a response without events" : "events before it was created";
      this.#violate("protocol", what, atMs);
      return;
    }
    if (first.kv.modRevision === this.#lastEvent) {
      this.#violate("atomic", `revision ${this.#lastEvent} goes on in a second response`, atMs);
    }
    if (last.kv.modRevision > revision) {
      this.#violate("header", `header ${revision} with an event of ${last.kv.modRevision}`, atMs);
    }
    for (let i = 0; i < events.length; ) {
      const at = events[i]!.kv.modRevision;
      let end = i + 1;
      while (end < events.length && events[end]!.kv.modRevision === at) end++;
      this.#revision(at, events.slice(i, end), atMs);
      i = end;
    }
  }

  /** The events of one revision in one response. */
  #revision(revision: number, events: readonly EventSeen[], atMs: number): void {
    for (const event of events) this.#event(revision, event, atMs);
    if (revision < this.#start) {
      this.#violate("future", `an event of ${revision} before revision ${this.#start}`, atMs);
      return;
    }
    if (revision > this.#replay.lastRevision) {
      this.#violate("reliable", `an event of ${revision}, which is not in the log`, atMs);
      return;
    }
    if (revision < this.#due!) return;
    const promise = this.#lastEvent < this.#start ? "resumable" : "reliable";
    this.#expectNothingBetween(revision, promise, `an event of ${revision}`, atMs);
    const expected = this.#matching(revision);
    if (!isSameEvents(expected, events)) {
      this.#violate(
        "reliable",
        `revision ${revision} has ${list(expected)}, seen were ${list(events)}`,
        atMs,
      );
    }
    this.#lastEvent = Math.max(this.#lastEvent, revision);
    this.#due = revision + 1;
  }

  #event(revision: number, event: EventSeen, atMs: number): void {
    const { type, kv, prev } = event;
    if (!isInRange(kv.key, this.#watch.key, this.#watch.rangeEnd))
      this.#violate("filter", `an event of ${kv.key}`, atMs);
    if (revision < this.#lastEvent) this.#violate("ordered", `${revision} after ${this.#lastEvent}`, atMs);
    if (revision <= this.#lastProgress) {
      this.#violate("bookmarkable", `an event of ${revision} after progress ${this.#lastProgress}`, atMs);
    }
    const id = `${revision} ${kv.key}`;
    if (this.#seen.has(id)) this.#violate("unique", `${kv.key} of ${revision} twice`, atMs);
    this.#seen.add(id);
    if (revision < 2 || revision > this.#replay.lastRevision) return;
    const before = this.#replay.stateAt(revision - 1).keys.get(kv.key);
    if (type === "put" && (kv.createRevision === kv.modRevision) !== (before === undefined)) {
      this.#violate("isCreate", `${kv.key} of ${revision} created at ${kv.createRevision}`, atMs);
    }
    if (prev === undefined) return;
    if (!this.#watch.prevKv || before === undefined || !isSameKeyValue(prev, before)) {
      this.#violate(
        "prevKv",
        `${kv.key} of ${revision} was ${JSON.stringify(before)}, not ${JSON.stringify(prev)}`,
        atMs,
      );
    }
  }

  #expectNothingBetween(end: number, promise: WatchPromise, before: string, atMs: number): void {
    const last = Math.min(end - 1, this.#replay.lastRevision);
    for (let revision = Math.max(2, this.#due!); revision <= last; revision++) {
      const missed = this.#matching(revision);
      if (missed.length === 0) continue;
      this.#violate(promise, `${before} came, ${list(missed)} of ${revision} did not`, atMs);
      break;
    }
    this.#due = Math.max(this.#due!, end);
  }

  #matching(revision: number): EventSeen[] {
    const { key, rangeEnd } = this.#watch;
    return this.#replay.eventsAt(revision).filter((event) => isInRange(event.kv.key, key, rangeEnd));
  }

  #violate(promise: WatchPromise, detail: string, atMs: number): void {
    this.#violations.push({ promise: `watch: ${promise}`, detail: `${this.#name} at ${atMs} ms: ${detail}` });
  }
}

function list(events: readonly EventSeen[]): string {
  return `{${events.map(({ type, kv }) => `${type} ${kv.key}=${kv.value}`).join(", ")}}`;
}
