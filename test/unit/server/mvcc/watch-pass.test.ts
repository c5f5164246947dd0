import { strict as assert } from "node:assert";
import { OPEN_END } from "../../../../src/lib/bytes.ts";
import { bytes, createRequest, WatchWorld } from "./watch-world.ts";

function revisionsOf(
  deliveries: readonly { events: readonly { event: { kv: { modRevision: number } } }[] }[],
) {
  return deliveries.map(({ events }) => events.map(({ event }) => event.kv.modRevision));
}

const everything = { key: bytes("\0"), rangeEnd: OPEN_END };

describe("WatchPass", () => {
  it("puts at most 1,000 revisions in one response, with the current revision in the header", () => {
    const world = new WatchWorld();
    for (let i = 0; i < 2_100; i++) world.put("a");
    const { stream, sink } = world.open();
    stream.create(createRequest({ ...everything, startRevision: 1 }));
    world.clock.advance(100);
    const deliveries = sink.take().slice(1);
    assert.deepEqual(
      deliveries.map(({ events, revision }) => [events.length, revision]),
      [
        [1_000, 2_101],
        [1_000, 2_101],
        [100, 2_101],
      ],
    );
  });

  it("never splits a revision, neither by count nor by bytes", () => {
    const world = new WatchWorld({ batchRevisionsMax: 2, batchBytesMax: 8 });
    world.put("a", "b", "c");
    world.put("a");
    world.put("a", "b");
    const { stream, sink } = world.open();
    stream.create(createRequest({ ...everything, startRevision: 1 }));
    world.clock.advance(100);
    assert.deepEqual(revisionsOf(sink.take().slice(1)), [
      [2, 2, 2],
      [3, 4, 4],
    ]);
  });

  it("counts the bytes of previous values", () => {
    const world = new WatchWorld({ batchBytesMax: 100 });
    world.commit({ kind: "put", key: "a", value: "x".repeat(200) });
    world.delete("a");
    world.put("a");
    world.source.compact(2);
    const { stream, sink } = world.open();
    stream.create(createRequest({ ...everything, startRevision: 3, prevKv: true }));
    world.clock.advance(100);
    assert.deepEqual(revisionsOf(sink.take().slice(1)), [[3], [4]]);
  });

  it("stops at the sink's limit and goes on from there after it resumes", () => {
    const world = new WatchWorld({ batchRevisionsMax: 2 });
    for (let i = 0; i < 9; i++) world.put("a");
    const { stream, sink } = world.open();
    sink.room = 2;
    stream.create(createRequest({ ...everything, startRevision: 1 }));
    world.clock.advance(1_000);
    assert.deepEqual(revisionsOf(sink.take().slice(1)), [[2, 3]]);
    assert.equal(world.hub.metrics().slow, 1);
    sink.room = 1;
    sink.isFull = false;
    stream.resume();
    world.clock.advance(100);
    assert.deepEqual(revisionsOf(sink.take()), [[4, 5]]);
  });

  it("leaves a stream that became full while its batches were gathered", () => {
    const world = new WatchWorld();
    for (let i = 0; i < 3; i++) world.put("a");
    const { stream, sink } = world.open();
    sink.room = 4;
    for (let i = 0; i < 3; i++) stream.create(createRequest({ ...everything, startRevision: 1 }));
    world.clock.advance(100);
    assert.deepEqual(revisionsOf(sink.take().slice(3)), [[2, 3, 4]]);
    assert.equal(world.hub.metrics().slow, 2);
    sink.room = 9;
    sink.isFull = false;
    stream.resume();
    world.clock.advance(100);
    assert.equal(sink.take().length, 2);
  });

  it("takes in what is committed while it is reading", () => {
    const world = new WatchWorld({ biteMs: 1, stepsPerTimeCheck: 1 });
    for (let i = 0; i < 5; i++) world.put("a");
    world.clock.readStepMs = 1;
    const { stream, sink } = world.open();
    stream.create(createRequest({ ...everything, startRevision: 1 }));
    for (let i = 0; i < 3; i++) {
      world.clock.runNext();
      world.put("a");
    }
    assert(world.hub.metrics().pendingEvents > 0);
    world.clock.advance(1_000);
    world.put("a");
    const revisions = revisionsOf(sink.take()).flat();
    assert.deepEqual(revisions, [2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it("cancels those whose next revision is compacted while it is reading, and only those", () => {
    const world = new WatchWorld({ biteMs: 1, stepsPerTimeCheck: 1 });
    for (let i = 0; i < 9; i++) world.put("a");
    world.clock.readStepMs = 1;
    const { stream, sink } = world.open();
    stream.create(createRequest({ ...everything, startRevision: 2 }));
    stream.create(createRequest({ ...everything, startRevision: 8 }));
    world.clock.runNext();
    world.source.compact(6);
    world.clock.advance(1_000);
    const deliveries = sink.take().slice(2);
    assert.deepEqual(
      deliveries.map(({ watchId, canceled, compactRevision }) => [watchId, canceled, compactRevision]),
      [
        [0, true, 6],
        [1, false, 0],
      ],
    );
    assert.deepEqual(revisionsOf(deliveries), [[], [8, 9, 10]]);
  });

  it("does not cancel those that have read beyond a compaction, though nothing was handed to them yet", () => {
    const world = new WatchWorld({ biteMs: 1, stepsPerTimeCheck: 1 });
    for (let i = 0; i < 9; i++) world.put("a");
    world.clock.readStepMs = 1;
    const { stream, sink } = world.open();
    stream.create(createRequest({ ...everything, startRevision: 2 }));
    assert.equal(sink.take().length, 1);
    while (world.hub.metrics().pendingEvents < 5) world.clock.runNext();
    world.source.compact(4);
    world.clock.advance(1_000);
    const deliveries = sink.take();
    assert.deepEqual(revisionsOf(deliveries), [[2, 3, 4, 5, 6, 7, 8, 9, 10]]);
    assert.equal(deliveries[0]!.canceled, false);
  });

  it("reads again what was gathered for a watcher when its stream became full by another", () => {
    const world = new WatchWorld({ batchRevisionsMax: 2 });
    world.put("b");
    world.put("a");
    world.put("a");
    world.put("b");
    const { stream, sink } = world.open();
    sink.room = 3;
    stream.create(createRequest({ key: bytes("a"), startRevision: 1 }));
    stream.create(createRequest({ key: bytes("b"), startRevision: 1 }));
    world.clock.advance(100);
    assert.deepEqual(revisionsOf(sink.take().slice(2)), [[3, 4]]);
    sink.room = 9;
    sink.isFull = false;
    stream.resume();
    world.clock.advance(100);
    assert.deepEqual(revisionsOf(sink.take()), [[2, 5]]);
  });

  it("survives a sink that closes its stream when it gets a batch", () => {
    const world = new WatchWorld({ batchRevisionsMax: 1 });
    for (let i = 0; i < 3; i++) world.put("a");
    const { stream, sink } = world.open();
    stream.create(createRequest({ ...everything, startRevision: 1 }));
    stream.create(createRequest({ ...everything, startRevision: 3 }));
    sink.take();
    sink.onSend = () => stream.close();
    world.clock.advance(1_000);
    assert.equal(sink.take().length, 1);
    assert.equal(world.hub.metrics().streams, 0);
  });
});
