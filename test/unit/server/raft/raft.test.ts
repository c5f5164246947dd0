import assert from "node:assert/strict";
import { silentLog } from "../../../../src/lib/log.ts";
import { createPrng } from "../../../../src/lib/prng.ts";
import {
  confChangeType,
  emptyConfState,
  emptyHardState,
  entryType,
  LOCAL_APPEND,
  MemoryLog,
  type Message,
  messageType,
  type RaftConfig,
  RawNode,
  role,
  stepError,
} from "../../../../src/server/raft/index.ts";
import { type MessageFields, makeMessage } from "../../../../src/server/raft/messages.ts";

const NO_CONTEXT = new Uint8Array(0);

/** Member 1 of 1, 2 and 3, whose log ends at 10 in term 1; the test plays the others. */
function setUp(config: Partial<RaftConfig> = {}) {
  const stable = new MemoryLog();
  stable.reset(10, 1);
  const lines: string[] = [];
  const note = (text: () => string): void => {
    lines.push(text());
  };
  const raw = new RawNode({
    id: 1n,
    electionTicks: 10,
    stableLog: stable,
    hardState: emptyHardState,
    confState: { ...emptyConfState, voters: [1n, 2n, 3n] },
    applyBytesMax: 1_000_000,
    uncommittedBytesMax: 1_000_000,
    prng: createPrng(1),
    log: silentLog,
    logger: { debug: note, detail: note, info: note, warn: note, error: note },
    ...config,
  });
  const receive = (fields: MessageFields) =>
    raw.tryStep(makeMessage({ to: 1n, from: 2n, term: raw.term, ...fields }));
  /** Takes all that is ready, writes and applies it at once, and returns what goes to others. */
  const collect = (): Message[] => {
    const out: Message[] = [];
    while (raw.hasReady()) {
      for (const message of raw.ready().messages) {
        if (message.type === messageType.storageAppend) stable.append(message.entries);
        else if (message.type !== messageType.storageApply) out.push(message);
        for (const response of message.responses) {
          if (response.to === 1n) raw.step(response);
          else out.push(response);
        }
      }
    }
    return out;
  };
  const lead = (): void => {
    raw.campaign();
    collect();
    receive({ type: messageType.voteResp });
    collect();
    assert.equal(raw.role, role.leader);
  };
  return { raw, stable, lines, receive, collect, lead };
}

describe("What a member takes from others", () => {
  it("is no message that only it and its storage may send", () => {
    const { raw, receive } = setUp();
    for (const type of [
      messageType.hup,
      messageType.beat,
      messageType.checkQuorum,
      messageType.storageAppendResp,
    ]) {
      assert.equal(receive({ type }), stepError.localMessage);
    }
    assert.equal(receive({ type: messageType.storageAppendResp, from: LOCAL_APPEND }), undefined);
    assert.equal(raw.role, role.follower);
  });

  it("is no answer of a stranger", () => {
    const { raw, receive, collect } = setUp();
    raw.campaign();
    collect();
    assert.equal(receive({ type: messageType.voteResp, from: 9n }), stepError.peerNotFound);
    assert.equal(raw.role, role.candidate);
  });

  it("is no proposal that nobody can take", () => {
    const { receive } = setUp();
    const entries = [{ term: 0, index: 0, type: entryType.normal, data: Buffer.from("a") }];
    assert.equal(receive({ type: messageType.prop, term: 0, entries }), stepError.proposalDropped);
  });

  it("is no malformed membership change, and no proposal of nothing at all", () => {
    const { raw, lines, receive, lead } = setUp();
    lead();
    const last = raw.lastIndex;
    for (const type of [entryType.confChange, entryType.confChangeV2]) {
      const entries = [
        { term: 0, index: 0, type: entryType.normal, data: Buffer.from("a") },
        { term: 0, index: 0, type, data: new Uint8Array(1) },
      ];
      assert.equal(receive({ type: messageType.prop, term: 0, entries }), stepError.proposalDropped);
    }
    assert.equal(raw.lastIndex, last);
    assert.match(lines.at(-1)!, /dropping proposal/);
    assert.throws(() => receive({ type: messageType.prop, term: 0, entries: [] }), /empty MsgProp/);
  });

  it("is every entry of a proposal of several, a membership change among them in its place", () => {
    const { raw, stable, receive, collect, lead } = setUp();
    lead();
    receive({ type: messageType.appResp, index: 11 });
    collect();
    const change = { type: confChangeType.addNode, nodeId: 4n, context: NO_CONTEXT };
    raw.proposeConfChange(change);
    assert.equal(raw.state.pendingConfIndex, 12);
    const data = Buffer.from("a");
    const confChange = { term: 0, index: 0, type: entryType.confChangeV2, data: Buffer.alloc(5) };
    const entries = [{ term: 0, index: 0, type: entryType.normal, data }, confChange];
    receive({ type: messageType.prop, term: 0, entries });
    collect();
    assert.deepEqual(
      stable.entries(12, 15, 1_000).map(({ type }) => type),
      [entryType.confChange, entryType.normal, entryType.normal],
    );
  });

  it("is no commit index beyond its log: entries that it answered for would be lost", () => {
    const { receive } = setUp();
    assert.throws(
      () => receive({ type: messageType.heartbeat, term: 1, commit: 11 }),
      /corrupted, truncated, or lost/,
    );
  });

  it("is no snapshot without content, and no read answer of another form than its own", () => {
    const { raw, lines, receive } = setUp();
    receive({ type: messageType.snap, term: 1 });
    assert.equal(raw.committed, 10);
    receive({ type: messageType.readIndexResp, index: 10 });
    assert.match(lines.at(-1)!, /invalid format of MsgReadIndexResp from 2, entries count: 0/);
    assert.equal(raw.ready().readStates.length, 0);
  });

  it("is nothing that its role has no use for", () => {
    const { raw, receive, collect, lead } = setUp();
    receive({ type: messageType.appResp, index: 10 });
    receive({ type: messageType.voteResp });
    assert.equal(raw.role, role.follower);
    lead();
    collect();
    for (const type of [
      messageType.voteResp,
      messageType.timeoutNow,
      messageType.app,
      messageType.heartbeat,
    ]) {
      receive({ type });
    }
    assert.deepEqual([raw.role, collect()], [role.leader, []]);
  });
});

