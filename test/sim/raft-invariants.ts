import {
  type Entry,
  type HardState,
  type Message,
  messageType,
  type SnapshotMetadata,
} from "../../src/server/raft/index.ts";
import { LogTrack } from "./log-track.ts";
import { Tripwire } from "./tripwire.ts";

/** The voters whose majority decides; `outgoing` is empty outside of a joint configuration. */
export interface Voters {
  readonly incoming: readonly bigint[];
  readonly outgoing: readonly bigint[];
}

interface MemberView {
  /** What it was handed to write, and what is durable of it. */
  readonly written: LogTrack;
  readonly durable: LogTrack;
  hardState: HardState;
  commit: number;
  applied: number;
  readonly beliefs: Beliefs;
}

/** What a member itself believes, asked for when it matters. */
export interface Beliefs {
  /** As it knows them, or knew them before the event under way. */
  readonly voters: () => readonly Voters[];
  /** The term it leads, or led before the event under way; undefined when it does not lead. */
  readonly leaderTerm: () => number | undefined;
}

interface Golden {
  readonly term: number;
  readonly hash: number;
}

/**
 * What raft promises, held against everything that a world sees of its members (invariants-and-simulation 1.2): who
 * leads, what is written, durable, committed and applied, and what is said. Every method throws InvariantBroken.
 */
export class RaftInvariants {
  readonly #members = new Map<bigint, MemberView>();
  readonly #leaders = new Map<number, bigint>();
  readonly #grants = new Map<string, bigint>();
  /** By index and term: the hash of the log up to there. */
  readonly #prefixes = new Map<string, number>();
  readonly #committed: (Golden | undefined)[] = [];
  readonly #answers = new Map<number, number>();
  readonly #bootstrapEntries: number;
  readonly #tripwire: Tripwire;
  #committedMax = 0;

  /** The first entries of a new cluster are the same on all members, and committed before anybody writes them. */
  constructor(bootstrapEntries: number, tripwire = new Tripwire()) {
    this.#tripwire = tripwire;
    this.#bootstrapEntries = bootstrapEntries;
  }

  get committedMax(): number {
    return this.#committedMax;
  }

  get leadersSeen(): number {
    return this.#leaders.size;
  }

  /**
   * A member starts, with this on its disk. A majority of the voters that it believes in must have on disk what it is
   * the first to commit.
   */
  started(
    id: bigint,
    found: { hardState: HardState; entries: readonly Entry[]; snapshot: SnapshotMetadata | undefined },
    /** Up to where its state has applied the log: that of the snapshot, or beyond where the state is on disk. */
    appliedIndex: number,
    beliefs: Beliefs,
  ): void {
    const view: MemberView = {
      written: new LogTrack(),
      durable: new LogTrack(),
      hardState: found.hardState,
      commit: 0,
      applied: appliedIndex,
      beliefs,
    };
    const before = this.#members.get(id);
    this.#members.set(id, view);
    if (found.snapshot !== undefined) {
      this.#install(id, view.written, found.snapshot);
      this.#install(id, view.durable, found.snapshot);
    }
    this.#grow(id, view.written, found.entries);
    this.#grow(id, view.durable, found.entries);
    if (before !== undefined) this.#checkKept(id, before, view);
  }

