import assert from "node:assert/strict";
import { silentLog } from "../../../../src/lib/log.ts";
import { createPrng } from "../../../../src/lib/prng.ts";
import { Consensus, type LogWriter } from "../../../../src/server/node/consensus.ts";
import {
  confChangeType,
  decodeConfChange,
  type Entry,
  emptyConfState,
  emptyHardState,
  encodeConfChange,
  entryType,
  LOCAL_APPEND,
  LOCAL_APPLY,
  MemoryLog,
  type Message,
  messageType,
  RawNode,
  type ReadState,
  type SnapshotMetadata,
} from "../../../../src/server/raft/index.ts";
import { SimClock } from "../../../sim/clock.ts";

const ID = 7n;

/** A log whose writes become durable when the test says so, or at once. */
class FakeLog implements LogWriter {
  readonly batches: Parameters<LogWriter["append"]>[0][] = [];
  readonly waiting: (() => void)[] = [];
  isInstant = false;

  append(batch: Parameters<LogWriter["append"]>[0], done: () => void): void {
    this.batches.push(batch);
    if (this.isInstant) done();
    else this.waiting.push(done);
  }

  sync(): void {
    this.waiting.shift()?.();
  }
}

function setUp(options: { raw?: RawNode; nowStepMs?: number } = {}) {
  const clock = new (class extends SimClock {
    #readMs = 0;
    /** Each look at the clock takes that long. */
    nowStepMs = options.nowStepMs ?? 0;
    override nowMs(): number {
      this.#readMs += this.nowStepMs;
      return super.nowMs() + this.#readMs;
    }
  })();
  const log = new FakeLog();
  const stable = new MemoryLog();
  const raw =
    options.raw ??
    new RawNode({
      id: ID,
      electionTicks: 10,
      stableLog: stable,
      hardState: emptyHardState,
      confState: emptyConfState,
      applyBytesMax: 1_000_000,
      uncommittedBytesMax: 1_000_000,
      prng: createPrng(1),
      log: silentLog,
    });
  const applied: Entry[] = [];
  const reads: ReadState[] = [];
  const failures: Error[] = [];
  const sent: Message[] = [];
  const installs = { start: (_metadata: SnapshotMetadata): Promise<void> => Promise.resolve() };
  const counts = { turns: 0, leaderChanges: 0 };
  const world = { applyFails: undefined as unknown };
  const consensus = new Consensus({
    raw,
    stable,
    writer: log,
    clock,
    sink: {
      apply(entries) {
        if (world.applyFails !== undefined) throw world.applyFails;
        for (const entry of entries) {
          applied.push(entry);
          if (entry.type === entryType.confChange) raw.applyConfChange(decodeConfChange(entry.data));
        }
      },
      confirmed: (states) => reads.push(...states),
      leaderChanged: () => {
        counts.leaderChanges++;
      },
      beforeTurn: () => {
        counts.turns++;
      },
      send: (messages) => sent.push(...messages),
      sendSnapshot: (message) => sent.push(message),
      install: (metadata) => installs.start(metadata),
    },
    memberId: ID,
    durableCommit: 0,
    changeIndex: 0,
    entriesKept: () => 0,
    onFailure: (error) => failures.push(error),
  });
  const texts = (): string[] =>
    applied.filter((entry) => entry.data.length > 0).map((entry) => Buffer.from(entry.data).toString());
  /** Turns and writes until nothing is left to do. */
  const settle = (): void => {
    clock.runDeferred();
    while (log.waiting.length > 0) {
      log.sync();
      clock.runDeferred();
    }
  };
  const lead = (): void => {
    raw.bootstrap([{ type: confChangeType.addNode, nodeId: ID, context: new Uint8Array(0) }]);
    consensus.turn();
    settle();
    raw.campaign();
    consensus.wake();
    settle();
    assert.equal(raw.isLeader, true);
    applied.length = 0;
    log.batches.length = 0;
    counts.turns = 0;
  };
  const propose = (text: string): void => {
    raw.propose(Buffer.from(text));
    consensus.wake();
  };
  return {
    clock,
    log,
    stable,
    raw,
    applied,
    reads,
    failures,
    sent,
    installs,
    counts,
    world,
    consensus,
    texts,
    settle,
    lead,
    propose,
  };
}

/** A core that always has something to hand out, if nothing to do. */
function stubbornCore(): { core: RawNode; readonly asked: { count: number } } {
  const asked = { count: 0 };
  const core = {
    hasReady: () => true,
    ready: () => {
      asked.count++;
      return { softState: undefined, readStates: [], messages: [] };
    },
    tick: () => {},
  } as unknown as RawNode;
  return { core, asked };
}