/** Entries from 11 on, one for each term. */
function tail(...terms: number[]) {
  return terms.map((term, i) => ({ term, index: 11 + i, type: entryType.normal, data: Buffer.from("a") }));
}

describe("Logs that have parted", () => {
  it("are compared by term: a follower hints at the last place that may match the leader's", () => {
    const { receive, collect } = setUp();
    receive({ type: messageType.app, term: 3, index: 10, logTerm: 1, entries: tail(1, 3, 3, 3) });
    collect();
    receive({ type: messageType.app, term: 4, index: 14, logTerm: 2 });
    const [refusal] = collect();
    assert.deepEqual(
      [refusal?.reject, refusal?.index, refusal?.rejectHint, refusal?.logTerm],
      [true, 14, 11, 1],
    );
    receive({ type: messageType.app, term: 4, index: 20, logTerm: 4 });
    const [short] = collect();
    assert.deepEqual([short?.index, short?.rejectHint, short?.logTerm], [20, 14, 3]);
  });

  it("are compared by term: a leader skips all of its own that is above the term hinted at", () => {
    const { raw, receive, collect, lead } = setUp();
    receive({ type: messageType.app, term: 3, index: 10, logTerm: 1, entries: tail(1, 3, 3) });
    collect();
    lead();
    receive({ type: messageType.appResp, reject: true, index: 13, rejectHint: 13, logTerm: 2 });
    const [probe] = collect();
    assert.deepEqual([probe?.index, probe?.logTerm, probe?.entries.length], [11, 1, 3]);
    // Without a term to compare with, it goes on from the place alone.
    receive({ type: messageType.appResp, reject: true, index: 11, rejectHint: 10 });
    assert.equal(collect()[0]?.index, 10);
    assert.equal(raw.role, role.leader);
  });

  it("end the sending ahead of answers when a peer refuses what it should have", () => {
    const { raw, receive, collect, lead } = setUp();
    lead();
    collect();
    receive({ type: messageType.appResp, index: 11 });
    for (const text of ["a", "b"]) raw.propose(Buffer.from(text));
    collect();
    const peer = () => raw.status().peers.find(({ id }) => id === 2n);
    assert.deepEqual([peer()?.state, peer()?.next], ["replicate", 14]);
    receive({ type: messageType.appResp, reject: true, index: 11, rejectHint: 9 });
    assert.equal(peer()?.state, "replicate", "an answer that was overtaken");
    receive({ type: messageType.appResp, reject: true, index: 13, rejectHint: 10 });
    assert.deepEqual([peer()?.state, peer()?.next, peer()?.isPaused], ["probe", 12, true]);
    assert.deepEqual(
      collect().map(({ index, entries }) => [index, entries.length]),
      [[11, 2]],
    );
  });

  it("do not let an old write speak for entries that were replaced and replaced back", () => {
    const { raw, receive, collect } = setUp();
    const append = (term: number, entryTerm: number): Message => {
      receive({ type: messageType.app, term, index: 10, logTerm: 1, entries: tail(entryTerm) });
      const messages = raw.ready().messages;
      return messages.find(({ type }) => type === messageType.storageAppend)!;
    };
    const first = append(2, 2);
    append(3, 3);
    append(4, 2);
    for (const response of first.responses) if (response.to === 1n) raw.step(response);
    assert.equal(raw.state.log.unstable.length, 1, "the write of the third is still under way");
    collect();
  });
});

