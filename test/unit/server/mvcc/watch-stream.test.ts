import { strict as assert } from "node:assert";
import { OPEN_END } from "../../../../src/lib/bytes.ts";
import { limits } from "../../../../src/lib/limits.ts";
import type { WatchDelivery } from "../../../../src/server/mvcc/index.ts";
import { bytes, createRequest, describeEvents, WatchWorld } from "./watch-world.ts";

function answer(fields: Partial<WatchDelivery>): WatchDelivery {
  return {
    watchId: 0,
    revision: 1,
    created: false,
    canceled: false,
    compactRevision: 0,
    cancelReason: "",
    events: [],
    fragment: false,
    ...fields,
  };
}

describe("HubStream: create (A2)", () => {
  it("answers with the current revision and the id 0, then 1, 2", () => {
    const world = new WatchWorld();
    world.put("a");
    const { stream, sink } = world.open();
    for (let i = 0; i < 3; i++) stream.create(createRequest({ key: bytes("a") }));
    assert.deepEqual(sink.take(), [
      answer({ watchId: 0, revision: 2, created: true }),
      answer({ watchId: 1, revision: 2, created: true }),
      answer({ watchId: 2, revision: 2, created: true }),
    ]);
  });

  it("takes an empty key for the first possible key", () => {
    const world = new WatchWorld();
    const { stream, sink } = world.open();
    stream.create(createRequest({ key: bytes("") }));
    stream.create(createRequest({ key: bytes(""), rangeEnd: OPEN_END }));
    sink.take();
    world.put("\0", "z");
    assert.deepEqual(sink.take().map(describeEvents), [["put \0@2"], ["put \0@2", "put z@2"]]);
  });

  it("refuses a negative start revision with the words for a compacted one", () => {
    const { stream, sink } = new WatchWorld().open();
    stream.create(createRequest({ key: bytes("a"), startRevision: -1 }));
    const cancelReason = "etcdserver: mvcc: required revision has been compacted";
    assert.deepEqual(sink.take(), [answer({ watchId: -1, created: true, canceled: true, cancelReason })]);
  });

  it("refuses an empty range, and takes the open end for none", () => {
    const { stream, sink } = new WatchWorld().open();
    for (const rangeEnd of ["a", "b", "\0"]) {
      stream.create(createRequest({ key: bytes("b"), rangeEnd: bytes(rangeEnd) }));
    }
    assert.deepEqual(
      sink.take().map(({ watchId, cancelReason }) => [watchId, cancelReason]),
      [
        [-1, "mvcc: watcher range is empty"],
        [-1, "mvcc: watcher range is empty"],
        [0, ""],
      ],
    );
  });

  it("takes the id it is given, negative too, and refuses one in use", () => {
    const { stream, sink } = new WatchWorld().open();
    for (const watchId of [7, -3, 7]) stream.create(createRequest({ key: bytes("a"), watchId }));
    assert.deepEqual(
      sink.take().map(({ watchId, cancelReason }) => [watchId, cancelReason]),
      [
        [7, ""],
        [-3, ""],
        [-1, "mvcc: duplicate watch ID provided on the WatchStream"],
      ],
    );
  });

  it("skips ids in use when it chooses one, and lets a cancelled one be used again", () => {
    const { stream, sink } = new WatchWorld().open();
    stream.create(createRequest({ key: bytes("a"), watchId: 1 }));
    for (let i = 0; i < 2; i++) stream.create(createRequest({ key: bytes("a") }));
    stream.cancel(1);
    stream.create(createRequest({ key: bytes("a"), watchId: 1 }));
    assert.deepEqual(
      sink.take().map(({ watchId, canceled }) => [watchId, canceled]),
      [
        [1, false],
        [0, false],
        [2, false],
        [1, true],
        [1, false],
      ],
    );
  });

  it("delivers nothing before a start revision in the future", () => {
    const world = new WatchWorld();
    const { stream, sink } = world.open();
    stream.create(createRequest({ key: bytes("a"), startRevision: 4 }));
    sink.take();
    world.put("a");
    world.put("a");
    world.put("a");
    world.put("a");
    assert.deepEqual(sink.take().map(describeEvents), [["put a@4"], ["put a@5"]]);
  });

  it("answers created before the events of a watcher that starts in the past", () => {
    const world = new WatchWorld();
    world.put("a");
    const { stream, sink } = world.open();
    stream.create(createRequest({ key: bytes("a"), startRevision: 2 }));
    world.clock.advance(100);
    const [created, events] = sink.take();
    assert.equal(created?.created, true);
    assert.deepEqual(describeEvents(events!), ["put a@2"]);
  });

  it("accepts a compacted start revision and cancels with the compact revision afterwards", () => {
    const world = new WatchWorld();
    for (let i = 0; i < 4; i++) world.put("a");
    world.source.compact(3);
    const { stream, sink } = world.open();
    stream.create(createRequest({ key: bytes("a"), startRevision: 2 }));
    assert.deepEqual(sink.take(), [answer({ revision: 5, created: true })]);
    world.clock.advance(100);
    assert.deepEqual(sink.take(), [answer({ revision: 0, canceled: true, compactRevision: 3 })]);
    stream.cancel(0);
    assert.deepEqual(sink.take(), []);
  });

  it("reads from exactly the compact revision, a deletion there included", () => {
    const world = new WatchWorld();
    world.put("a");
    world.delete("a");
    world.put("b");
    world.source.compact(3);
    const { stream, sink } = world.open();
    stream.create(createRequest({ key: bytes("a"), rangeEnd: OPEN_END, startRevision: 3 }));
    world.clock.advance(100);
    assert.deepEqual(sink.take().map(describeEvents), [[], ["delete a@3", "put b@4"]]);
  });

  it("refuses more watchers than one stream may have", () => {
    const { stream, sink } = new WatchWorld().open();
    for (let i = 0; i <= limits.watchersPerStreamMax; i++) stream.create(createRequest({ key: bytes("a") }));
    const last = sink.deliveries.at(-1)!;
    assert.equal(last.cancelReason, "mvcc: too many watchers on the WatchStream");
    assert.equal(last.watchId, -1);
  });
});

