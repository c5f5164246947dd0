import { strict as assert } from "node:assert";
import { OPEN_END } from "../../../../src/lib/bytes.ts";
import { limits } from "../../../../src/lib/limits.ts";
import { refuseUnhandledRejections } from "../../../suites/unhandled-rejections.ts";
import { bytes, createRequest, LateSource, WatchWorld } from "./watch-world.ts";

const everything = { key: bytes("\0"), rangeEnd: OPEN_END };

describe("WatchCatchUp", () => {
  it("reads history once for many watchers, wherever they start", () => {
    const world = new WatchWorld();
    for (let i = 0; i < 300; i++) world.put("a");
    const { stream, sink } = world.open();
    for (let i = 0; i < 100; i++) stream.create(createRequest({ ...everything, startRevision: 1 + i }));
    world.clock.advance(100);
    assert.equal(world.source.recordsRead, 300);
    assert.equal(sink.take().length, 200);
  });

  it("puts no more than watchBatchRevisionsMax revisions into one response", () => {
    const world = new WatchWorld();
    const count = 2 * limits.watchBatchRevisionsMax + 1;
    for (let i = 0; i < count; i++) world.put("a");
    const { stream, sink } = world.open();
    stream.create(createRequest({ ...everything, startRevision: 1 }));
    world.clock.advance(1_000);
    const sizes = sink.deliveries.map(({ events }) => events.length).filter((size) => size > 0);
    assert.equal(Math.max(...sizes), limits.watchBatchRevisionsMax);
    assert.equal(
      sizes.reduce((sum, size) => sum + size, 0),
      count,
    );
  });

  it("begins at once when it was idle, and at the earliest 100 ms after the pass before", () => {
    const world = new WatchWorld();
    world.put("a");
    const { stream, sink } = world.open();
    stream.create(createRequest({ ...everything, startRevision: 1 }));
    world.clock.advance(0);
    assert.equal(sink.take().length, 2);
    stream.create(createRequest({ ...everything, startRevision: 1 }));
    stream.create(createRequest({ ...everything, startRevision: 1 }));
    world.clock.advance(99);
    assert.equal(sink.take().length, 2);
    world.clock.advance(1);
    assert.equal(sink.take().length, 2);
  });

  it("takes at most 512 watchers into one pass and goes on with the rest", () => {
    const world = new WatchWorld();
    for (let i = 0; i < 10; i++) world.put("a");
    const { stream, sink } = world.open();
    for (let i = 0; i < 1_025; i++) stream.create(createRequest({ ...everything, startRevision: 1 }));
    world.clock.advance(100);
    assert.equal(world.source.recordsRead, 30);
    assert.equal(sink.take().length, 2_050);
  });

  it("works in bites with rests between them", () => {
    const world = new WatchWorld({ stepsPerTimeCheck: 1, pageRecordsMax: 1 });
    for (let i = 0; i < 50; i++) world.put("a");
    const { stream, sink } = world.open();
    stream.create(createRequest({ ...everything, startRevision: 1 }));
    world.clock.readStepMs = 1;
    let bites = 0;
    for (; sink.deliveries.length < 2; bites++) {
      const readBefore = world.source.recordsRead;
      world.clock.runNext();
      assert(world.source.recordsRead - readBefore <= 6);
    }
    assert(bites >= 9, `${bites} bites`);
  });

  it("does not let long histories hold up those that miss little", () => {
    const world = new WatchWorld({
      scanRecordsMax: 100,
      nearRevisions: 10,
      batchRevisionsMax: 50,
      biteMs: 0,
    });
    for (let i = 0; i < 1_000; i++) world.put("a");
    const far = world.open();
    far.stream.create(createRequest({ ...everything, startRevision: 1 }));
    world.clock.runNext();
    const near = world.open();
    near.stream.create(createRequest({ ...everything, startRevision: 1_000 }));
    for (let i = 0; i < 250 && near.sink.deliveries.length < 2; i++) world.clock.runNext();
    assert.equal(near.sink.deliveries.length, 2);
    const sent = far.sink.deliveries.reduce((sum, { events }) => sum + events.length, 0);
    assert(sent < 1_000, "the near one is first");
    world.clock.advance(1_000);
    assert.equal(
      far.sink.deliveries.reduce((sum, { events }) => sum + events.length, 0),
      1_000,
    );
  });

  it("parks the watchers of a full stream without reading for them", () => {
    const world = new WatchWorld();
    world.put("a");
    const { stream, sink } = world.open();
    sink.room = 1;
    stream.create(createRequest({ ...everything, startRevision: 1 }));
    world.clock.advance(1_000);
    assert.equal(world.source.recordsRead, 0);
    assert.equal(world.hub.metrics().slow, 1);
    assert.equal(world.clock.timerCount, 0);
  });

  it("lets a stream go that its sink closes at a compaction cancel", () => {
    const world = new WatchWorld();
    for (let i = 0; i < 5; i++) world.put("a");
    world.source.compact(4);
    const { stream, sink } = world.open();
    for (const startRevision of [1, 2, 5]) stream.create(createRequest({ ...everything, startRevision }));
    sink.take();
    sink.onSend = () => stream.close();
    world.clock.advance(1_000);
    assert.equal(sink.take().length, 1);
    assert.equal(world.hub.metrics().watchers, 0);
  });

  it("does nothing more once it is stopped", () => {
    const world = new WatchWorld({ biteMs: 0, stepsPerTimeCheck: 1 });
    for (let i = 0; i < 5; i++) world.put("a");
    const { stream, sink } = world.open();
    stream.create(createRequest({ ...everything, startRevision: 1 }));
    world.clock.runNext();
    sink.take();
    world.hub.close();
    world.clock.advance(1_000);
    assert.deepEqual(sink.take(), []);
  });
});

