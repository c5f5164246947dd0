import assert from "node:assert/strict";
import { encodeLeaseTimeToLiveRequest } from "../../../../src/codec/index.ts";
import {
  confChangeType,
  decodeConfChange,
  emptyConfState,
  encodeConfChange,
  entryType,
  messageType,
} from "../../../../src/server/raft/index.ts";
import {
  type Command,
  decodeCommand,
  encodeMemberChange,
  encodePeerUrls,
} from "../../../../src/server/state/index.ts";
import { simIdentity } from "../../../sim/member.ts";
import { NodeWorld } from "./node-world.ts";
import { message, ScriptedNetwork } from "./scripted-network.ts";

const ID = simIdentity.memberId;
const OTHER = 2n;
const THIRD = 3n;

describe("A member among others", () => {
  let world: NodeWorld;
  let network: ScriptedNetwork;

  /** It leads two others. */
  beforeEach(async () => {
    world = new NodeWorld();
    network = new ScriptedNetwork(() => world.clock);
    await world.start({
      network,
      reconfiguration: { isStrict: false, learnersMax: 1 },
      bootstrap: [ID, OTHER, THIRD].map((nodeId) => ({
        type: confChangeType.addNode,
        nodeId,
        context: encodePeerUrls([`http://member-${nodeId}:2380`]),
      })),
    });
    assert.equal(world.node.leaderId, ID);
    network.sent.length = 0;
  });

  /** Another member leads, in the next term: it has said so, and that is all. */
  function depose(): void {
    network.isObedient = false;
    beat(world.node.term + 1);
  }

  function beat(term = world.node.term): void {
    const heartbeat = { type: messageType.heartbeat, from: OTHER, to: ID, commit: world.node.raftIndex };
    network.handler.receive([message({ ...heartbeat, term })]);
  }

  /** Time passes under the other. */
  async function follow(durationMs: number): Promise<void> {
    for (let passedMs = 0; passedMs < durationMs; passedMs += 100) {
      beat();
      await world.pass(100);
    }
  }

  /** The commands that went to another member, to be proposed there. */
  function forwarded(): Command[] {
    return network
      .of(messageType.prop)
      .flatMap(({ entries }) => entries)
      .map(({ data }) => decodeCommand(data).command);
  }

  it("grants without a lease time when it was deposed: the one that leads knows it", async () => {
    await world.settle(world.node.leaseGrant(1n, 60));
    depose();
    await follow(300);
    world.node.leaseGrant(2n, 60).catch(() => {});
    await follow(100);
    const grants = forwarded().filter(({ kind }) => kind === "leaseGrant");
    assert.deepEqual(
      grants.map((grant) => (grant.kind === "leaseGrant" ? [grant.id, grant.leaseTimeMs] : [])),
      [[2n, -1]],
    );
  });

  it("does not send on what is for the leader alone when it was deposed on the way", async () => {
    await world.settle(world.node.leaseGrant(1n, 60));
    // Its deadline is in the log: the renewal takes it out first.
    world.node.leaseRenew(1n).catch(() => {});
    depose();
    await follow(300);
    assert.deepEqual(forwarded(), []);
    assert.deepEqual(network.calls, [{ peer: OTHER, method: "lease-renew" }]);
  });

  it("refuses the leader's work when it does not lead", async () => {
    await world.settle(world.node.leaseGrant(1n, 60));
    const body = encodeLeaseTimeToLiveRequest({ id: 1n, keys: false });
    const ask = () => network.handler.answer(THIRD, "lease-time-to-live", body);
    await world.settle(ask());
    depose();
    let outcome = "pending";
    ask().then(
      () => {
        outcome = "answered";
      },
      (error: Error) => {
        outcome = error.message;
      },
    );
    await follow(200);
    assert.match(outcome, /not leader/);
  });

  it("offers commands in their order, though a leader is found between them", async () => {
    network.isObedient = false;
    await world.pass(5_000);
    assert.equal(world.node.leaderId, 0n);
    for (const key of ["first", "second"]) {
      world.put(key).catch(() => {});
      beat();
    }
    assert.equal(world.node.leaderId, OTHER);
    await follow(100);
    assert.deepEqual(
      forwarded().map((command) => (command.kind === "put" ? command.request.key : command.kind)),
      ["first", "second"],
    );
  });

  it("takes no answer to a read of an earlier run for one of its own", async () => {
    depose();
    await follow(100);
    let isServed = false;
    world.node.readBarrier().then(
      () => {
        isServed = true;
      },
      () => {},
    );
    await world.pass(50);
    const context = network.of(messageType.readIndex).at(-1)!.entries[0]!.data;
    const ofEarlierRun = Uint8Array.from(context, (byte, i) => (i === 0 ? byte ^ 1 : byte));
    const { term, raftIndex } = world.node;
    const answer = async (given: Uint8Array): Promise<void> => {
      const entries = [{ term: 0, index: 0, type: 0, data: given } as const];
      const fields = { type: messageType.readIndexResp, from: OTHER, to: ID, term, index: raftIndex };
      network.handler.receive([message({ ...fields, entries })]);
      await world.pass(50);
    };
    await answer(ofEarlierRun);
    assert.equal(isServed, false);
    await answer(context);
    assert.equal(isServed, true);
  });

  it("tells the time that a lease has left only when a quorum confirms that it leads", async () => {
    await world.settle(world.node.leaseGrant(1n, 60));
    network.isObedient = false;
    let ttlSeconds: number | undefined;
    world.node.leaseTimeToLive(1n, false).then(({ ttl }) => {
      ttlSeconds = ttl;
    });
    await world.pass(400);
    assert.equal(ttlSeconds, undefined);
    network.isObedient = true;
    await world.pass(800);
    assert.ok(ttlSeconds !== undefined && ttlSeconds > 55);
  });

  it("stands where a received snapshot stands, and reads on from there", async () => {
    const { term, raftIndex } = world.node;
    const { chunks, close } = world.member.state.openSnapshot();
    depose();
    const confState = { ...emptyConfState, voters: [OTHER, THIRD, ID] };
    const metadata = { index: raftIndex + 100, term: term + 1, confState };
    const snapshot = { metadata, data: new Uint8Array(0) };
    const snap = { type: messageType.snap, from: OTHER, to: ID, term: term + 1, snapshot };
    const received = network.handler.receiveSnapshot(
      message(snap),
      (async function* () {
        yield* chunks;
      })(),
    );
    await world.settle(received);
    close();
    await follow(300);
    assert.deepEqual(
      network.of(messageType.appResp).map(({ index }) => index),
      [metadata.index],
    );
    assert.equal(world.node.appliedIndex, metadata.index);
    assert.deepEqual(world.member.failures, []);
  });

  it("says and takes nothing any more when it has failed", async () => {
    world.node.fail(new Error("the disk is broken"));
    network.sent.length = 0;
    const { term } = world.node;
    beat(term + 1);
    await world.pass(3_000);
    assert.equal(world.node.term, term);
    assert.deepEqual(network.sent, []);
  });

  it("hands over before its own removal, if it leads, and does not propose that before", async () => {
    const before = world.node.raftIndex;
    world.node.memberRemove(ID).catch(() => {});
    await world.pass(300);
    assert.deepEqual(
      network.of(messageType.timeoutNow).map(({ to }) => to),
      [OTHER],
    );
    assert.equal(world.node.raftIndex, before);
    depose();
    await follow(300);
    const [removal] = network.of(messageType.prop).flatMap(({ entries }) => entries);
    assert.equal(removal?.type, entryType.confChange);
    assert.equal(decodeConfChange(removal.data).nodeId, ID);
  });

  it("ends, an election timeout later, when it applies its own removal", async () => {
    const { term, raftIndex } = world.node;
    depose();
    const id = { proposer: OTHER, runId: 1, sequence: 1 };
    const context = encodeMemberChange({ id, peerUrls: [], isPromotion: false, learnersMax: 0 });
    const data = encodeConfChange({ type: confChangeType.removeNode, nodeId: ID, context });
    const entry = { term: term + 1, index: raftIndex + 1, type: entryType.confChange, data };
    const append = { type: messageType.app, from: OTHER, to: ID, index: raftIndex, logTerm: term };
    network.handler.receive([
      message({ ...append, term: term + 1, commit: raftIndex + 1, entries: [entry] }),
    ]);
    await follow(500);
    assert.deepEqual(
      world.node.members().map((member) => member.id),
      [OTHER, THIRD],
    );
    assert.equal(world.member.failures.length, 0);
    await follow(1_000);
    assert.match(world.member.failures[0]?.message ?? "", /permanently removed/);
  });

  it("counts lease time from the first entry of its own term, not from that of the term before", async () => {
    const { term, raftIndex } = world.node;
    depose();
    const entry = { term: term + 1, index: raftIndex + 1, type: entryType.normal, data: new Uint8Array(0) };
    const append = { type: messageType.app, from: OTHER, to: ID, index: raftIndex, logTerm: term };
    network.handler.receive([message({ ...append, term: term + 1, commit: raftIndex, entries: [entry] })]);
    await follow(100);
    const { lessor } = world.member.state;
    const promote = lessor.promote.bind(lessor);
    let promotions = 0;
    lessor.promote = (nowMs) => {
      promotions++;
      promote(nowMs);
    };
    network.isObedient = true;
    await world.pass(5_000);
    assert.equal(world.node.leaderId, ID);
    assert.ok(world.node.appliedIndex > entry.index);
    assert.equal(promotions, 1);
  });
});
