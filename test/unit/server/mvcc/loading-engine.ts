import { assert } from "../../../../src/lib/assert.ts";
import { type ByteString, EMPTY, inRange } from "../../../../src/lib/bytes.ts";
import { createPrng, type Prng } from "../../../../src/lib/prng.ts";
import {
  type Engine,
  type EngineLoader,
  type EngineReplacement,
  type EngineStats,
  type EngineView,
  type KeyInterval,
  MemoryEngine,
  type RangeRead,
  type RecordCursor,
  type VersionedRecord,
  type Want,
} from "../../../../src/server/storage/index.ts";
import type { EngineUnderTest } from "../../../suites/engine-suite.ts";

/**
 * A memory engine that behaves as one on disk may: what is read must have been named before, answers come some turns
 * later, pages sometimes at once. Whatever the contract of engines forbids its users is an AssertionError here; and
 * where it leaves an engine free, this one does now this and now that.
 */
export class LoadingEngine implements Engine {
  readonly loader: EngineLoader = {
    load: (wants) => this.#load(wants),
    view: (wants) => this.#view(wants),
  };
  readonly #memory = new MemoryEngine();
  readonly #prng: Prng;
  readonly #turn: () => Promise<void>;
  #loaded: Scope | undefined;
  #newestRevision = 0;
  #underWay = 0;
  #started = 0;
  #openCursors = 0;
  #isCompacting = false;
  /** Goes up with each replacement. */
  #epoch = 0;

  constructor(seed = 1, turn = () => new Promise<void>((resolve) => setImmediate(resolve))) {
    this.#prng = createPrng(seed);
    this.#turn = turn;
  }

  /** Cursors that nobody has closed. */
  get openCursors(): number {
    return this.#openCursors;
  }

  /** Reads and steps that were ever begun and took time. */
  get started(): number {
    return this.#started;
  }

