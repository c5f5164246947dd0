import { assert } from "../../lib/assert.ts";
import { type ConfChangeSingle, confChangeType } from "./conf-change.ts";
import type { Progress } from "./progress.ts";
import {
  compareIds,
  confStateOf,
  emptyTrackerConfig,
  type InflightLimits,
  isJoint,
  type Membership,
  newProgress,
} from "./tracker.ts";
import { type ConfState, NONE } from "./types.ts";

/**
 * Derives one membership from another (raft-core-spec section 8). Each call answers with a new membership and leaves
 * the old one alone; what must not be throws AssertionError, because the leader has checked it before.
 */
export class Changer {
  readonly #from: Membership;
  readonly #lastIndex: number;
  readonly #limits: InflightLimits;

  constructor(from: Membership, lastIndex: number, limits: InflightLimits) {
    this.#from = from;
    this.#lastIndex = lastIndex;
    this.#limits = limits;
  }

  /** Changes at most one voter, without a joint configuration. */
  simple(changes: readonly ConfChangeSingle[]): Membership {
    const draft = this.#draft();
    assert(!isJoint(this.#from.config), "can't apply simple config change in joint config");
    draft.apply(changes);
    assert(
      countChanged(this.#from.config.incoming, draft.incoming) <= 1,
      "more than one voter changed without entering joint config",
    );
    return draft.finish();
  }

  /** Makes the voters of now the outgoing half and applies the changes to the incoming one. */
  enterJoint(autoLeave: boolean, changes: readonly ConfChangeSingle[]): Membership {
    const draft = this.#draft();
    assert(!isJoint(this.#from.config), "config is already joint");
    assert(draft.incoming.size > 0, "can't make a zero-voter config joint");
    draft.outgoing = new Set(draft.incoming);
    draft.apply(changes);
    draft.autoLeave = autoLeave;
    return draft.finish();
  }

  /** The incoming half alone remains. */
  leaveJoint(): Membership {
    const draft = this.#draft();
    assert(isJoint(this.#from.config), "can't leave a non-joint config");
    draft.dropOutgoing();
    return draft.finish();
  }

  #draft(): Draft {
    checkInvariants(this.#from);
    return new Draft(this.#from, this.#lastIndex, this.#limits);
  }
}

/** A membership that is being changed. */
class Draft {
  readonly incoming: Set<bigint>;
  outgoing: Set<bigint>;
  autoLeave: boolean;
  readonly #learners: Set<bigint>;
  readonly #learnersNext: Set<bigint>;
  readonly #progress = new Map<bigint, Progress>();
  readonly #lastIndex: number;
  readonly #limits: InflightLimits;

  constructor({ config, progress }: Membership, lastIndex: number, limits: InflightLimits) {
    this.incoming = new Set(config.incoming);
    this.outgoing = new Set(config.outgoing);
    this.autoLeave = config.autoLeave;
    this.#learners = new Set(config.learners);
    this.#learnersNext = new Set(config.learnersNext);
    for (const [id, peer] of progress) this.#progress.set(id, peer.clone());
    this.#lastIndex = lastIndex;
    this.#limits = limits;
  }

  apply(changes: readonly ConfChangeSingle[]): void {
    for (const { type, nodeId } of changes) {
      // Id 0 stands where the application has refused a change.
      if (nodeId === NONE) continue;
      if (type === confChangeType.addNode) this.#makeVoter(nodeId);
      else if (type === confChangeType.addLearnerNode) this.#makeLearner(nodeId);
      else if (type === confChangeType.removeNode) this.#remove(nodeId);
    }
    assert(this.incoming.size > 0, "removed all voters");
  }

  dropOutgoing(): void {
    for (const id of this.#learnersNext) {
      this.#learners.add(id);
      this.#progress.get(id)!.isLearner = true;
    }
    this.#learnersNext.clear();
    for (const id of this.outgoing) {
      if (!this.incoming.has(id) && !this.#learners.has(id)) this.#progress.delete(id);
    }
    this.outgoing.clear();
    this.autoLeave = false;
  }

  finish(): Membership {
    const membership = {
      config: {
        incoming: ascending(this.incoming),
        outgoing: ascending(this.outgoing),
        learners: ascending(this.#learners),
        learnersNext: ascending(this.#learnersNext),
        autoLeave: this.autoLeave,
      },
      progress: this.#progress,
    };
    checkInvariants(membership);
    return membership;
  }

  #makeVoter(id: bigint): void {
    const peer = this.#progress.get(id) ?? this.#addProgress(id);
    peer.isLearner = false;
    this.#learners.delete(id);
    this.#learnersNext.delete(id);
    this.incoming.add(id);
  }

  #makeLearner(id: bigint): void {
    const peer = this.#progress.get(id) ?? this.#addProgress(id);
    if (peer.isLearner) return;
    this.incoming.delete(id);
    this.#learners.delete(id);
    this.#learnersNext.delete(id);
    if (this.outgoing.has(id)) {
      // Still a voter of the outgoing half: it cannot be both, so it becomes a learner when that half is gone.
      this.#learnersNext.add(id);
    } else {
      peer.isLearner = true;
      this.#learners.add(id);
    }
  }

  #remove(id: bigint): void {
    this.incoming.delete(id);
    this.#learners.delete(id);
    this.#learnersNext.delete(id);
    if (!this.outgoing.has(id)) this.#progress.delete(id);
  }

  #addProgress(id: bigint): Progress {
    // Not lastIndex + 1: the entry that adds the peer may be the last, and the first probe should carry it.
    const peer = newProgress(id, Math.max(this.#lastIndex, 1), this.#limits);
    // It just joined: without this the quorum could seem lost before it had a chance to answer.
    peer.isRecentlyActive = true;
    this.#progress.set(id, peer);
    return peer;
  }
}

function ascending(ids: ReadonlySet<bigint>): bigint[] {
  return [...ids].sort(compareIds);
}

function countChanged(before: readonly bigint[], after: ReadonlySet<bigint>): number {
  const kept = before.filter((id) => after.has(id)).length;
  return before.length - kept + after.size - kept;
}

function checkInvariants({ config, progress }: Membership): void {
  const { incoming, outgoing, learners, learnersNext } = config;
  for (const id of [...incoming, ...outgoing, ...learners, ...learnersNext]) {
    assert(progress.has(id), `no progress for ${id}`);
  }
  for (const id of learnersNext) {
    assert(outgoing.includes(id), `${id} is in LearnersNext, but not in Voters[1]`);
    assert(
      progress.get(id)?.isLearner === false,
      `${id} is in LearnersNext, but is already marked as learner`,
    );
  }
  for (const id of learners) {
    assert(!outgoing.includes(id), `${id} is in Learners and Voters[1]`);
    assert(!incoming.includes(id), `${id} is in Learners and Voters[0]`);
    assert(progress.get(id)?.isLearner === true, `${id} is in Learners, but is not marked as learner`);
  }
  if (isJoint(config)) return;
  assert(learnersNext.length === 0, "cfg.LearnersNext must be nil when not joint");
  assert(!config.autoLeave, "AutoLeave must be false when not joint");
}

/** The membership that a snapshot or the disk describes. Throws AssertionError when it describes none. */
export function restoreMembership(
  confState: ConfState,
  lastIndex: number,
  limits: InflightLimits,
): Membership {
  const add = (nodeId: bigint): ConfChangeSingle => ({ type: confChangeType.addNode, nodeId });
  const addLearner = (nodeId: bigint) => ({ type: confChangeType.addLearnerNode, nodeId });
  const remove = (nodeId: bigint) => ({ type: confChangeType.removeNode, nodeId });
  const { voters, votersOutgoing, learners, learnersNext } = confState;
  const incoming = [
    ...votersOutgoing.map(remove),
    ...voters.map(add),
    ...learners.map(addLearner),
    ...learnersNext.map(addLearner),
  ];

  let membership: Membership = { config: emptyTrackerConfig, progress: new Map() };
  const next = () => new Changer(membership, lastIndex, limits);
  if (votersOutgoing.length === 0) {
    for (const change of incoming) membership = next().simple([change]);
  } else {
    for (const change of votersOutgoing.map(add)) membership = next().simple([change]);
    membership = next().enterJoint(confState.autoLeave, incoming);
  }
  assert(
    isSame(confState, confStateOf(membership.config)),
    "the configuration restored is not the one given",
  );
  return membership;
}

/** The order of ids says nothing. */
function isSame(left: ConfState, right: ConfState): boolean {
  const lists = ["voters", "learners", "votersOutgoing", "learnersNext"] as const;
  return (
    left.autoLeave === right.autoLeave &&
    lists.every((list) => [...left[list]].sort(compareIds).join() === right[list].join())
  );
}
