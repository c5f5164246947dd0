import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type ConfChangeSingle,
  type ConfState,
  confChangeType,
  emptyConfState,
} from "../../../../src/server/raft/index.ts";
import { Changer, restoreMembership } from "../../../../src/server/raft/membership.ts";
import {
  confStateOf,
  emptyTrackerConfig,
  type Membership,
  newProgress,
} from "../../../../src/server/raft/tracker.ts";

const limits = { inflightMessagesMax: 10, inflightBytesMax: Number.POSITIVE_INFINITY };
const empty: Membership = { config: emptyTrackerConfig, progress: new Map() };

function change(type: keyof typeof confChangeType, nodeId: bigint): ConfChangeSingle {
  return { type: confChangeType[type], nodeId };
}

function of(confState: Partial<ConfState>): Membership {
  return restoreMembership({ ...emptyConfState, ...confState }, 10, limits);
}

const singleChange = fc.record({
  type: fc.constantFrom(...Object.values(confChangeType)),
  nodeId: fc.bigInt({ min: 0n, max: 5n }),
});
const action = fc.oneof(
  fc.record({ kind: fc.constant("simple" as const), changes: fc.array(singleChange, { maxLength: 2 }) }),
  fc.record({
    kind: fc.constant("enterJoint" as const),
    autoLeave: fc.boolean(),
    changes: fc.array(singleChange, { maxLength: 4 }),
  }),
  fc.record({ kind: fc.constant("leaveJoint" as const) }),
);

describe("A membership", () => {
  it("is the same when it is restored from what a snapshot says of it, after any changes", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 20 }), (actions) => {
        let membership = of({ voters: [1n] });
        for (const step of actions) {
          const changer = new Changer(membership, 10, limits);
          const before = JSON.stringify(confStateOf(membership.config), (_, value) => String(value));
          try {
            if (step.kind === "simple") membership = changer.simple(step.changes);
            else if (step.kind === "enterJoint")
              membership = changer.enterJoint(step.autoLeave, step.changes);
            else membership = changer.leaveJoint();
          } catch {
            assert.equal(
              JSON.stringify(confStateOf(membership.config), (_, value) => String(value)),
              before,
            );
            continue;
          }
          const restored = restoreMembership(confStateOf(membership.config), 10, limits);
          assert.deepEqual(restored.config, membership.config);
          assert.deepEqual(new Set(restored.progress.keys()), new Set(membership.progress.keys()));
          for (const [id, peer] of membership.progress) {
            assert.equal(restored.progress.get(id)?.isLearner, peer.isLearner);
          }
        }
      }),
    );
  });

  it("restores whatever order its ids come in, and refuses what describes no membership", () => {
    assert.deepEqual(of({ voters: [3n, 1n, 2n], learners: [9n, 5n] }).config.incoming, [1n, 2n, 3n]);
    assert.deepEqual(of({}).config, emptyTrackerConfig);
    assert.throws(() => of({ voters: [1n], learnersNext: [2n] }), /not the one given/);
    assert.throws(() => of({ voters: [1n, 2n], learners: [2n] }), /not the one given/);
    assert.throws(() => of({ voters: [1n], autoLeave: true }), /not the one given/);
  });

  it("changes one voter at a time without a joint configuration", () => {
    const three = of({ voters: [1n, 2n, 3n] });
    const changer = new Changer(three, 10, limits);
    assert.throws(
      () => changer.simple([change("addNode", 4n), change("addNode", 5n)]),
      /more than one voter changed/,
    );
    assert.throws(
      () => changer.simple([change("addNode", 4n), change("removeNode", 1n)]),
      /more than one voter changed/,
    );
    assert.throws(
      () => new Changer(of({ voters: [1n] }), 10, limits).simple([change("removeNode", 1n)]),
      /all voters/,
    );
    const changed = changer.simple([
      change("addNode", 4n),
      change("addLearnerNode", 5n),
      change("addLearnerNode", 6n),
    ]);
    assert.deepEqual(changed.config.incoming, [1n, 2n, 3n, 4n]);
    assert.deepEqual(changed.config.learners, [5n, 6n]);
    assert.deepEqual(three.config.incoming, [1n, 2n, 3n], "the one before is as it was");
  });

  it("begins a new peer at the last entry, heard of just now, and at the first of an empty log", () => {
    for (const [lastIndex, next] of [
      [10, 10],
      [0, 1],
    ] as const) {
      const peer = new Changer(empty, lastIndex, limits).simple([change("addNode", 1n)]).progress.get(1n)!;
      assert.deepEqual(
        [peer.match, peer.next, peer.isRecentlyActive, peer.isLearner],
        [0, next, true, false],
      );
    }
  });

  it("keeps a voter of the outgoing half as a voter until that half is gone", () => {
    const joint = new Changer(of({ voters: [1n, 2n] }), 10, limits).enterJoint(true, [
      change("addLearnerNode", 2n),
      change("addNode", 3n),
    ]);
    assert.deepEqual(
      [joint.config.learnersNext, joint.config.learners, joint.progress.get(2n)?.isLearner],
      [[2n], [], false],
    );
    const left = new Changer(joint, 10, limits).leaveJoint();
    assert.deepEqual(
      [
        left.config.learners,
        left.config.learnersNext,
        left.progress.get(2n)?.isLearner,
        left.config.autoLeave,
      ],
      [[2n], [], true, false],
    );
    const removed = new Changer(of({ voters: [1n, 2n] }), 10, limits).enterJoint(false, [
      change("removeNode", 2n),
    ]);
    assert.equal(removed.progress.has(2n), true);
    assert.equal(new Changer(removed, 10, limits).leaveJoint().progress.has(2n), false);
  });

  it("is refused by everything when it contradicts itself", () => {
    const voter = newProgress(1n, 1, limits);
    const learner = Object.assign(newProgress(2n, 1, limits), { isLearner: true });
    const progress = new Map([
      [1n, voter],
      [2n, learner],
    ]);
    for (const [config, text] of [
      [{ incoming: [9n] }, /no progress for 9/],
      [{ incoming: [1n], learnersNext: [1n] }, /not in Voters\[1\]/],
      [{ incoming: [1n], outgoing: [2n], learnersNext: [2n] }, /already marked as learner/],
      [{ incoming: [1n], outgoing: [2n], learners: [2n] }, /Learners and Voters\[1\]/],
      [{ incoming: [2n], learners: [2n] }, /Learners and Voters\[0\]/],
      [{ learners: [1n] }, /not marked as learner/],
      [{ incoming: [1n], autoLeave: true }, /AutoLeave must be false/],
    ] as const) {
      const broken = { config: { ...emptyTrackerConfig, ...config }, progress };
      assert.throws(() => new Changer(broken, 1, limits).simple([]), text);
    }
  });
});