  /** Resolves when nothing is under way that takes time. */
  async settled(): Promise<void> {
    do await this.#turn();
    while (this.#underWay > 0);
  }

  append(records: readonly VersionedRecord[]): void {
    for (const { key, modRevision } of records) {
      assert(this.#scope.hasKeyNow(key), `E5: ${key} is appended and was not loaded`);
      this.#newestRevision = Math.max(this.#newestRevision, modRevision);
    }
    this.#memory.append(records);
  }

  latest(key: ByteString): VersionedRecord | undefined {
    assert(this.#scope.hasKeyNow(key), `E5: ${key} is read and was not loaded`);
    return this.#memory.latest(key);
  }

  at(key: ByteString, revision: number): VersionedRecord | undefined {
    assert(this.#scope.hasKey(key, revision), `E5: ${key} at ${revision} is read and was not loaded`);
    return this.#memory.at(key, revision);
  }

  newest(key: ByteString, revision: number): VersionedRecord | undefined {
    assert(this.#scope.hasKey(key, revision), `E5: ${key} at ${revision} is read and was not loaded`);
    return this.#memory.newest(key, revision);
  }

  range(interval: KeyInterval, revision: number, limit: number): RangeRead {
    assert(this.#scope.hasRange(interval, revision, limit), `E5: ${nameOf(interval)} was not loaded`);
    return this.#memory.range(interval, revision, limit);
  }

  count(interval: KeyInterval, revision: number): number {
    assert(this.#scope.hasCount(interval, revision), `E5: ${nameOf(interval)} was not loaded`);
    return this.#memory.count(interval, revision);
  }

  records(fromRevision: number, toRevision: number): RecordCursor {
    const cursor = this.#memory.records(fromRevision, toRevision);
    const read = (countMax: number): readonly VersionedRecord[] => {
      const most = this.#prng.below(4) === 0 ? 1 + this.#prng.below(countMax) : countMax;
      const page = cursor.next(most);
      assert(!(page instanceof Promise), "a memory engine is not waited for");
      return page;
    };
    let isUnderWay = false;
    let isClosed = false;
    this.#openCursors++;
    return {
      next: (countMax) => {
        assert(!isUnderWay, "a cursor is asked for one page after the other");
        assert(!isClosed, "a closed cursor is read");
        const choice = this.#prng.below(4);
        if (choice === 0) return read(countMax);
        isUnderWay = true;
        // What is in the page may have been decided at the beginning, or at the end.
        const early = choice === 1 ? read(countMax) : undefined;
        return this.#later(() => {
          isUnderWay = false;
          return early ?? read(countMax);
        });
      },
      close: () => {
        assert(!isUnderWay, "a cursor is closed while a page is on its way");
        assert(!isClosed, "a cursor is closed once");
        isClosed = true;
        this.#openCursors--;
      },
    };
  }

  compactStep(revision: number, recordsMax: number): Promise<boolean> {
    assert(!this.#isCompacting, "one step of removal after the other");
    this.#isCompacting = true;
    const epoch = this.#epoch;
    return this.#later(() => {
      this.#isCompacting = false;
      // A step for the content before does nothing to this one.
      return epoch !== this.#epoch || this.#memory.compactStep(revision, recordsMax);
    });
  }

  stats(): EngineStats {
    return this.#memory.stats();
  }

  storedBytes(): number {
    return this.#memory.storedBytes();
  }

  beginReplacement(): EngineReplacement {
    const replacement = this.#memory.beginReplacement();
    let isBusy = false;
    let isPrepared = false;
    let newestRevision = 0;
    const busy = (work: () => void | Promise<void>): Promise<void> => {
      assert(!isBusy, "a replacement is fed one call after the other");
      isBusy = true;
      return this.#later(() => {
        isBusy = false;
        return work();
      });
    };
    return {
      append: (records) => {
        assert(!isPrepared, "nothing is appended behind the end");
        newestRevision = records.at(-1)?.modRevision ?? newestRevision;
        return busy(() => replacement.append(records));
      },
      prepare: (yieldTurn) => {
        isPrepared = true;
        return busy(() => replacement.prepare(yieldTurn));
      },
      commit: () => {
        assert(isPrepared && !isBusy, "a replacement is committed when it is prepared");
        this.#epoch++;
        this.#loaded = undefined;
        this.#newestRevision = newestRevision;
        replacement.commit();
      },
    };
  }

  get #scope(): Scope {
    assert(this.#loaded !== undefined, "E5: something is read, and nothing was loaded");
    return this.#loaded;
  }

  async #load(wants: readonly Want[]): Promise<void> {
    this.#loaded = undefined;
    const copy = [...wants];
    await this.#later(() => {
      this.#loaded = new Scope(copy, this.#newestRevision);
    });
  }

  #view(wants: readonly Want[]): Promise<EngineView> {
    // All is read at this moment, and shown later.
    const view = new FrozenView(this.#memory, wants, this.#newestRevision);
    return this.#later(() => view);
  }

  async #later<T>(work: () => T | Promise<T>): Promise<T> {
    this.#underWay++;
    this.#started++;
    try {
      for (let turns = this.#prng.below(5) === 0 ? 4 : this.#prng.below(2); turns >= 0; turns--)
        await this.#turn();
      return await work();
    } finally {
      this.#underWay--;
    }
  }
}

let seed = 0;

/** For suites; every cursor must have been closed at the end. */
export function createLoadingEngine(): EngineUnderTest & { readonly engine: LoadingEngine } {
  const engine = new LoadingEngine(seed++);
  return {
    engine,
    settle: () => engine.settled(),
    close: () => assert(engine.openCursors === 0, `${engine.openCursors} cursors were left open`),
  };
}

/** What wants allow to be read. */
class Scope {
  readonly #newestRevision: number;
  readonly #keysNow = new Set<ByteString>();
  readonly #keysAt = new Set<string>();
  readonly #others: Exclude<Want, { kind: "key" }>[] = [];

  constructor(wants: readonly Want[], newestRevision: number) {
    this.#newestRevision = newestRevision;
    for (const want of wants) {
      if (want.kind !== "key") this.#others.push(want);
      else if (want.revision === undefined) this.#keysNow.add(want.key);
      else this.#keysAt.add(`${want.revision} ${want.key}`);
    }
  }

