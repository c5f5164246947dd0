import assert from "node:assert/strict";
import { limits } from "../../../../src/lib/limits.ts";
import { createPrng } from "../../../../src/lib/prng.ts";
import {
  type ConfState,
  confChangeType,
  emptyConfState,
  emptyHardState,
  entryType,
  type HardState,
  MemoryLog,
  type Message,
  messageType,
  role,
} from "../../../../src/server/raft/index.ts";
import { Raft } from "../../../../src/server/raft/raft.ts";

const ID = 7n;
const ELECTION_TICKS = 10;
const join = { type: confChangeType.addNode, nodeId: ID, context: new Uint8Array(0) };

function message(fields: Partial<Message> & Pick<Message, "type">): Message {
  return {
    to: ID,
    from: ID,
    term: 0,
    logTerm: 0,
    index: 0,
    entries: [],
    reject: false,
    hardState: undefined,
    snapshot: undefined,
    responses: [],
    ...fields,
  };
}

interface Start {
  readonly id?: bigint;
  readonly hardState?: HardState;
  readonly confState?: ConfState;
  readonly uncommittedBytesMax?: number;
  readonly seed?: number;
}

function setUp(options: Start = {}) {
  const stable = new MemoryLog();
  const lines: string[] = [];
  const note = (text: string): void => {
    lines.push(text);
  };
  const raft = new Raft({
    id: options.id ?? ID,
    electionTicks: ELECTION_TICKS,
    stableLog: stable,
    hardState: options.hardState ?? emptyHardState,
    confState: options.confState ?? emptyConfState,
    applyBytesMax: 1_000_000,
    uncommittedBytesMax: options.uncommittedBytesMax ?? 1_000_000,
    prng: createPrng(options.seed ?? 1),
    log: { debug: note, info: note, warn: note, error: note },
  });
  /** The caller's part at once: everything durable, acknowledged. */
  const persist = (): void => {
    const written = message({
      type: messageType.storageAppendResp,
      term: raft.term,
      index: raft.log.lastIndex(),
      logTerm: raft.log.lastTerm(),
    });
    const responses = [...raft.messagesAfterAppend, written];
    raft.messagesAfterAppend = [];
    stable.append(raft.log.nextUnstable());
    raft.log.acceptUnstable();
    for (const response of responses) raft.step(response);
  };
  const apply = (): void => {
    const entries = raft.log.nextCommitted();
    raft.log.acceptApplying(entries);
    raft.step(message({ type: messageType.storageApplyResp, entries }));
  };
  const lead = (): void => {
    raft.bootstrap([join]);
    persist();
    apply();
    raft.campaign();
    persist();
    persist();
    apply();
    assert.equal(raft.role, role.leader);
  };
  return { raft, stable, lines, persist, apply, lead };
}

