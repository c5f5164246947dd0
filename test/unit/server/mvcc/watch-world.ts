import { setImmediate as turn } from "node:timers/promises";
import type { WatchCreateRequest } from "../../../../src/codec/index.ts";
import type { ByteString } from "../../../../src/lib/bytes.ts";
import { EMPTY } from "../../../../src/lib/bytes.ts";
import type { Clock, Timer } from "../../../../src/lib/clock.ts";
import { createPrng } from "../../../../src/lib/prng.ts";
import type {
  CatchUpLimits,
  WatchDelivery,
  WatchSink,
  WatchSource,
  WatchStream,
} from "../../../../src/server/mvcc/index.ts";
import { WatchHub, watchCatchUpLimits } from "../../../../src/server/mvcc/index.ts";
import type {
  Engine,
  EngineLoader,
  EngineView,
  RecordCursor,
  VersionedRecord,
} from "../../../../src/server/storage/index.ts";

/** A clock that moves only when told, or by `readStepMs` with each look at it. */
export class ManualClock implements Clock {
  readStepMs = 0;
  #nowMs = 1_000;
  #timers: { atMs: number; periodMs: number | undefined; fn: () => void }[] = [];

  nowMs(): number {
    this.#nowMs += this.readStepMs;
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, fn: () => void): Timer {
    return this.#add(delayMs, undefined, fn);
  }

  every(periodMs: number, fn: () => void): Timer {
    return this.#add(periodMs, periodMs, fn);
  }

  defer(fn: () => void): void {
    this.#add(0, undefined, fn);
  }

  get timerCount(): number {
    return this.#timers.length;
  }