describe("HubStream: cancel and close (A3)", () => {
  it("answers a cancel, and no event of that id follows", () => {
    const world = new WatchWorld();
    const { stream, sink } = world.open();
    stream.create(createRequest({ key: bytes("a") }));
    world.put("a");
    sink.take();
    stream.cancel(0);
    world.put("a");
    assert.deepEqual(sink.take(), [answer({ revision: 2, canceled: true })]);
  });

  it("says nothing to a cancel of an unknown id", () => {
    const { stream, sink } = new WatchWorld().open();
    stream.cancel(0);
    assert.deepEqual(sink.take(), []);
  });

  it("cancels a watcher that is catching up, and one that is behind", () => {
    const world = new WatchWorld();
    world.put("a");
    const { stream, sink } = world.open();
    stream.create(createRequest({ key: bytes("a"), startRevision: 2 }));
    stream.cancel(0);
    sink.room = 1;
    stream.create(createRequest({ key: bytes("a") }));
    world.put("a");
    assert.equal(world.hub.metrics().slow, 1);
    stream.cancel(1);
    assert.equal(world.hub.metrics().slow, 0);
    stream.resume();
    world.clock.advance(1_000);
    assert.equal(sink.deliveries.filter(({ events }) => events.length > 0).length, 0);
  });

  it("ends everything with the stream: events, progress, timers and answers", () => {
    const world = new WatchWorld();
    const { stream, sink } = world.open();
    stream.create(createRequest({ key: bytes("a"), progressNotify: true }));
    sink.take();
    stream.close();
    stream.close();
    world.put("a");
    stream.create(createRequest({ key: bytes("a") }));
    stream.requestProgress();
    stream.resume();
    world.clock.advance(10_000);
    assert.deepEqual(sink.take(), []);
    assert.equal(world.clock.timerCount, 0);
    assert.deepEqual(world.hub.metrics(), {
      watchers: 0,
      streams: 0,
      slow: 0,
      pendingEvents: 0,
      eventsTotal: 0,
    });
  });

  it("may be closed by its sink in the middle of a commit", () => {
    const world = new WatchWorld();
    const { stream, sink } = world.open();
    stream.create(createRequest({ key: bytes("a") }));
    stream.create(createRequest({ key: bytes("a") }));
    stream.create(createRequest({ key: bytes("a"), rangeEnd: OPEN_END }));
    sink.take();
    sink.onSend = () => stream.close();
    world.put("a");
    assert.equal(sink.take().length, 1);
  });
});