describe("WatchCatchUp where history has to be waited for", () => {
  refuseUnhandledRejections();

  const fromTheStart = createRequest({ ...everything, startRevision: 1 });

  function createLateWorld(commits: number, limits: ConstructorParameters<typeof WatchWorld>[0] = {}) {
    const world = new WatchWorld(limits, new LateSource());
    for (let i = 0; i < commits; i++) world.put("a");
    return { world, source: world.source, clock: world.clock, ...world.open() };
  }

  const revisionsOf = ({ sink }: ReturnType<typeof createLateWorld>): number[] =>
    sink.deliveries.flatMap(({ events }) => events.map(({ event }) => event.kv.modRevision));

  it("does nothing until the page has come, and goes on then", async () => {
    const late = createLateWorld(5, { pageRecordsMax: 2 });
    const { source, clock, stream } = late;
    stream.create(fromTheStart);
    for (let page = 0; page < 4; page++) {
      clock.advance(1_000);
      assert.equal(source.pagesAwaited, 1);
      assert.equal(clock.timerCount, 0, "nothing spins");
      assert.deepEqual(revisionsOf(late), []);
      await source.deliver();
    }
    clock.advance(0);
    assert.deepEqual(revisionsOf(late), [2, 3, 4, 5, 6]);
    assert.equal(source.openCursors, 0);
  });

  it("is through although commits come as fast as pages", async () => {
    const late = createLateWorld(5, { pageRecordsMax: 2, biteMs: 0, stepsPerTimeCheck: 1 });
    const { world, source, clock, stream } = late;
    stream.create(fromTheStart);
    for (let i = 0; i < 60; i++) {
      clock.advance(100);
      // History is read once: what comes while it is, the pass is told, and then the watcher is live.
      if (i % 3 === 0) world.put("a", "b");
      await source.deliver();
    }
    const before = source.recordsRead;
    stream.requestProgress();
    assert.equal(late.sink.deliveries.at(-1)?.watchId, -1, "it is synced");
    assert.equal(before, 5);
    const revisions = [...new Set(revisionsOf(late))];
    assert.deepEqual(
      revisions,
      Array.from({ length: 25 }, (_, i) => i + 2),
    );
    assert.equal(revisionsOf(late).length, 45);
    assert.equal(source.openCursors, 0);
  });

  it("goes on with what it is told while it matches what it was told before, each once", async () => {
    const late = createLateWorld(1, { biteMs: 0, stepsPerTimeCheck: 1 });
    const { world, source, clock, stream } = late;
    stream.create(fromTheStart);
    clock.runNext();
    world.put("a");
    world.put("a");
    await source.deliver();
    while (source.pagesAwaited === 0) clock.runNext();
    await source.deliver();
    for (let i = 0; i < 3; i++) {
      clock.runNext();
      world.put("a");
    }
    clock.advance(100);
    world.put("a");
    assert.deepEqual(revisionsOf(late), [2, 3, 4, 5, 6, 7, 8]);
    assert.equal(source.recordsRead, 1);
  });

  it("reads again what was committed meanwhile when that is too much to keep", async () => {
    const late = createLateWorld(3, { batchBytesMax: 20 });
    const { world, source, clock, stream } = late;
    stream.create(fromTheStart);
    clock.advance(0);
    for (let i = 0; i < 10; i++) world.put("a");
    while (source.pagesAwaited > 0) {
      await source.deliver();
      clock.advance(0);
    }
    assert.deepEqual(
      revisionsOf(late),
      Array.from({ length: 13 }, (_, i) => i + 2),
    );
    assert.equal(source.recordsRead, 13);
    assert.equal(source.openCursors, 0);
  });

  it("asks for previous values only where somebody wants them, and there may be one", async () => {
    for (const prevKv of [false, true]) {
      const late = createLateWorld(5);
      late.world.source.compact(3);
      late.stream.create(createRequest({ ...everything, startRevision: 3, prevKv }));
      for (let i = 0; i < 3; i++) {
        late.clock.advance(100);
        await late.source.deliver();
      }
      late.clock.advance(100);
      assert.equal(late.source.previousWanted, prevKv ? 3 : 0);
      const previous = late.sink.deliveries.flatMap(({ events }) =>
        events.map(({ event }) => event.prevKv?.modRevision),
      );
      assert.deepEqual(
        previous,
        prevKv ? [undefined, 3, 4, 5] : [undefined, undefined, undefined, undefined],
      );
    }
  });

  it("does not wait for a page of a history that was replaced, whatever becomes of it", async () => {
    for (const isFailing of [false, true]) {
      const late = createLateWorld(5);
      const { world, source, clock, stream } = late;
      stream.create(fromTheStart);
      clock.advance(0);
      assert.equal(source.pagesAwaited, 1);
      world.hub.storeReplaced();
      clock.advance(0);
      assert.equal(source.pagesAwaited, 2);
      if (isFailing) await source.fail(new Error("the history is gone"));
      else await source.deliver();
      assert.equal(source.openCursors, 1);
      assert.equal(clock.timerCount, 0, "the old page moves nothing");
      assert.deepEqual(revisionsOf(late), []);
      for (let i = 0; i < 2; i++) {
        await source.deliver();
        clock.advance(100);
      }
      assert.deepEqual(revisionsOf(late), [2, 3, 4, 5, 6]);
      assert.equal(source.openCursors, 0);
    }
  });

  it("a cancelled watcher and a closed stream leave a pass that waits, the last one ends it", async () => {
    for (const isFailing of [false, true]) {
      const late = createLateWorld(5);
      const { source, clock, stream } = late;
      const other = late.world.open();
      stream.create(fromTheStart);
      other.stream.create(fromTheStart);
      clock.advance(0);
      stream.cancel(0);
      assert.equal(clock.timerCount, 0);
      other.stream.close();
      stream.create(fromTheStart);
      clock.advance(100);
      assert.equal(source.pagesAwaited, 2, "the next one does not wait for a page that nobody wants");
      if (isFailing) await source.fail(new Error("closed"));
      else await source.deliver();
      for (let i = 0; i < 2; i++) {
        await source.deliver();
        clock.advance(100);
      }
      assert.deepEqual(revisionsOf(late), [2, 3, 4, 5, 6]);
      assert.equal(source.openCursors, 0);
      assert.equal(clock.timerCount, 0);
    }
  });

  it("cancels those that a compaction overtakes while a page is on its way", async () => {
    const late = createLateWorld(9);
    const { source, clock, stream } = late;
    stream.create(fromTheStart);
    stream.create(createRequest({ ...everything, startRevision: 8 }));
    clock.advance(0);
    source.compact(6);
    for (let i = 0; i < 2; i++) {
      await source.deliver();
      clock.advance(100);
    }
    assert.deepEqual(revisionsOf(late), [8, 9, 10]);
    assert.equal(late.sink.deliveries.filter(({ compactRevision }) => compactRevision === 6).length, 1);
  });

  it("closed while a page is on its way, it closes its cursor and hears of nothing, not of a failure either", async () => {
    for (const isFailing of [false, true]) {
      const late = createLateWorld(5);
      const { source, clock, stream, sink } = late;
      stream.create(fromTheStart);
      clock.advance(0);
      late.world.hub.close();
      sink.take();
      assert.equal(source.openCursors, 1, "not before the page has come");
      if (isFailing) await source.fail(new Error("closed"));
      else await source.deliver();
      clock.advance(1_000);
      assert.deepEqual(sink.take(), []);
      assert.equal(source.openCursors, 0);
    }
  });
});