  /** Runs what is due within the next `durationMs`, in order. */
  advance(durationMs: number): void {
    const endMs = this.#nowMs + durationMs;
    while (this.#timers.some(({ atMs }) => atMs <= Math.max(endMs, this.#nowMs))) this.runNext();
    this.#nowMs = Math.max(this.#nowMs, endMs);
  }

  /** Runs the one task that is due next, whenever that is. */
  runNext(): void {
    const atMs = Math.min(...this.#timers.map((timer) => timer.atMs));
    const index = this.#timers.findIndex((timer) => timer.atMs === atMs);
    const timer = this.#timers[index];
    if (timer === undefined) return;
    this.#nowMs = Math.max(this.#nowMs, atMs);
    if (timer.periodMs === undefined) this.#timers.splice(index, 1);
    else timer.atMs += timer.periodMs;
    timer.fn();
  }

  #add(delayMs: number, periodMs: number | undefined, fn: () => void): Timer {
    const timer = { atMs: this.#nowMs + delayMs, periodMs, fn };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }
}

export interface Operation {
  readonly kind: "put" | "delete";
  readonly key: string;
  readonly value?: string;
}

/** History in the plainest form. `all` keeps what compaction removed, for the checks. */
export class ModelSource implements WatchSource {
  currentRevision = 1;
  compactRevision = -1;
  all: VersionedRecord[] = [];
  recordsRead = 0;
  openCursors = 0;
  kept: VersionedRecord[] = [];
  #epoch = 0;

  /** A snapshot takes the place of the store: reads that began before must not go on. */
  replace(): void {
    this.#epoch++;
  }

  apply(operations: readonly Operation[]): VersionedRecord[] {
    const modRevision = this.currentRevision + 1;
    const records: VersionedRecord[] = [];
    for (const { kind, key, value } of operations) {
      const name = key as ByteString;
      const previous = this.#aliveIn(this.all, name, modRevision - 1);
      if (records.some((record) => record.key === name)) continue;
      if (kind === "delete" && previous === undefined) continue;
      const isPut = kind === "put";
      records.push({
        key: name,
        modRevision,
        sub: records.length,
        createRevision: isPut ? (previous?.createRevision ?? modRevision) : 0,
        version: isPut ? (previous?.version ?? 0) + 1 : 0,
        value: isPut ? ((value ?? `${key}@${modRevision}`) as ByteString) : EMPTY,
        lease: 0n,
        tombstone: !isPut,
      });
    }
    if (records.length === 0) return records;
    this.currentRevision = modRevision;
    this.all.push(...records);
    this.kept.push(...records);
    return records;
  }

  take(other: ModelSource): void {
    this.currentRevision = other.currentRevision;
    this.compactRevision = other.compactRevision;
    this.all = [...other.all];
    this.kept = [...other.kept];
  }

  compact(revision: number): void {
    this.compactRevision = revision;
    this.kept = this.kept.filter((record) => {
      if (record.modRevision > revision) return true;
      const isNewest = !this.all.some(
        (other) =>
          other.key === record.key && other.modRevision > record.modRevision && other.modRevision <= revision,
      );
      return isNewest && !(record.tombstone && record.modRevision < revision);
    });
  }

  records(fromRevision: number, toRevision: number): RecordCursor {
    let [modRevision, sub] = [fromRevision, -1];
    const epoch = this.#epoch;
    const next = (): VersionedRecord | undefined => {
      const found = this.kept.find(
        (r) => r.modRevision > modRevision || (r.modRevision === modRevision && r.sub > sub),
      );
      if (found === undefined || found.modRevision > toRevision) return undefined;
      [modRevision, sub] = [found.modRevision, found.sub];
      this.recordsRead++;
      return found;
    };
    this.openCursors++;
    return {
      next: (countMax) => {
        if (epoch !== this.#epoch) throw new Error("a read of the replaced store goes on");
        const page: VersionedRecord[] = [];
        while (page.length < countMax) {
          const record = next();
          if (record === undefined) break;
          page.push(record);
        }
        return page;
      },
      close: () => {
        this.openCursors--;
      },
    };
  }

  at(key: ByteString, revision: number): VersionedRecord | undefined {
    return this.#aliveIn(this.kept, key, revision);
  }

  atInFullHistory(key: ByteString, revision: number): VersionedRecord | undefined {
    return this.#aliveIn(this.all, key, revision);
  }

  #aliveIn(records: VersionedRecord[], key: ByteString, revision: number): VersionedRecord | undefined {
    const newest = records.findLast((record) => record.key === key && record.modRevision <= revision);
    return newest === undefined || newest.tombstone ? undefined : newest;
  }
}

/** The model with pages that come when the test says so, as from a slow disk. */
export class LateSource extends ModelSource {
  readonly loader: EngineLoader = {
    load: async () => {},
    view: async (wants) => {
      this.previousWanted += wants.length;
      return this as unknown as EngineView;
    },
  };
  previousWanted = 0;
  readonly #waiting: { readonly deliver: () => void; readonly fail: (error: Error) => void }[] = [];

  get pagesAwaited(): number {
    return this.#waiting.length;
  }

  override records(fromRevision: number, toRevision: number): RecordCursor {
    const cursor = super.records(fromRevision, toRevision);
    return {
      next: (countMax) =>
        new Promise((resolve, reject) => {
          this.#waiting.push({ deliver: () => resolve(cursor.next(countMax)), fail: reject });
        }),
      close: () => cursor.close(),
    };
  }

  /** The page that has been awaited longest comes; resolves when that has been taken in. */
  async deliver(): Promise<void> {
    this.#waiting.shift()?.deliver();
    await new Promise((resolve) => setImmediate(resolve));
  }

  async fail(error: Error): Promise<void> {
    this.#waiting.shift()?.fail(error);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The model with its history in an engine, where the hub reads it. */
export class EngineSource extends ModelSource {
  readonly loader: EngineLoader | undefined;
  readonly #engine: Engine;
  #removal: number | undefined;

  constructor(engine: Engine) {
    super();
    this.#engine = engine;
    this.loader = engine.loader;
  }

  /** To be called before apply(). */
  async load(operations: readonly Operation[]): Promise<void> {
    const wants = operations.map(
      ({ key }) => ({ kind: "key", key: bytes(key), revision: undefined }) as const,
    );
    await this.loader?.load(wants);
  }

  override apply(operations: readonly Operation[]): VersionedRecord[] {
    const records = super.apply(operations);
    if (records.length > 0) this.#engine.append(records);
    return records;
  }

  override compact(revision: number): void {
    super.compact(revision);
    this.#removal = revision;
  }

  /** A bite of the removal after a compaction. */
  async remove(): Promise<void> {
    if (this.#removal === undefined) return;
    if (await this.#engine.compactStep(this.#removal, 2)) this.#removal = undefined;
  }

  /** A snapshot takes the place of all: as if `transactions` had been committed, and compacted up to `compactBack` ago. */
  async replaceBy(transactions: readonly Operation[][], compactBack: number): Promise<void> {
    const next = new ModelSource();
    next.take(this);
    for (const operations of transactions) next.apply(operations);
    const revision = next.currentRevision - compactBack;
    if (revision > next.compactRevision && revision > 0) next.compact(revision);
    const replacement = this.#engine.beginReplacement();
    for (let i = 0; i < next.kept.length; i += 3) await replacement.append(next.kept.slice(i, i + 3));
    await replacement.prepare(turn);
    replacement.commit();
    this.#removal = undefined;
    this.take(next);
  }

  override records(fromRevision: number, toRevision: number): RecordCursor {
    return this.#engine.records(fromRevision, toRevision);
  }

  override at(key: ByteString, revision: number): VersionedRecord | undefined {
    return this.#engine.at(key, revision);
  }
}

/** Takes deliveries down; says "no more now" once `room` of them are taken. */
export class RecordingSink implements WatchSink {
  readonly deliveries: WatchDelivery[] = [];
  room = Number.POSITIVE_INFINITY;
  isFull = false;
  /** Deliveries with events that came while full: must stay 0. */
  overruns = 0;
  onSend: ((delivery: WatchDelivery) => void) | undefined;

  send(delivery: WatchDelivery): boolean {
    if (this.isFull && delivery.events.length > 0) this.overruns++;
    this.deliveries.push(delivery);
    this.room--;
    this.isFull = this.room <= 0;
    this.onSend?.(delivery);
    return !this.isFull;
  }

  take(): WatchDelivery[] {
    return this.deliveries.splice(0);
  }
}

export function createRequest(fields: Partial<WatchCreateRequest> & { key: ByteString }): WatchCreateRequest {
  return {
    rangeEnd: EMPTY,
    startRevision: 0,
    progressNotify: false,
    filters: [],
    prevKv: false,
    watchId: 0,
    fragment: false,
    ...fields,
  };
}

export class WatchWorld<Source extends ModelSource = ModelSource> {
  readonly clock = new ManualClock();
  readonly source: Source;
  readonly hub: WatchHub;

  constructor(limits: Partial<CatchUpLimits> = {}, source = new ModelSource() as Source) {
    this.source = source;
    this.hub = new WatchHub({
      source: this.source,
      clock: this.clock,
      prng: createPrng(7),
      progressIntervalMs: 1_000,
      catchUp: { ...watchCatchUpLimits, ...limits },
    });
  }

  commit(...operations: Operation[]): number {
    const records = this.source.apply(operations);
    if (records.length > 0) this.hub.notify(this.source.currentRevision, records);
    return this.source.currentRevision;
  }

  put(...keys: string[]): number {
    return this.commit(...keys.map((key): Operation => ({ kind: "put", key })));
  }

  delete(...keys: string[]): number {
    return this.commit(...keys.map((key): Operation => ({ kind: "delete", key })));
  }

  open(): { stream: WatchStream; sink: RecordingSink } {
    const sink = new RecordingSink();
    return { stream: this.hub.openStream(sink), sink };
  }
}

export function bytes(text: string): ByteString {
  return text as ByteString;
}

/** "put a@5" for each event. */
export function describeEvents(delivery: WatchDelivery): string[] {
  return delivery.events.map(
    ({ event }) => `${event.type === 0 ? "put" : "delete"} ${event.kv.key}@${event.kv.modRevision}`,
  );
}
