import assert from "node:assert/strict";
import fc from "fast-check";
import { silentLog } from "../../../../src/lib/log.ts";
import { createPrng } from "../../../../src/lib/prng.ts";
import {
  confChangeType,
  decodeConfChange,
  type Entry,
  emptyConfState,
  emptyHardState,
  entryType,
  type HardState,
  MemoryLog,
  type Message,
  messageType,
  RawNode,
} from "../../../../src/server/raft/index.ts";

const ID = 7n;

/** A caller that keeps the contract by hand: what is appended becomes durable only when the test says so. */
class Caller {
  readonly stable = new MemoryLog();
  readonly applied: Entry[] = [];
  readonly reads: { index: number; context: string }[] = [];
  readonly pendingAppends: Message[] = [];
  hardState: HardState = emptyHardState;
  raw: RawNode;

  constructor(
    options: { bootstrapped?: boolean; uncommittedBytesMax?: number; applyBytesMax?: number } = {},
  ) {
    this.raw = this.start(options);
    if (options.bootstrapped ?? true) {
      this.raw.bootstrap([{ type: confChangeType.addNode, nodeId: ID, context: new Uint8Array(0) }]);
      this.drain();
    }
  }

  start(options: { uncommittedBytesMax?: number; applyBytesMax?: number } = {}): RawNode {
    return new RawNode({
      id: ID,
      electionTicks: 10,
      stableLog: this.stable,
      hardState: this.hardState,
      confState: { ...emptyConfState, voters: this.stable.lastIndex() > 0 ? [ID] : [] },
      applyBytesMax: options.applyBytesMax ?? 1_000_000,
      uncommittedBytesMax: options.uncommittedBytesMax ?? 1_000_000,
      prng: createPrng(1),
      log: silentLog,
    });
  }

  /** Takes every Ready; appends wait in pendingAppends. */
  collect(): void {
    while (this.raw.hasReady()) {
      const ready = this.raw.ready();
      for (const { index, context } of ready.readStates) {
        this.reads.push({ index, context: Buffer.from(context).toString() });
      }
      for (const message of ready.messages) {
        if (message.type === messageType.storageAppend) this.pendingAppends.push(message);
        else if (message.type === messageType.storageApply) {
          for (const entry of message.entries) {
            this.applied.push(entry);
            if (entry.type === entryType.confChange) this.raw.applyConfChange(decodeConfChange(entry.data));
          }
          for (const response of message.responses) this.raw.step(response);
        }
      }
    }
  }

  /** Makes the oldest append durable. */
  sync(): void {
    const message = this.pendingAppends.shift();
    if (message === undefined) return;
    this.stable.append(message.entries);
    if (message.hardState !== undefined) this.hardState = message.hardState;
    for (const response of message.responses) this.raw.step(response);
  }

  drain(): void {
    this.collect();
    while (this.pendingAppends.length > 0) {
      this.sync();
      this.collect();
    }
  }

  appliedData(): string[] {
    return this.applied
      .filter((entry) => entry.type === entryType.normal && entry.data.length > 0)
      .map((entry) => Buffer.from(entry.data).toString());
  }
}

