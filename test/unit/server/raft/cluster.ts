import assert from "node:assert/strict";
import { silentLog } from "../../../../src/lib/log.ts";
import { createPrng } from "../../../../src/lib/prng.ts";
import { asV2, confChangeOf } from "../../../../src/server/raft/conf-change.ts";
import {
  type ConfState,
  confChangeType,
  type Entry,
  emptyConfState,
  emptyHardState,
  entryType,
  type HardState,
  LOCAL_APPEND,
  LOCAL_APPLY,
  MemoryLog,
  type Message,
  messageType,
  type RaftConfig,
  RawNode,
  type ReadState,
  type Snapshot,
} from "../../../../src/server/raft/index.ts";

/** What a member keeps over a crash: what it has made durable. */
interface Disk {
  hardState: HardState;
  /** Where the log begins, and the state up to there: the texts applied. */
  snapshot: { index: number; term: number; confState: ConfState; texts: readonly string[] };
  entries: Entry[];
}

/** A member that keeps the contract of RawNode by hand: writes become durable when the test says so. */
export class TestMember {
  readonly id: bigint;
  readonly #config: Partial<RaftConfig>;
  readonly #disk: Disk = {
    hardState: emptyHardState,
    snapshot: { index: 0, term: 0, confState: emptyConfState, texts: [] },
    entries: [],
  };
  raw!: RawNode;
  stable!: MemoryLog;
  isUp = true;
  /** Writes that are not durable yet. */
  appends: Message[] = [];
  /** Texts of all normal entries applied, from the first index on. */
  texts: string[] = [];
  appliedIndex = 0;
  appliedTerm = 0;
  confState: ConfState = emptyConfState;
  reads: ReadState[] = [];
  /** None can be opened at the moment. */
  isSnapshotUnavailable = false;

  constructor(id: bigint, config: Partial<RaftConfig>) {
    this.id = id;
    this.#config = config;
    this.start();
  }

  /** From what the disk has. */
  start(): void {
    const { snapshot, hardState, entries } = this.#disk;
    this.stable = new MemoryLog(() => (this.isSnapshotUnavailable ? undefined : this.openSnapshot()));
    this.stable.reset(snapshot.index, snapshot.term);
    this.stable.append(entries);
    this.appends = [];
    this.reads = [];
    this.texts = [...snapshot.texts];
    this.appliedIndex = snapshot.index;
    this.appliedTerm = snapshot.term;
    this.confState = snapshot.confState;
    this.isUp = true;
    this.raw = new RawNode({
      id: this.id,
      electionTicks: 10,
      stableLog: this.stable,
      hardState,
      confState: snapshot.confState,
      applyBytesMax: 1_000_000,
      uncommittedBytesMax: 1_000_000,
      prng: createPrng(Number(this.id) * 1_000 + entries.length),
      log: silentLog,
      ...this.#config,
    });
  }

  openSnapshot(): Snapshot {
    const { appliedIndex, appliedTerm, confState, texts } = this;
    return {
      metadata: { index: appliedIndex, term: appliedTerm, confState },
      data: Buffer.from(JSON.stringify(texts)),
    };
  }

  /** Keeps what is applied in a snapshot and drops the log before it. */
  compact(): void {
    const { snapshot } = this.#disk;
    if (this.appliedIndex <= snapshot.index) return;
    this.stable.compact(this.appliedIndex);
    this.#disk.snapshot = {
      index: this.appliedIndex,
      term: this.appliedTerm,
      confState: this.confState,
      texts: [...this.texts],
    };
    this.#disk.entries = this.#disk.entries.filter((entry) => entry.index > this.appliedIndex);
  }

  /** Takes every Ready; returns the messages for others. */
  collect(): Message[] {
    const out: Message[] = [];
    while (this.raw.hasReady()) {
      const ready = this.raw.ready();
      this.reads.push(...ready.readStates);
      for (const message of ready.messages) {
        if (message.to === LOCAL_APPEND) this.appends.push(message);
        else if (message.to === LOCAL_APPLY) this.#apply(message);
        else out.push(message);
      }
    }
    return out;
  }

  #apply(message: Message): void {
    for (const entry of message.entries) {
      assert.equal(entry.index, this.appliedIndex + 1, "entries are applied in order, each once");
      this.appliedIndex = entry.index;
      this.appliedTerm = entry.term;
      if (entry.type !== entryType.normal) {
        this.confState = this.raw.applyConfChange(confChangeOf(entry));
      } else if (entry.data.length > 0) {
        this.texts.push(Buffer.from(entry.data).toString());
      }
    }
    for (const response of message.responses) this.raw.step(response);
  }

  /** Makes the oldest write durable; returns the answers for others. */
  sync(): Message[] {
    const message = this.appends.shift();
    if (message === undefined) return [];
    this.#write(message);
    const out: Message[] = [];
    for (const response of message.responses) {
      if (response.to === this.id) this.raw.step(response);
      else out.push(response);
    }
    return out;
  }

  #write({ hardState, snapshot, entries }: Message): void {
    const disk = this.#disk;
    if (hardState !== undefined) disk.hardState = hardState;
    if (snapshot !== undefined) {
      const { index, term, confState } = snapshot.metadata;
      this.texts = JSON.parse(Buffer.from(snapshot.data).toString());
      this.appliedIndex = index;
      this.appliedTerm = term;
      this.confState = confState;
      disk.snapshot = { index, term, confState, texts: [...this.texts] };
      disk.entries = [];
      this.stable.reset(index, term);
    }
    const [first] = entries;
    if (first === undefined) return;
    disk.entries = [...disk.entries.filter((entry) => entry.index < first.index), ...entries];
    this.stable.append(entries);
  }

  /** Everything that was not durable is lost. */
  crash(): void {
    this.isUp = false;
  }
}