/** A core that hands out `batches`, one per Ready, and notes what is stepped. */
function scriptedCore(batches: readonly (readonly Partial<Message>[])[]) {
  const waiting = [...batches];
  const stepped: Partial<Message>[] = [];
  const core = {
    hasReady: () => waiting.length > 0,
    ready: () => ({ softState: undefined, readStates: [], messages: waiting.shift() }),
    step: (message: Message) => stepped.push(message),
    tick: () => {},
  } as unknown as RawNode;
  return { core, stepped };
}

const appendFor = (fields: Partial<Message>): Partial<Message> => ({
  type: messageType.storageAppend,
  to: LOCAL_APPEND,
  entries: [],
  responses: [],
  ...fields,
});

describe("Consensus", () => {
  it("does one turn, with one write, for all that came in during one pass of the event loop", () => {
    const world = setUp();
    world.lead();
    for (const text of ["a", "b", "c"]) world.propose(text);
    assert.equal(world.counts.turns, 0);
    world.clock.runDeferred();
    assert.equal(world.counts.turns, 1);
    assert.deepEqual(
      world.log.batches.map((batch) => batch.entries.length),
      [3],
    );
  });

  it("takes in no messages after it was stopped", () => {
    const { core, stepped } = scriptedCore([]);
    const { consensus } = setUp({ raw: core });
    const heartbeat = { type: messageType.heartbeat, from: 9n, to: ID } as Message;
    consensus.receive([heartbeat]);
    consensus.stop();
    consensus.receive([heartbeat]);
    assert.deepEqual(stepped, [heartbeat]);
  });

  it("applies nothing before the log says that it is durable, and then in order", () => {
    const world = setUp();
    world.lead();
    world.propose("a");
    world.clock.runDeferred();
    world.propose("b");
    world.clock.runDeferred();
    assert.deepEqual(world.texts(), []);
    world.log.sync();
    assert.deepEqual(world.texts(), ["a"]);
    world.settle();
    assert.deepEqual(world.texts(), ["a", "b"]);
  });

  it("writes no commit index by itself: it rides with the next entries", () => {
    const world = setUp();
    world.lead();
    world.propose("a");
    world.settle();
    assert.equal(world.log.batches.length, 1);
    const { committed } = world.raw;
    world.propose("b");
    world.settle();
    assert.equal(world.log.batches.length, 2);
    assert.equal(world.log.batches[1]?.hardState?.commit, committed);
  });

  it("elects by ticks, wakes for it, and tells of the new leader", () => {
    const world = setUp();
    world.raw.bootstrap([{ type: confChangeType.addNode, nodeId: ID, context: new Uint8Array(0) }]);
    world.consensus.turn();
    world.settle();
    for (let i = 0; i < 20; i++) world.consensus.tick();
    world.settle();
    assert.equal(world.raw.isLeader, true);
    assert.ok(world.counts.leaderChanges > 0);
  });

  it("hands confirmed reads on", () => {
    const world = setUp();
    world.lead();
    world.raw.readIndex(Buffer.from([5]));
    world.consensus.wake();
    world.settle();
    assert.deepEqual(world.reads, [{ index: world.raw.committed, context: Buffer.from([5]) }]);
  });

  it("takes a write that is durable at once without a turn inside a turn", () => {
    const world = setUp();
    world.lead();
    world.log.isInstant = true;
    world.propose("a");
    world.clock.runDeferred();
    assert.deepEqual(world.texts(), ["a"]);
    assert.equal(world.counts.turns, 1);
  });

  it("lets waiting I/O in after 8 ms and goes on in the next turn", () => {
    const { core, asked } = stubbornCore();
    const world = setUp({ raw: core, nowStepMs: 3 });
    world.consensus.turn();
    assert.equal(asked.count, 3);
    world.consensus.tick();
    assert.equal(asked.count, 3);
    let turns = 0;
    world.clock.defer(() => {
      turns = world.counts.turns;
      world.consensus.stop();
    });
    world.clock.runDeferred();
    assert.equal(turns, 2);
  });

  it("drops applied entries from memory once more than a hundred have gathered", () => {
    const world = setUp();
    world.lead();
    for (let i = 0; i < 99; i++) world.propose("x");
    world.settle();
    const before = world.stable.firstIndex();
    assert.equal(before, 1);
    for (let i = 0; i < 10; i++) world.propose("y");
    world.settle();
    assert.equal(world.stable.firstIndex(), world.raw.committed + 1);
    world.propose("z");
    world.settle();
    assert.equal(world.texts().at(-1), "z");
  });

  it("stops for good at a duty that throws, and says so once", () => {
    const world = setUp();
    world.lead();
    world.world.applyFails = new Error("apply is broken");
    world.propose("a");
    world.clock.runDeferred();
    world.propose("b");
    world.clock.runDeferred();
    world.log.sync();
    assert.deepEqual(
      world.failures.map((error) => error.message),
      ["apply is broken"],
    );
    world.world.applyFails = undefined;
    const turns = world.counts.turns;
    world.log.sync();
    world.consensus.tick();
    world.consensus.wake();
    world.consensus.turn();
    world.settle();
    assert.equal(world.counts.turns, turns);
    assert.deepEqual(world.texts(), []);
    assert.equal(world.failures.length, 1);
  });

  it("makes an Error of whatever else is thrown", () => {
    const world = setUp();
    world.lead();
    world.world.applyFails = "no error object";
    world.propose("a");
    world.settle();
    assert.equal(world.failures[0]?.message, "no error object");
  });

  it("sends to others at once, and answers them only when the write that they wait for is durable", () => {
    const toPeer = { type: messageType.app, to: 8n };
    const answer = { type: messageType.appResp, to: 9n } as Message;
    const toSelf = { type: messageType.appResp, to: ID } as Message;
    const entries = [{ term: 1, index: 1, type: entryType.normal, data: Buffer.from("a") }];
    const { core, stepped } = scriptedCore([[appendFor({ entries, responses: [answer, toSelf] }), toPeer]]);
    const world = setUp({ raw: core });
    world.consensus.turn();
    assert.deepEqual(world.sent, [toPeer]);
    assert.deepEqual(stepped, []);
    world.log.sync();
    assert.deepEqual(world.sent, [toPeer, answer]);
    assert.deepEqual(stepped, [toSelf]);
  });

  it("neither tells of a membership change nor applies it before its commit index is durable", () => {
    const hardState = { term: 1, vote: ID, commit: 3 };
    const entry = (index: number, type: Entry["type"] = entryType.normal): Entry => ({
      term: 1,
      index,
      type,
      data: Buffer.from("x"),
    });
    const change = {
      ...entry(2, entryType.confChange),
      data: encodeConfChange({ type: confChangeType.addNode, nodeId: 8n, context: new Uint8Array(0) }),
    };
    const apply = (...entries: Entry[]) => ({
      type: messageType.storageApply,
      to: LOCAL_APPLY,
      entries,
      responses: [],
    });
    const telling = { type: messageType.app, to: 8n, commit: 3 };
    const other = { type: messageType.app, to: 8n, commit: 1 };
    const appended = { type: messageType.appResp, to: ID } as Message;
    const { core } = scriptedCore([
      [appendFor({ entries: [entry(1), change], responses: [appended] })],
      [telling, other, appendFor({ hardState }), apply(entry(1), change)],
      [apply(entry(3))],
    ]);
    const world = setUp({ raw: Object.assign(core, { applyConfChange: () => emptyConfState }) });
    world.consensus.turn();
    assert.deepEqual([world.applied, world.sent], [[], [other]]);
    assert.deepEqual(world.log.batches[1], { hardState, entries: [], isCommitAwaited: true });
    world.log.sync();
    assert.deepEqual([world.applied, world.sent], [[], [other]]);
    world.log.sync();
    assert.deepEqual(world.sent, [other, telling]);
    assert.deepEqual(
      world.applied.map(({ index }) => index),
      [1, 2, 3],
    );
  });

  it("installs a snapshot before all that follows it is written, and starts the log behind it", async () => {
    const metadata = { index: 7, term: 2, confState: emptyConfState };
    const taken = { type: messageType.appResp, to: 9n } as Message;
    const hardState = { term: 2, vote: 0n, commit: 7 };
    const entries = [{ term: 2, index: 8, type: entryType.normal, data: Buffer.from("a") }];
    const { core } = scriptedCore([
      [appendFor({ snapshot: { metadata, data: new Uint8Array(0) }, hardState, responses: [taken] })],
      [appendFor({ entries })],
    ]);
    const world = setUp({ raw: core });
    let install = (): void => {};
    world.installs.start = () => new Promise((resolve) => (install = resolve));
    world.consensus.turn();
    assert.deepEqual(world.log.batches, []);
    install();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(world.stable.lastIndex(), 7);
    assert.equal(world.stable.term(7), 2);
    assert.deepEqual(world.sent, []);
    assert.deepEqual(world.log.batches[0], { hardState, entries: [] });
    world.log.sync();
    assert.deepEqual(world.sent, [taken]);
  });

  it("ends when a snapshot cannot be installed", async () => {
    const metadata = { index: 7, term: 2, confState: emptyConfState };
    const snapshot = { metadata, data: new Uint8Array(0) };
    const world = setUp({ raw: scriptedCore([[appendFor({ snapshot })]]).core });
    world.installs.start = () => Promise.reject(new Error("the file is damaged"));
    world.consensus.turn();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(world.failures[0]?.message, "the file is damaged");
  });

  it("answers nothing after it was stopped, even when a write under way ends", () => {
    const world = setUp();
    world.lead();
    world.propose("a");
    world.clock.runDeferred();
    world.consensus.stop();
    world.log.sync();
    world.settle();
    assert.deepEqual(world.texts(), []);
    assert.deepEqual(world.failures, []);
  });
});
