import { strict as assert } from "node:assert";
import fc from "fast-check";
import type { WatchCreateRequest } from "../../src/codec/index.ts";
import { inRange } from "../../src/lib/bytes.ts";
import type { WatchDelivery, WatchStream } from "../../src/server/mvcc/index.ts";
import type { VersionedRecord } from "../../src/server/storage/index.ts";
import { yieldTurn } from "../unit/server/mvcc/store-fixture.ts";
import type { Operation, RecordingSink } from "../unit/server/mvcc/watch-world.ts";
import { bytes, createRequest, EngineSource, WatchWorld } from "../unit/server/mvcc/watch-world.ts";
import type { CreateEngine } from "./engine-suite.ts";
import { refuseUnhandledRejections } from "./unhandled-rejections.ts";

const keys = ["a", "b", "c", "d"];

type Step =
  | { readonly kind: "commit"; readonly operations: Operation[] }
  | { readonly kind: "create"; readonly stream: number; readonly request: Shape }
  | { readonly kind: "cancel"; readonly stream: number; readonly watch: number }
  | { readonly kind: "progress"; readonly stream: number }
  | { readonly kind: "squeeze"; readonly stream: number; readonly room: number }
  | { readonly kind: "resume"; readonly stream: number; readonly room: number }
  | { readonly kind: "compact"; readonly back: number }
  | { readonly kind: "snapshot"; readonly transactions: Operation[][]; readonly compactBack: number }
  | { readonly kind: "turn" }
  | { readonly kind: "disk"; readonly turns: number }
  | { readonly kind: "wait"; readonly durationMs: number };

interface Shape {
  readonly start: string;
  readonly end: string;
  /** Added to the current revision; undefined = start_revision 0. */
  readonly offset: number | undefined;
  readonly filters: number[];
  readonly prevKv: boolean;
  readonly progressNotify: boolean;
}

const operation: fc.Arbitrary<Operation> = fc.record({
  kind: fc.constantFrom("put", "put", "delete"),
  key: fc.constantFrom(...keys),
});
const operations = fc.array(operation, { minLength: 1, maxLength: 4 });
const stream = fc.nat(2);
const shape: fc.Arbitrary<Shape> = fc.record({
  start: fc.constantFrom("", ...keys),
  end: fc.constantFrom("", "\0", "b", "c", "e"),
  offset: fc.option(fc.integer({ min: -30, max: 4 }), { nil: undefined }),
  filters: fc.subarray([0, 1]),
  prevKv: fc.boolean(),
  progressNotify: fc.boolean(),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("commit" as const), operations }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("create" as const), stream, request: shape }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("cancel" as const), stream, watch: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("progress" as const), stream }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("squeeze" as const), stream, room: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("resume" as const), stream, room: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("compact" as const), back: fc.nat(6) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("snapshot" as const),
      transactions: fc.array(operations, { maxLength: 4 }),
      compactBack: fc.nat(10),
    }),
  },
  { weight: 6, arbitrary: fc.constant({ kind: "turn" as const }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("disk" as const), turns: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("wait" as const), durationMs: fc.constantFrom(0, 1, 30, 150) }),
  },
);

/** What one watcher may see, known from its request and the full history. */
interface Expectation {
  readonly request: WatchCreateRequest;
  /** Every matching event from here on. */
  readonly from: number;
  readonly seen: WatchDelivery[];
  ended: "no" | "cancelled" | "compacted";
  /** No event at or below it may come any more. */
  floor: number;
}

class Checker {
  readonly world: WatchWorld<EngineSource>;
  readonly stream: WatchStream;
  readonly sink: RecordingSink;
  readonly active = new Map<number, Expectation>();
  readonly finished: Expectation[] = [];
  #pending: { request: WatchCreateRequest; from: number } | undefined;

  constructor(world: WatchWorld<EngineSource>) {
    this.world = world;
    const { stream, sink } = world.open();
    this.stream = stream;
    this.sink = sink;
    sink.onSend = (delivery) => this.#check(delivery);
  }

