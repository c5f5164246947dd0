import { strict as assert } from "node:assert";
import { OPEN_END } from "../../../../src/lib/bytes.ts";
import { limits } from "../../../../src/lib/limits.ts";
import { bytes, createRequest, WatchWorld } from "./watch-world.ts";

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