describe("A member alone with its timers", () => {
  it("campaigns after one to two election timeouts, drawn anew from its own randomness", () => {
    const needed = new Set<number>();
    for (let seed = 1; seed <= 50; seed++) {
      const { raw } = setUp({ prng: createPrng(seed) });
      let ticks = 0;
      for (; raw.role === role.follower; ticks++) raw.tick();
      assert.ok(ticks >= 10 && ticks < 20, `${ticks} ticks, seed ${seed}`);
      needed.add(ticks);
    }
    assert.ok(needed.size > 5, "the timeouts differ");
  });

  it("sends heartbeats every heartbeatTicks while it leads", () => {
    const { raw, collect, lead } = setUp({ heartbeatTicks: 3 });
    lead();
    const beats: number[] = [];
    for (let tick = 1; tick <= 9; tick++) {
      raw.tick();
      if (collect().some(({ type }) => type === messageType.heartbeat)) beats.push(tick);
    }
    assert.deepEqual(beats, [3, 6, 9]);
  });

  it("steps down when it hears of no quorum for an election timeout, and sends no more heartbeats", () => {
    const { raw, receive, collect, lead } = setUp({ checkQuorum: true });
    lead();
    receive({ type: messageType.heartbeatResp });
    collect();
    for (let tick = 0; tick < 10; tick++) raw.tick();
    assert.equal(raw.role, role.leader, "one of two others is enough");
    for (let tick = 0; tick < 10; tick++) raw.tick();
    assert.deepEqual([raw.role, raw.leader, raw.isLeader], [role.follower, 0n, false]);
  });
});

describe("A new member", () => {
  it("starts from where the application says that it has applied, within what is committed", () => {
    const stable = new MemoryLog();
    stable.append(
      [1, 2, 3].map((index) => ({ term: 1, index, type: entryType.normal, data: Buffer.from("a") })),
    );
    const hardState = { term: 1, vote: 0n, commit: 2 };
    const { raw } = setUp({ stableLog: stable, hardState, applied: 1 });
    assert.deepEqual([raw.applied, raw.committed, raw.lastIndex], [1, 2, 3]);
    assert.deepEqual(
      raw.ready().committedEntries.map(({ index }) => index),
      [2],
    );
    assert.throws(() => setUp({ stableLog: stable, hardState, applied: 3 }), /out of range/);
  });

  it("takes a snapshot's word over a hard state that is older", () => {
    assert.equal(setUp({ hardState: { term: 1, vote: 0n, commit: 3 } }).raw.committed, 10);
    assert.throws(() => setUp({ hardState: { term: 1, vote: 0n, commit: 11 } }), /entries were lost/);
  });

  it("is seeded with members once, on an empty log", () => {
    const join = { type: confChangeType.addNode, nodeId: 1n, context: NO_CONTEXT };
    const { raw } = setUp({ stableLog: new MemoryLog(), confState: emptyConfState });
    assert.throws(() => raw.bootstrap([]), /needs members/);
    raw.bootstrap([join]);
    assert.deepEqual(raw.ready().hardState, { term: 1, vote: 0n, commit: 1 });
    assert.throws(() => raw.bootstrap([join]), /an empty log/);
  });

  it("tells its whole state to whoever asks, of its peers only when it leads", () => {
    const { raw, lead } = setUp();
    assert.deepEqual(raw.status().peers, []);
    lead();
    const { id, softState, hardState, applied, leadTransferee, confState, peers } = raw.status();
    assert.deepEqual([id, applied, leadTransferee], [1n, 10, 0n]);
    assert.deepEqual(
      [softState, hardState],
      [
        { leader: 1n, role: role.leader },
        { term: 1, vote: 1n, commit: 10 },
      ],
    );
    assert.deepEqual(
      [confState.voters, peers.map((peer) => [peer.id, peer.match, peer.next, peer.state])],
      [
        [1n, 2n, 3n],
        [
          [1n, 11, 12, "replicate"],
          [2n, 0, 11, "probe"],
          [3n, 0, 11, "probe"],
        ],
      ],
    );
  });
});

describe("Synchronous storage writes", () => {
  it("take the next Ready only when the one before is advanced, and asynchronous ones know no advance", () => {
    const { raw } = setUp({ asyncStorageWrites: false });
    raw.campaign();
    raw.ready();
    assert.throws(() => raw.ready(), /was not advanced/);
    raw.advance();
    raw.advance();
    assert.throws(() => setUp().raw.advance(), /AsyncStorageWrites/);
  });
});

describe("A member that breaks its own rules", () => {
  it("stops before it sends a vote without a term, a term where none belongs, or a message to itself", () => {
    const { state } = setUp().raw;
    assert.throws(
      () => state.send({ type: messageType.vote, to: 2n }),
      /term should be set when sending MsgVote/,
    );
    assert.throws(
      () => state.send({ type: messageType.app, to: 2n, term: 3 }),
      /should not be set when sending MsgApp/,
    );
    assert.throws(() => state.send({ type: messageType.app, to: 1n }), /self-addressed when sending MsgApp/);
  });
});