  create(shape: Shape): void {
    const { currentRevision } = this.world.source;
    const request = createRequest({
      key: bytes(shape.start),
      rangeEnd: bytes(shape.end),
      startRevision: shape.offset === undefined ? 0 : Math.max(1, currentRevision + shape.offset),
      filters: shape.filters,
      prevKv: shape.prevKv,
      progressNotify: shape.progressNotify,
    });
    const from = request.startRevision === 0 ? currentRevision + 1 : request.startRevision;
    this.#pending = { request, from };
    this.stream.create(request);
    assert.equal(this.#pending, undefined, "each creation is answered at once");
  }

  #check(delivery: WatchDelivery): void {
    const { watchId, revision, events } = delivery;
    const { source } = this.world;
    if (delivery.created) {
      this.#checkCreated(delivery);
      return;
    }
    if (watchId === -1) {
      assert.equal(events.length, 0);
      assert.equal(revision, source.currentRevision);
      for (const watcher of this.active.values()) watcher.floor = revision;
      return;
    }
    const watcher = this.active.get(watchId);
    assert(watcher !== undefined, "nothing comes before created or after canceled");
    if (delivery.canceled) {
      watcher.ended = delivery.compactRevision === 0 ? "cancelled" : "compacted";
      if (watcher.ended === "compacted") {
        assert.equal(revision, 0);
        assert.equal(delivery.compactRevision, source.compactRevision);
        const last = watcher.seen.at(-1)?.events.at(-1)?.event.kv.modRevision ?? 0;
        assert(Math.max(watcher.from, last + 1, watcher.floor + 1) < source.compactRevision);
      }
      this.active.delete(watchId);
      this.finished.push(watcher);
      return;
    }
    if (events.length === 0) {
      assert.equal(revision, source.currentRevision);
      assert(watcher.request.progressNotify);
      watcher.floor = revision;
      return;
    }
    assert(events[0]!.event.kv.modRevision > watcher.floor, "no event at or below a progress answer");
    assert(events.at(-1)!.event.kv.modRevision <= revision, "the header is not behind the events");
    for (const { event } of events) this.#checkPrevious(watcher, event);
    watcher.seen.push(delivery);
  }

  #checkCreated(delivery: WatchDelivery): void {
    assert(this.#pending !== undefined);
    const { request, from } = this.#pending;
    this.#pending = undefined;
    const start = request.key === "" ? "\0" : request.key;
    const { rangeEnd } = request;
    if (rangeEnd !== "" && rangeEnd !== "\0" && start >= rangeEnd) {
      assert.equal(delivery.cancelReason, "mvcc: watcher range is empty");
      return;
    }
    assert.equal(delivery.canceled, false);
    assert(!this.active.has(delivery.watchId));
    this.active.set(delivery.watchId, { request, from, seen: [], ended: "no", floor: 0 });
  }

  #checkPrevious(watcher: Expectation, event: WatchDelivery["events"][number]["event"]): void {
    const { source } = this.world;
    const { key, modRevision } = event.kv;
    const previous = source.atInFullHistory(key, modRevision - 1);
    const isWanted = watcher.request.prevKv && modRevision - 1 >= source.compactRevision;
    if (isWanted) assert.equal(event.prevKv?.modRevision, previous?.modRevision);
    else if (!watcher.request.prevKv) assert.equal(event.prevKv, undefined);
  }

  checkAtEnd(): void {
    assert.equal(this.sink.overruns, 0, "no events while the sink is full");
    for (const watcher of [...this.active.values(), ...this.finished]) {
      const expected = this.world.source.all.filter((record) => matches(record, watcher)).map(name);
      const seen = watcher.seen.flatMap(({ events }) =>
        events.map(({ event }) => `${event.type}:${event.kv.key}@${event.kv.modRevision}`),
      );
      const compared = watcher.ended === "no" ? expected : expected.slice(0, seen.length);
      assert.deepEqual(seen, compared);
      checkBatches(watcher);
    }
  }
}

function matches(record: VersionedRecord, { request, from }: Expectation): boolean {
  const start = request.key === "" ? bytes("\0") : request.key;
  if (record.modRevision < from || !inRange(record.key, start, request.rangeEnd)) return false;
  return !request.filters.includes(record.tombstone ? 1 : 0);
}

function name(record: VersionedRecord): string {
  return `${record.tombstone ? 1 : 0}:${record.key}@${record.modRevision}`;
}