describe("Raft with one voter", () => {
  it("refuses to be member 0", () => {
    assert.throws(() => setUp({ id: 0n }), /must not be 0/);
  });

  it("campaigns after one to two election timeouts, drawn anew, and not twice while it leads", () => {
    const ticksNeeded = new Set<number>();
    for (let seed = 1; seed <= 50; seed++) {
      const { raft, persist, apply } = setUp({ seed });
      raft.bootstrap([join]);
      persist();
      apply();
      let ticks = 0;
      for (; raft.role === role.follower; ticks++) raft.tick();
      assert.ok(ticks >= ELECTION_TICKS && ticks < 2 * ELECTION_TICKS, `${ticks} ticks, seed ${seed}`);
      ticksNeeded.add(ticks);
      persist();
      const { term } = raft;
      for (let i = 0; i < 100; i++) raft.tick();
      raft.campaign();
      assert.deepEqual([raft.role, raft.term], [role.leader, term]);
    }
    assert.ok(ticksNeeded.size > 5, "the timeouts differ");
  });

  it("does not campaign when it is no voter", () => {
    const { raft } = setUp();
    raft.campaign();
    assert.deepEqual([raft.role, raft.term], [role.follower, 0]);
  });

  it("does not campaign over a committed membership change that it has not applied", () => {
    const { raft, lines, persist, apply } = setUp();
    raft.bootstrap([join]);
    persist();
    raft.campaign();
    assert.equal(raft.role, role.follower);
    assert.match(lines.join(), /cannot campaign/);
    apply();
    raft.campaign();
    assert.equal(raft.role, role.candidate);
  });

  it("counts its vote once it is durable, and ignores it in a later term", () => {
    const { raft, persist, apply } = setUp();
    raft.bootstrap([join]);
    persist();
    apply();
    raft.campaign();
    const [vote] = raft.messagesAfterAppend;
    assert.equal(vote?.type, messageType.voteResp);
    assert.equal(raft.role, role.candidate);
    raft.campaign();
    raft.step(vote);
    assert.equal(raft.role, role.candidate);
    persist();
    assert.deepEqual([raft.role, raft.leader, raft.vote, raft.term], [role.leader, ID, ID, 3]);
  });

  it("takes proposals only while it leads", () => {
    const { raft, lead } = setUp();
    const proposal = [{ type: entryType.normal, data: Buffer.from("a") }];
    assert.equal(raft.propose(proposal), false);
    lead();
    assert.equal(raft.propose(proposal), true);
  });

  it("drops proposals beyond proposalBytesInFlightMax until some are applied, but never empty ones", () => {
    const { raft, persist, apply, lead } = setUp({ uncommittedBytesMax: limits.proposalBytesInFlightMax });
    lead();
    const data = new Uint8Array(limits.requestSizeBytesMax);
    let taken = 0;
    while (raft.propose([{ type: entryType.normal, data }])) taken++;
    assert.equal(taken, Math.floor(limits.proposalBytesInFlightMax / data.length));
    assert.equal(raft.propose([{ type: entryType.normal, data: new Uint8Array(0) }]), true);
    persist();
    assert.equal(raft.propose([{ type: entryType.normal, data }]), false);
    apply();
    assert.equal(raft.propose([{ type: entryType.normal, data }]), true);
  });

  it("makes a membership change wait until the one before is applied", () => {
    const { raft, lines, persist, apply, lead } = setUp();
    assert.equal(raft.proposeConfChange(join), false);
    lead();
    assert.equal(raft.proposeConfChange(join), true);
    assert.equal(raft.proposeConfChange(join), true);
    assert.match(lines.join(), /the one before is not applied yet/);
    const typesFrom = (index: number): number[] =>
      raft.log.slice(index, raft.log.lastIndex() + 1, Number.POSITIVE_INFINITY).map((entry) => entry.type);
    assert.deepEqual(typesFrom(3), [entryType.confChange, entryType.normal]);
    persist();
    apply();
    assert.equal(raft.proposeConfChange(join), true);
    assert.deepEqual(typesFrom(5), [entryType.confChange]);
  });

  it("ignores messages of older terms, and says so of kinds it does not know", () => {
    const { raft, lines, lead } = setUp();
    lead();
    const { committed } = raft.log;
    raft.propose([{ type: entryType.normal, data: Buffer.from("a") }]);
    raft.step(message({ type: messageType.appResp, term: raft.term - 1, index: committed + 1 }));
    assert.equal(raft.log.committed, committed);
    raft.step(message({ type: messageType.storageApplyResp, entries: [] }));
    raft.step(message({ type: messageType.storageAppendResp, term: raft.term, index: 0 }));
    assert.equal(raft.log.hasUnstable(), true);
    raft.step(message({ type: messageType.hup }));
    assert.match(lines.join(), /raft message ignored/);
  });

  it("ignores votes and acknowledgements that come when it does not wait for them", () => {
    const { raft } = setUp();
    raft.step(message({ type: messageType.voteResp }));
    raft.step(message({ type: messageType.appResp, index: 1 }));
    assert.deepEqual([raft.role, raft.log.committed], [role.follower, 0]);
  });

  it("answers reads that came before the first commit of its term once that is there, all of them", () => {
    const { raft, persist, apply } = setUp();
    raft.bootstrap([join]);
    persist();
    apply();
    raft.campaign();
    persist();
    assert.equal(raft.readIndex(1), true);
    assert.equal(raft.readIndex(2), true);
    assert.deepEqual(raft.readStates, []);
    persist();
    assert.deepEqual(raft.readStates, [
      { index: 2, context: 1 },
      { index: 2, context: 2 },
    ]);
    raft.readStates = [];
    raft.propose([{ type: entryType.normal, data: Buffer.from("a") }]);
    persist();
    assert.deepEqual(raft.readStates, [], "a read is answered once");
  });

  it("keeps its configuration over changes that alter no voter, and refuses any other member", () => {
    const { raft, lead } = setUp();
    lead();
    const before = raft.confState;
    assert.equal(raft.applyConfChange({ ...join, type: confChangeType.updateNode, nodeId: 9n }), before);
    assert.equal(raft.applyConfChange({ ...join, nodeId: 0n }), before);
    assert.deepEqual(raft.applyConfChange(join).voters, [ID]);
    for (const refused of [
      { ...join, nodeId: 8n },
      { ...join, type: confChangeType.removeNode },
      { ...join, type: confChangeType.addLearnerNode },
    ]) {
      assert.throws(() => raft.applyConfChange(refused), /serves one voter/);
    }
  });

  it("seeds an empty log only, and with members only", () => {
    const { raft } = setUp();
    assert.throws(() => raft.bootstrap([]), /needs members/);
    raft.bootstrap([join]);
    assert.deepEqual(raft.hardState(), { term: 1, vote: 0n, commit: 1 });
    assert.throws(() => raft.bootstrap([join]), /an empty log/);
  });
});