  hasKeyNow(key: ByteString): boolean {
    if (this.#keysNow.has(key)) return true;
    return this.#others.some((want) => {
      if (want.kind !== "range" || want.revision !== undefined || want.limit !== 0) return false;
      return inRange(key, want.interval.start, want.interval.end);
    });
  }

  /** What was loaded as it is now is known at every revision since. */
  hasKey(key: ByteString, revision: number): boolean {
    if (this.#keysAt.has(`${revision} ${key}`)) return true;
    return revision >= this.#newestRevision && this.hasKeyNow(key);
  }

  hasRange(interval: KeyInterval, revision: number, limit: number): boolean {
    if (interval.end === EMPTY) return this.hasKey(interval.start, revision);
    return this.#others.some(
      (want) => want.kind === "range" && want.limit === limit && this.#isAt(want, interval, revision),
    );
  }

  hasCount(interval: KeyInterval, revision: number): boolean {
    if (interval.end === EMPTY) return this.hasKey(interval.start, revision);
    return this.#others.some((want) => want.kind === "count" && this.#isAt(want, interval, revision));
  }

  #isAt(want: Exclude<Want, { kind: "key" }>, interval: KeyInterval, revision: number): boolean {
    if (want.interval.start !== interval.start || want.interval.end !== interval.end) return false;
    return want.revision === undefined ? revision >= this.#newestRevision : want.revision === revision;
  }
}

/** The answers to some wants as they were when it was made, and nothing else. */
class FrozenView implements EngineView {
  readonly #newestRevision: number;
  readonly #keys = new Map<string, VersionedRecord | undefined>();
  readonly #ranges = new Map<string, RangeRead>();
  readonly #counts = new Map<string, number>();

  constructor(engine: MemoryEngine, wants: readonly Want[], newestRevision: number) {
    this.#newestRevision = newestRevision;
    for (const want of wants) {
      const revision = want.revision ?? Number.MAX_SAFE_INTEGER;
      if (want.kind === "key") {
        this.#keys.set(`${want.revision} ${want.key}`, engine.newest(want.key, revision));
      } else if (want.kind === "range") {
        const name = `${want.revision} ${want.limit} ${nameOf(want.interval)}`;
        this.#ranges.set(name, engine.range(want.interval, revision, want.limit));
      } else {
        this.#counts.set(`${want.revision} ${nameOf(want.interval)}`, engine.count(want.interval, revision));
      }
    }
  }

  latest(key: ByteString): VersionedRecord | undefined {
    return alive(this.#find(this.#keys, Number.MAX_SAFE_INTEGER, key));
  }

  at(key: ByteString, revision: number): VersionedRecord | undefined {
    return alive(this.#find(this.#keys, revision, key));
  }

  newest(key: ByteString, revision: number): VersionedRecord | undefined {
    return this.#find(this.#keys, revision, key);
  }

  range(interval: KeyInterval, revision: number, limit: number): RangeRead {
    if (interval.end === EMPTY) {
      const record = this.at(interval.start, revision);
      return record === undefined ? { records: [], count: 0 } : { records: [record], count: 1 };
    }
    const { records, count } = this.#find(this.#ranges, revision, `${limit} ${nameOf(interval)}`);
    return { records: [...records], count };
  }

  count(interval: KeyInterval, revision: number): number {
    if (interval.end === EMPTY) return this.at(interval.start, revision) === undefined ? 0 : 1;
    return this.#find(this.#counts, revision, nameOf(interval));
  }

  #find<T>(answers: ReadonlyMap<string, T>, revision: number, what: string): T {
    const name = answers.has(`${revision} ${what}`) ? `${revision} ${what}` : `undefined ${what}`;
    const isNow = name.startsWith("u");
    assert(
      answers.has(name) && (!isNow || revision >= this.#newestRevision),
      `E5: ${what} at ${revision} is no part of the view`,
    );
    return answers.get(name) as T;
  }
}

function alive(record: VersionedRecord | undefined): VersionedRecord | undefined {
  return record?.tombstone === false ? record : undefined;
}

function nameOf({ start, end }: KeyInterval): string {
  return `[${start}, ${end})`;
}