  /** What was durable before a crash is there after it. */
  #checkKept(id: bigint, before: MemberView, after: MemberView): void {
    if (after.hardState.term < before.hardState.term) {
      this.#fail(
        "durability",
        `member ${id} had term ${before.hardState.term}, found ${after.hardState.term}`,
      );
    }
    if (after.hardState.term === before.hardState.term && after.hardState.vote !== before.hardState.vote) {
      if (before.hardState.vote !== 0n) {
        this.#fail(
          "durability",
          `member ${id} voted for ${before.hardState.vote}, found ${after.hardState.vote}`,
        );
      }
    }
    const last = before.durable.lastIndex;
    const first = Math.max(after.durable.baseIndex, before.durable.baseIndex);
    if (after.durable.lastIndex < last && after.written.lastIndex < last) {
      // A later write that was not answered yet may have cut the tail that was durable.
      const cut =
        before.written.lastIndex < last || before.written.hashAt(last) !== before.durable.hashAt(last);
      if (!cut)
        this.#fail(
          "durability",
          `member ${id} had ${last} entries durable, found ${after.durable.lastIndex}`,
        );
    }
    for (let index = first; index <= Math.min(last, after.durable.lastIndex); index++) {
      if (after.durable.hashAt(index) === before.durable.hashAt(index)) continue;
      if (before.written.hashAt(index) === after.durable.hashAt(index)) break;
      this.#fail("durability", `member ${id} had another entry ${index} durable than it found`);
    }
  }

  /** A batch went to the log; `durable` is to be called when that says so. */
  writes(id: bigint, batch: { hardState: HardState | undefined; entries: readonly Entry[] }): void {
    const view = this.#view(id);
    this.#grow(id, view.written, batch.entries);
    const first = batch.entries[0];
    if (first !== undefined && first.index <= view.commit && first.index > view.written.baseIndex) {
      const golden = this.#committed[first.index];
      if (golden !== undefined && golden.hash !== view.written.hashAt(first.index)) {
        this.#fail(
          "committed entries stay",
          `member ${id} overwrites entry ${first.index}, committed ${view.commit}`,
        );
      }
    }
  }

  durable(id: bigint, batch: { hardState: HardState | undefined; entries: readonly Entry[] }): void {
    const view = this.#view(id);
    this.#grow(id, view.durable, batch.entries);
    const { hardState } = batch;
    if (hardState === undefined) return;
    const before = view.hardState;
    if (hardState.term < before.term)
      this.#fail("terms grow", `member ${id}: ${before.term} to ${hardState.term}`);
    if (hardState.term === before.term && before.vote !== 0n && hardState.vote !== before.vote) {
      this.#fail(
        "one vote per term",
        `member ${id} in term ${before.term}: ${before.vote}, then ${hardState.vote}`,
      );
    }
    view.hardState = hardState;
  }

  /** A snapshot from the leader went to the disk; what is written from now on comes behind it. */
  installs(id: bigint, snapshot: SnapshotMetadata): void {
    this.#install(id, this.#view(id).written, snapshot);
  }

  /** Its state took the place of the log. */
  installed(id: bigint, snapshot: SnapshotMetadata): void {
    const view = this.#view(id);
    this.#install(id, view.durable, snapshot);
    view.applied = Math.max(view.applied, snapshot.index);
  }

  /** To be called with every message that leaves a member. */
  sent(id: bigint, message: Message): void {
    const view = this.#view(id);
    switch (message.type) {
      case messageType.app:
      case messageType.heartbeat:
        this.leads(id, message.term);
        return;
      case messageType.voteResp:
        if (!message.reject) this.#granted(id, view, message);
        return;
      case messageType.appResp:
        if (!message.reject) this.#acknowledged(id, view, message);
        return;
    }
  }

  /** A member is leader of a term. */
  leads(id: bigint, term: number): void {
    const known = this.#leaders.get(term);
    if (known === id) return;
    if (known !== undefined) this.#fail("election safety", `${known} and ${id} both lead term ${term}`);
    this.#leaders.set(term, id);
    this.#checkCompleteness(id, term);
  }

  /** Everything committed in an earlier term is in the log of a leader. */
  #checkCompleteness(id: bigint, term: number): void {
    const { written } = this.#view(id);
    for (let index = this.#committedMax; index > written.baseIndex; index--) {
      const golden = this.#committed[index];
      if (golden === undefined || golden.term >= term) continue;
      if (written.hashAt(index) === golden.hash) return;
      this.#fail(
        "leader completeness",
        `leader ${id} of term ${term} has not entry ${index}, which is committed`,
      );
    }
  }

  #granted(id: bigint, view: MemberView, { term, to }: Message): void {
    const key = `${id} ${term}`;
    const other = this.#grants.get(key);
    if (other !== undefined && other !== to) {
      this.#fail("one vote per term", `member ${id} votes for ${other} and ${to} in term ${term}`);
    }
    this.#grants.set(key, to);
    const { hardState } = view;
    if (hardState.term < term || (hardState.term === term && hardState.vote !== to)) {
      const found = `term ${hardState.term}, vote ${hardState.vote}`;
      this.#fail("votes are durable", `member ${id} votes for ${to} in term ${term}, durable is ${found}`);
    }
  }

  #acknowledged(id: bigint, view: MemberView, { index, to, term }: Message): void {
    if (view.durable.lastIndex < index) {
      this.#fail(
        "acknowledged is durable",
        `member ${id} acknowledges ${index} to ${to} in term ${term}, durable up to ${view.durable.lastIndex}`,
      );
    }
    if (view.hardState.term < term) {
      this.#fail(
        "acknowledged is durable",
        `member ${id} answers in term ${term}, durable is ${view.hardState.term}`,
      );
    }
  }

  /** The commit index of a member, after each event: it only grows. */
  knowsCommit(id: bigint, commit: number): void {
    const view = this.#view(id);
    if (commit < view.commit)
      this.#fail("the commit index grows", `member ${id}: ${view.commit} to ${commit}`);
    view.commit = commit;
  }

  /**
   * What a leader counts as committed, after each event. On other members an entry is looked at when it is applied:
   * their commit index may move before the entries are written.
   */
  leaderCommits(id: bigint, commit: number): void {
    const { written, beliefs } = this.#view(id);
    const last = Math.min(commit, written.lastIndex);
    const term = beliefs.leaderTerm();
    // Raft section 5.4.2: entries of earlier terms are committed by one of the leader's own behind them.
    if (last > this.#committedMax && written.termAt(last) !== term) {
      const detail = `leader ${id} of term ${term} commits up to ${last}, of term ${written.termAt(last)}`;
      this.#fail("only own terms are counted", detail);
    }
    for (let index = Math.max(this.#committedMax, written.baseIndex) + 1; index <= last; index++) {
      this.#commitFirst(id, index, { hash: written.hashAt(index)!, term: written.termAt(index)! });
    }
  }

  /** Nobody knew it before: now a majority must have it on disk. */
  #commitFirst(id: bigint, index: number, golden: Golden): void {
    this.#committed[index] = golden;
    this.#committedMax = Math.max(this.#committedMax, index);
    if (index <= this.#bootstrapEntries) return;
    const known = this.#view(id).beliefs.voters();
    const isDurable = known.some(({ incoming, outgoing }) =>
      [incoming, outgoing].every((half) => {
        const holders = half.filter((voter) => this.#isDurableAt(voter, index, golden.hash));
        return half.length === 0 || 2 * holders.length > half.length;
      }),
    );
    if (isDurable) return;
    const halves = known.map(({ incoming, outgoing }) => `(${incoming})(${outgoing})`);
    this.#fail(
      "committed is durable on a majority",
      `member ${id} commits entry ${index}, voters are ${halves}`,
    );
  }

  #isDurableAt(id: bigint, index: number, hash: number): boolean {
    const durable = this.#members.get(id)?.durable;
    return durable !== undefined && (durable.baseIndex > index || durable.hashAt(index) === hash);
  }

  /** A member applied one entry of its log. `answer`: a hash of what came out of it, the same on all. */
  applies(id: bigint, index: number, answer: number): void {
    const view = this.#view(id);
    if (index !== view.applied + 1) {
      this.#fail("applied once and in order", `member ${id} applies ${index} after ${view.applied}`);
    }
    view.applied = index;
    const golden = this.#committed[index];
    const hash = view.durable.hashAt(index);
    if (hash === undefined)
      this.#fail("applied is durable", `member ${id} applies entry ${index} before it is`);
    if (golden !== undefined && golden.hash !== hash) {
      this.#fail("state machine safety", `member ${id} applies another entry ${index} than was committed`);
    }
    // A leader may apply in the same turn in which it commits.
    if (golden === undefined) {
      if (index > this.#bootstrapEntries && view.beliefs.leaderTerm() === undefined) {
        this.#fail("leaders commit", `member ${id} applies entry ${index}, which no leader has committed`);
      }
      this.#commitFirst(id, index, { hash, term: view.durable.termAt(index)! });
    }
    const known = this.#answers.get(index);
    if (known === undefined) this.#answers.set(index, answer);
    else if (known !== answer)
      this.#fail("equal answers", `entry ${index} had another answer on member ${id}`);
  }

  /** Whether what was written to the member's log at `index` is a command; undefined when nothing was. */
  isCommandAt(id: bigint, index: number): boolean | undefined {
    return this.#view(id).written.isCommandAt(index);
  }

  #install(id: bigint, track: LogTrack, { index, term }: SnapshotMetadata): void {
    const golden = this.#committed[index];
    if (golden === undefined || golden.term !== term) {
      this.#fail(
        "snapshots hold what is committed",
        `member ${id} has one of entry ${index} in term ${term}`,
      );
    }
    // A snapshot of what the log holds already takes nothing away.
    if (track.hashAt(index) !== golden.hash) track.reset(index, term, golden.hash);
  }

  #grow(id: bigint, track: LogTrack, entries: readonly Entry[]): void {
    if (!track.append(entries))
      this.#fail("no gaps", `member ${id} writes ${entries[0]?.index} after ${track.lastIndex}`);
    for (const { index, term } of entries) {
      const hash = track.hashAt(index);
      if (hash === undefined) continue;
      const before = track.termAt(index - 1);
      if (before !== undefined && before > term)
        this.#fail("terms in a log grow", `member ${id} at entry ${index}`);
      const key = `${index} ${term}`;
      const known = this.#prefixes.get(key);
      if (known === undefined) this.#prefixes.set(key, hash);
      else if (known !== hash)
        this.#fail("log matching", `entry ${index} of term ${term} on member ${id} is another`);
    }
  }

  #view(id: bigint): MemberView {
    const view = this.#members.get(id);
    if (view === undefined) throw new Error(`the world does not know member ${id}`);
    return view;
  }

  #fail(invariant: string, detail: string): never {
    this.#tripwire.fail(invariant, detail);
  }
}