/** Members and a network between them that does nothing by itself. */
export class TestCluster {
  readonly members = new Map<bigint, TestMember>();
  readonly #config: Partial<RaftConfig>;
  messages: Message[] = [];
  /** Members that neither send nor receive. */
  readonly isolated = new Set<bigint>();
  /** Leader of each term, for ever. */
  readonly #leaders = new Map<number, bigint>();

  constructor(count: number, config: Partial<RaftConfig> = {}) {
    this.#config = config;
    const ids = Array.from({ length: count }, (_, i) => BigInt(i + 1));
    for (const id of ids) {
      const context = new Uint8Array(0);
      this.add(id).raw.bootstrap(ids.map((nodeId) => ({ type: confChangeType.addNode, nodeId, context })));
    }
    this.settle();
  }

  /** A member that knows nothing yet. */
  add(id: bigint): TestMember {
    const member = new TestMember(id, this.#config);
    this.members.set(id, member);
    return member;
  }

  member(id: bigint | number): TestMember {
    return this.members.get(BigInt(id))!;
  }

  get up(): TestMember[] {
    return [...this.members.values()].filter(({ isUp }) => isUp);
  }

  collect(member: TestMember): void {
    this.messages.push(...member.collect());
    if (!member.raw.isLeader) return;
    const known = this.#leaders.get(member.raw.term);
    assert.ok(known === undefined || known === member.id, `two leaders of term ${member.raw.term}`);
    this.#leaders.set(member.raw.term, member.id);
  }

  sync(member: TestMember): void {
    this.messages.push(...member.sync());
    this.collect(member);
  }

  deliver(message: Message): void {
    const target = this.members.get(message.to);
    if (target === undefined || !target.isUp) return;
    if (this.isolated.has(message.to) || this.isolated.has(message.from)) return;
    if (message.type === messageType.prop || message.type === messageType.readIndex)
      assert.equal(message.term, 0);
    target.raw.step(message);
    if (message.type === messageType.snap)
      this.members.get(message.from)?.raw.reportSnapshot(message.to, true);
    this.collect(target);
  }

  /** All writes and messages, until there is nothing left to do. */
  settle(): void {
    for (let round = 0; round < 10_000; round++) {
      for (const member of this.up) this.collect(member);
      const writer = this.up.find(({ appends }) => appends.length > 0);
      if (writer !== undefined) this.sync(writer);
      const message = this.messages.shift();
      if (message !== undefined) this.deliver(message);
      if (writer === undefined && message === undefined) return;
    }
    assert.fail("the cluster does not come to rest");
  }

  tick(count = 1): void {
    for (let i = 0; i < count; i++) {
      for (const member of this.up) member.raw.tick();
      this.settle();
    }
  }

  get leader(): TestMember | undefined {
    const leaders = this.up.filter(({ raw, id }) => raw.isLeader && !this.isolated.has(id));
    return leaders.sort((left, right) => right.raw.term - left.raw.term)[0];
  }

  /** Ticks until there is a leader that all others follow. */
  elect(): TestMember {
    for (let i = 0; i < 200; i++) {
      const leader = this.leader;
      if (leader !== undefined && this.#followersOf(leader).every(({ raw }) => raw.leader === leader.id)) {
        return leader;
      }
      this.tick();
    }
    assert.fail("no leader within 200 ticks");
  }

  #followersOf(leader: TestMember): TestMember[] {
    const { voters, learners } = leader.confState;
    return this.up.filter(({ id }) => !this.isolated.has(id) && [...voters, ...learners].includes(id));
  }

  propose(text: string, via = this.elect()): boolean {
    const isTaken = via.raw.propose(Buffer.from(text));
    this.settle();
    return isTaken;
  }

  changeMembers(input: string, via = this.elect()): ConfState {
    const types = {
      v: confChangeType.addNode,
      l: confChangeType.addLearnerNode,
      r: confChangeType.removeNode,
    };
    const changes = input
      .split(" ")
      .filter((token) => token !== "")
      .map((token) => ({ type: types[token[0] as "v" | "l" | "r"], nodeId: BigInt(token.slice(1)) }));
    const context = new Uint8Array(0);
    const [only] = changes;
    const isSingle = only !== undefined && changes.length === 1;
    via.raw.proposeConfChange(isSingle ? { ...only, context } : asV2({ transition: 0, changes, context }));
    this.settle();
    return via.confState;
  }
}