/** No revision in two responses, and no more than the limit in one. */
function checkBatches({ seen }: Expectation): void {
  let last = 0;
  for (const { events } of seen) {
    const revisions = new Set(events.map(({ event }) => event.kv.modRevision));
    assert(revisions.size <= 3);
    assert(Math.min(...revisions) > last, "a revision is never split");
    last = Math.max(...revisions);
  }
}

async function perform(world: WatchWorld<EngineSource>, checkers: Checker[], step: Step): Promise<void> {
  const { source, hub, clock } = world;
  switch (step.kind) {
    case "commit":
      await source.load(step.operations);
      world.commit(...step.operations);
      return;
    case "create":
      checkers[step.stream]!.create(step.request);
      return;
    case "cancel": {
      const checker = checkers[step.stream]!;
      const isActive = checker.active.has(step.watch);
      const before = checker.sink.deliveries.length;
      checker.stream.cancel(step.watch);
      assert.equal(checker.sink.deliveries.length, before + (isActive ? 1 : 0));
      return;
    }
    case "progress":
      checkers[step.stream]!.stream.requestProgress();
      return;
    case "squeeze":
      checkers[step.stream]!.sink.room = step.room;
      return;
    case "resume": {
      const { sink, stream } = checkers[step.stream]!;
      sink.room = step.room + 1;
      sink.isFull = false;
      stream.resume();
      return;
    }
    case "compact": {
      const revision = source.currentRevision - step.back;
      if (revision > source.compactRevision && revision > 0) source.compact(revision);
      await source.remove();
      return;
    }
    case "snapshot":
      await source.replaceBy(step.transactions, step.compactBack);
      hub.storeReplaced();
      return;
    case "disk":
      for (let i = 0; i < step.turns; i++) await yieldTurn();
      return;
    case "turn":
      clock.runNext();
      return;
    case "wait":
      clock.advance(step.durationMs);
  }
}

/** What the watch hub promises, over any engine. */
export function watchHubSuite(name: string, createEngine: CreateEngine, numRuns: number): void {
  describe(`WatchHub over ${name} against a model`, () => {
    refuseUnhandledRejections();

    it("gives each watcher exactly the events of its range, in order, once, under any pressure", async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { minLength: 5, maxLength: 80 }),
          fc.array(operations, { maxLength: 30 }),
          fc.constantFrom(0, 1),
          fc.constantFrom(1, 3),
          fc.constantFrom(1, 2, 256),
          async (steps, past, readStepMs, biteMs, pageRecordsMax) => {
            const under = await createEngine();
            const limits = {
              batchRevisionsMax: 3,
              batchBytesMax: 40,
              scanRecordsMax: 7,
              pageRecordsMax,
              watchersMax: 2,
              nearRevisions: 3,
              stepsPerTimeCheck: 1,
              biteMs,
            };
            const world = new WatchWorld(limits, new EngineSource(under.engine));
            world.clock.readStepMs = readStepMs;
            const checkers = [0, 1, 2].map(() => new Checker(world));
            for (const transaction of past)
              await perform(world, checkers, { kind: "commit", operations: transaction });
            for (const one of steps) await perform(world, checkers, one);
            for (const { sink, stream } of checkers) {
              sink.room = Number.POSITIVE_INFINITY;
              sink.isFull = false;
              stream.resume();
            }
            for (let round = 0; round < 40 + 4 * world.source.all.length; round++) {
              world.clock.advance(100);
              await under.settle?.();
            }
            for (const checker of checkers) checker.checkAtEnd();
            const { slow, pendingEvents, watchers } = world.hub.metrics();
            assert.deepEqual({ slow, pendingEvents }, { slow: 0, pendingEvents: 0 });
            assert.equal(
              watchers,
              checkers.reduce((sum, { active }) => sum + active.size, 0),
            );
            for (const { stream, sink, active } of checkers) {
              sink.take();
              stream.requestProgress();
              const isWaiting = [...active.values()].some(
                ({ request }) => request.startRevision > world.source.currentRevision,
              );
              assert.equal(sink.deliveries.length, active.size > 0 && !isWaiting ? 1 : 0);
            }
            await under.close?.();
          },
        ),
        { numRuns },
      );
    });
  });
}