describe("RawNode with one voter", () => {
  it("elects itself only after its vote is durable", () => {
    const caller = new Caller();
    caller.raw.campaign();
    caller.collect();
    assert.equal(caller.raw.isLeader, false);
    caller.drain();
    assert.equal(caller.raw.isLeader, true);
    assert.deepEqual([caller.hardState.term, caller.hardState.vote], [2, ID]);
  });

  it("elects itself by ticks alone", () => {
    const caller = new Caller();
    for (let i = 0; i < 20; i++) caller.raw.tick();
    caller.drain();
    assert.equal(caller.raw.isLeader, true);
  });

  it("applies nothing before it is durable", () => {
    const caller = new Caller();
    caller.raw.campaign();
    caller.drain();
    assert.equal(caller.raw.propose(Buffer.from("a")), true);
    caller.collect();
    assert.deepEqual(caller.appliedData(), []);
    caller.sync();
    caller.collect();
    assert.deepEqual(caller.appliedData(), ["a"]);
  });

  it("takes proposals while a write is under way and commits them in order", () => {
    const caller = new Caller();
    caller.raw.campaign();
    caller.drain();
    for (const text of ["a", "b", "c"]) {
      caller.raw.propose(Buffer.from(text));
      caller.collect();
    }
    assert.equal(caller.pendingAppends.length, 3);
    caller.sync();
    caller.collect();
    assert.deepEqual(caller.appliedData(), ["a"]);
    caller.drain();
    assert.deepEqual(caller.appliedData(), ["a", "b", "c"]);
  });

  it("drops a proposal without a leader, and one beyond the uncommitted budget", () => {
    const caller = new Caller({ uncommittedBytesMax: 10 });
    assert.equal(caller.raw.propose(Buffer.from("early")), false);
    caller.raw.campaign();
    caller.drain();
    assert.equal(caller.raw.propose(Buffer.from("first of any size")), true);
    assert.equal(caller.raw.propose(Buffer.from("x")), false);
    caller.drain();
    assert.equal(caller.raw.propose(Buffer.from("x")), true);
  });

  it("confirms reads only after the first commit of its term", () => {
    const caller = new Caller();
    assert.equal(caller.raw.readIndex(Buffer.from("1")), false);
    caller.raw.campaign();
    caller.collect();
    caller.sync();
    assert.equal(caller.raw.readIndex(Buffer.from("2")), true);
    caller.collect();
    assert.deepEqual(caller.reads, []);
    caller.drain();
    assert.deepEqual(caller.reads, [{ context: "2", index: caller.raw.committed }]);
    caller.raw.readIndex(Buffer.from("3"));
    caller.collect();
    assert.deepEqual(caller.reads[1], { context: "3", index: caller.raw.committed });
  });

  it("commits after a restart what was durable but not known to be committed", () => {
    const caller = new Caller();
    caller.raw.campaign();
    caller.drain();
    caller.raw.propose(Buffer.from("a"));
    caller.collect();
    const append = caller.pendingAppends.shift()!;
    caller.stable.append(append.entries);
    caller.applied.length = 0;
    caller.raw = caller.start();
    caller.drain();
    caller.raw.campaign();
    caller.drain();
    assert.deepEqual(caller.appliedData(), ["a"]);
    assert.equal(caller.raw.term, 3);
  });

  it("refuses to start when the log is shorter than what was committed", () => {
    const caller = new Caller();
    caller.raw.campaign();
    caller.drain();
    caller.hardState = { term: 2, vote: ID, commit: 99 };
    assert.throws(() => caller.start(), /commits 99/);
  });

  it("turns a membership change that comes too early into an empty entry", () => {
    const caller = new Caller();
    caller.raw.campaign();
    caller.drain();
    const change = { type: confChangeType.updateNode, nodeId: ID, context: Buffer.from("url") };
    assert.equal(caller.raw.proposeConfChange(change), true);
    assert.equal(caller.raw.proposeConfChange(change), true);
    caller.drain();
    assert.deepEqual(
      caller.applied.slice(-2).map((entry) => [entry.type, entry.data.length > 0]),
      [
        [entryType.confChange, true],
        [entryType.normal, false],
      ],
    );
  });

  it("hands out no more than the apply budget before the caller has applied", () => {
    const caller = new Caller({ applyBytesMax: 100 });
    caller.raw.campaign();
    caller.drain();
    for (let i = 0; i < 10; i++) caller.raw.propose(Buffer.alloc(50, i));
    const sizes: number[] = [];
    while (caller.raw.hasReady() || caller.pendingAppends.length > 0) {
      while (caller.raw.hasReady()) {
        const ready = caller.raw.ready();
        for (const message of ready.messages) {
          if (message.type === messageType.storageAppend) caller.pendingAppends.push(message);
          else {
            sizes.push(message.entries.length);
            for (const response of message.responses) caller.raw.step(response);
          }
        }
      }
      caller.sync();
    }
    assert.equal(Math.max(...sizes), 1);
    assert.equal(sizes.length, 10);
  });

  it("applies every proposal once and in order under any interleaving of proposals and syncs", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("propose", "sync", "collect", "tick"), { maxLength: 200 }),
        (steps) => {
          const caller = new Caller();
          caller.raw.campaign();
          caller.drain();
          const expected: string[] = [];
          for (const step of steps) {
            if (step === "propose") {
              expected.push(`${expected.length}`);
              caller.raw.propose(Buffer.from(expected[expected.length - 1]!));
            } else if (step === "sync") caller.sync();
            else if (step === "tick") caller.raw.tick();
            caller.collect();
            const durable = caller.stable.lastIndex();
            assert.ok(caller.applied.every((entry) => entry.index <= durable));
          }
          caller.drain();
          assert.deepEqual(caller.appliedData(), expected);
          assert.deepEqual(
            caller.applied.map((entry) => entry.index),
            caller.applied.map((_, i) => i + 1),
          );
        },
      ),
    );
  });
});