describe("HubStream: progress (A6)", () => {
  it("answers a manual request for the whole stream", () => {
    const world = new WatchWorld();
    const { stream, sink } = world.open();
    stream.create(createRequest({ key: bytes("a") }));
    world.put("b");
    sink.take();
    stream.requestProgress();
    assert.deepEqual(sink.take(), [answer({ watchId: -1, revision: 2 })]);
  });

  it("does not answer on a stream without watchers", () => {
    const { stream, sink } = new WatchWorld().open();
    stream.requestProgress();
    assert.deepEqual(sink.take(), []);
  });

  it("does not answer while one watcher is catching up", () => {
    const world = new WatchWorld();
    world.put("a");
    const { stream, sink } = world.open();
    stream.create(createRequest({ key: bytes("a") }));
    stream.create(createRequest({ key: bytes("a"), startRevision: 1 }));
    sink.take();
    stream.requestProgress();
    assert.deepEqual(sink.take(), []);
    world.clock.advance(100);
    stream.requestProgress();
    assert.deepEqual(sink.take().map(describeEvents), [["put a@2"], []]);
  });

  it("does not answer while one watcher waits for a future revision", () => {
    const world = new WatchWorld();
    const { stream, sink } = world.open();
    stream.create(createRequest({ key: bytes("a"), startRevision: 2, progressNotify: true }));
    sink.take();
    stream.requestProgress();
    world.clock.advance(1_100);
    assert.deepEqual(sink.take(), []);
    world.put("b");
    stream.requestProgress();
    assert.equal(sink.take().length, 1);
  });

  it("does not answer while the sink is full", () => {
    const world = new WatchWorld();
    const { stream, sink } = world.open();
    sink.room = 1;
    stream.create(createRequest({ key: bytes("a"), progressNotify: true }));
    sink.take();
    stream.requestProgress();
    world.clock.advance(3_000);
    assert.deepEqual(sink.take(), []);
  });

  it("sends periodic answers to those that asked, at the period plus at most a tenth", () => {
    const world = new WatchWorld();
    const { stream, sink } = world.open();
    stream.create(createRequest({ key: bytes("a") }));
    stream.create(createRequest({ key: bytes("a"), progressNotify: true }));
    stream.create(createRequest({ key: bytes("b"), progressNotify: true }));
    sink.take();
    world.clock.advance(999);
    assert.deepEqual(sink.take(), []);
    world.clock.advance(101);
    assert.deepEqual(sink.take(), [answer({ watchId: 1 }), answer({ watchId: 2 })]);
  });

  it("skips one periodic answer after events", () => {
    const world = new WatchWorld();
    const { stream, sink } = world.open();
    stream.create(createRequest({ key: bytes("a"), progressNotify: true }));
    world.put("a");
    sink.take();
    world.clock.advance(1_100);
    assert.deepEqual(sink.take(), []);
    world.clock.advance(1_100);
    assert.deepEqual(sink.take(), [answer({ revision: 2 })]);
  });

  it("sends no periodic answer to a watcher that is catching up", () => {
    const world = new WatchWorld();
    world.put("a");
    const { stream, sink } = world.open();
    sink.room = 1;
    stream.create(createRequest({ key: bytes("a"), startRevision: 1, progressNotify: true }));
    world.clock.advance(1_100);
    assert.equal(sink.take().length, 1);
    assert.equal(world.hub.metrics().slow, 1);
  });
});
