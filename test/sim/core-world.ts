import { confChangeType } from "../../src/server/raft/index.ts";
import { type CoreDisk, CoreMember, type CoreSettings, emptyDisk } from "./core-member.ts";
import type { NetworkSettings } from "./endpoint.ts";
import { FaultCounts } from "./fault-counts.ts";
import { SimNetwork } from "./network.ts";
import { drawPartition } from "./partitions.ts";
import { SimProcess } from "./process.ts";
import { RaftInvariants } from "./raft-invariants.ts";
import { Random, TraceHash } from "./random.ts";
import { InvariantBroken } from "./tripwire.ts";
import { VirtualTime } from "./virtual-time.ts";

export interface CoreRun {
  readonly seed: number;
  readonly safetyMs: number;
  readonly members?: number | undefined;
}

export interface CoreOutcome {
  readonly seed: number;
  readonly traceHash: string;
  readonly events: number;
  readonly acknowledged: number;
  readonly reads: number;
  readonly leaders: number;
  readonly counts: FaultCounts;
}

const HEAL_ELECTIONS = 20;

/**
 * Raft alone under a hostile network, crashes and membership changes, then at peace: every step held against the
 * invariants. Synchronous; a run is a pure function of its seed. Throws InvariantBroken.
 */
export async function runCoreWorld(run: CoreRun): Promise<CoreOutcome> {
  return await new CoreWorld(run).run();
}

class CoreWorld {
  readonly #run: CoreRun;
  readonly #trace = new TraceHash();
  readonly #time = new VirtualTime(this.#trace);
  readonly #counts = new FaultCounts();
  readonly #nemesis: Random;
  readonly #clients: Random;
  readonly #settings: CoreSettings;
  readonly #network: SimNetwork;
  readonly #invariants: RaftInvariants;
  readonly #members = new Map<bigint, CoreMember>();
  readonly #disks = new Map<bigint, CoreDisk>();
  readonly #acknowledged = new Map<string, number>();
  /** By context: the least index it may be answered with. */
  readonly #reads = new Map<string, number>();
  #readsAnswered = 0;
  #proposals = 0;
  #nextId: bigint;
  #incarnations = 0;
  #isAtPeace = false;

  constructor(run: CoreRun) {
    this.#run = run;
    const { seed } = run;
    const random = new Random(seed, "settings");
    this.#nemesis = new Random(seed, "nemesis");
    this.#clients = new Random(seed, "clients");
    const count = run.members ?? random.pick([1, 2, 3, 3, 3, 4, 5, 5, 7]);
    const voters = Array.from({ length: count }, (_, i) => BigInt(i + 1));
    this.#nextId = BigInt(count + 1);
    this.#settings = drawSettings(random, voters, () => this.#isAtPeace);
    this.#network = new SimNetwork(
      this.#time,
      new Random(seed, "network"),
      drawNetwork(random),
      this.#counts,
    );
    this.#invariants = new RaftInvariants(count);
    for (const id of voters) this.#start(id, true);
  }

  async run(): Promise<CoreOutcome> {
    try {
      this.#scheduleClients();
      this.#scheduleFaults();
      await this.#runUntil(this.#run.safetyMs);
      this.#heal();
      await this.#converge();
    } catch (error) {
      if (error instanceof InvariantBroken) throw error;
      const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
      throw new InvariantBroken("the core does not fail", detail);
    }
    return {
      seed: this.#run.seed,
      traceHash: this.#trace.hex,
      events: this.#time.eventsRun,
      acknowledged: this.#acknowledged.size,
      reads: this.#readsAnswered,
      leaders: this.#invariants.leadersSeen,
      counts: this.#counts,
    };
  }

  async #runUntil(untilMs: number): Promise<void> {
    while (this.#time.step(untilMs)) {
      // Only a snapshot on its way waits for promises.
      if (this.#counts.of("snapshots sent") > 0) await turn();
    }
  }

  #start(id: bigint, isNew = false): void {
    const { seed } = this.#run;
    const incarnation = this.#incarnations++;
    const random = new Random(seed, `member ${id} ${incarnation}`);
    const drift = this.#isAtPeace ? 0 : 0.1;
    const process = new SimProcess(this.#time, `m${id}.${incarnation}`, {
      offsetMs: random.below(1_000_000),
      rate: 1 + drift * (random.fraction() - 0.5),
    });
    let disk = this.#disks.get(id);
    if (disk === undefined) {
      disk = emptyDisk();
      this.#disks.set(id, disk);
    }
    const member = new CoreMember({
      ...{ id, process, disk, random, isNew, settings: this.#settings, invariants: this.#invariants },
      network: this.#network.connect(id, process),
      events: {
        acknowledged: (_, data, index) => this.#acknowledged.set(data, index),
        read: (_, context, index) => this.#readAnswered(context, index),
        removed: () => this.#retire(member),
      },
    });
    this.#members.set(id, member);
  }

  /** A removed member stops, after others had time to learn of the change from it. */
  #retire(member: CoreMember): void {
    this.#time.after(1_000, "retire", () => {
      member.process.kill();
      if (this.#members.get(member.id) === member) this.#members.delete(member.id);
    });
  }

  #readAnswered(context: string, index: number): void {
    const least = this.#reads.get(context);
    // An answer to a question of an earlier life.
    if (least === undefined) return;
    this.#readsAnswered++;
    if (index < least) {
      throw new InvariantBroken(
        "reads are not stale",
        `${context} got index ${index}, ${least} was committed before`,
      );
    }
  }

  #describe(): string {
    return [...this.#members.values()].map(describeMember).join("\n");
  }

  #running(): CoreMember[] {
    return [...this.#members.values()].filter((member) => !member.process.isKilled);
  }

  #scheduleClients(): void {
    const meanMs = this.#clients.pick([2, 10, 40]);
    const next = (): void => {
      this.#time.after(this.#clients.around(meanMs), "client", () => {
        if (this.#isAtPeace) return;
        const running = this.#running().filter((member) => !member.process.isPaused);
        if (running.length > 0) this.#act(this.#clients.pick(running));
        next();
      });
    };
    next();
  }

  #act(member: CoreMember): void {
    if (this.#clients.chance(0.3)) {
      const context = `read ${this.#reads.size} of ${member.process.name}`;
      this.#reads.set(context, this.#invariants.committedMax);
      member.read(context);
      return;
    }
    member.propose(`${this.#proposals++}`.padEnd(this.#clients.pick([1, 10, 300]), "."));
  }

  #scheduleFaults(): void {
    const meanMs = this.#nemesis.pick([300, 1000, 4000]);
    const kinds = this.#nemesis.shuffled(["crash", "partition", "pause", "drift", "membership", "transfer"]);
    const enabled = kinds.slice(0, this.#nemesis.between(1, kinds.length));
    const next = (): void => {
      this.#time.after(this.#nemesis.around(meanMs), "fault", () => {
        if (this.#isAtPeace) return;
        this.#fault(this.#nemesis.pick(enabled));
        next();
      });
    };
    next();
  }

  #fault(kind: string): void {
    const running = this.#running();
    const member = running.length > 0 ? this.#nemesis.pick(running) : undefined;
    switch (kind) {
      case "crash":
        if (member !== undefined) this.#crash(member);
        return;
      case "partition":
        this.#counts.add("partitions");
        this.#network.setBlocked(drawPartition(this.#nemesis, [...this.#members.keys()]));
        this.#time.after(this.#nemesis.around(3_000), "end of partition", () => {
          if (!this.#isAtPeace && this.#nemesis.chance(0.7)) this.#network.setBlocked(() => false);
        });
        return;
      case "pause":
        if (member === undefined || member.process.isPaused) return;
        this.#counts.add("pauses");
        member.process.pause();
        this.#time.after(this.#nemesis.around(2_000), "resume", () => member.process.resume());
        return;
      case "drift":
        this.#counts.add("clock drifts");
        member?.process.setRate(1 + (this.#nemesis.fraction() - 0.5) * 0.2);
        return;
      case "membership":
        if (member?.isLeader === true) this.#changeMembership(member);
        return;
      case "transfer":
        if (member === undefined || !member.isLeader) return;
        this.#counts.add("leader transfers");
        member.transferLeader(this.#nemesis.pick(member.confState.voters));
        return;
    }
  }

  #crash(member: CoreMember): void {
    this.#counts.add("crashes");
    member.crash();
    this.#time.after(this.#nemesis.around(1_500), "restart", () => this.#restart(member));
  }

  #restart(member: CoreMember): void {
    if (this.#members.get(member.id) === member && member.process.isKilled) this.#start(member.id);
  }

  #changeMembership(leader: CoreMember): void {
    const { voters, learners } = leader.confState;
    const choice = this.#nemesis.below(4);
    if (choice === 0 && voters.length + learners.length < 7) {
      const id = this.#nextId++;
      const type = this.#nemesis.chance(0.5) ? confChangeType.addLearnerNode : confChangeType.addNode;
      if (!leader.proposeChange(type, id)) return;
      this.#counts.add("members added");
      this.#start(id);
    } else if (choice === 1 && voters.length > 1) {
      if (leader.proposeChange(confChangeType.removeNode, this.#nemesis.pick(voters))) {
        this.#counts.add("members removed");
      }
    } else if (choice === 2 && learners.length > 0) {
      if (leader.proposeChange(confChangeType.addNode, this.#nemesis.pick(learners))) {
        this.#counts.add("learners promoted");
      }
    } else if (choice === 3 && learners.length > 0) {
      leader.proposeChange(confChangeType.removeNode, this.#nemesis.pick(learners));
    }
  }

  #heal(): void {
    this.#isAtPeace = true;
    this.#network.setBlocked(() => false);
    this.#network.isDisturbed = false;
    for (const member of this.#members.values()) {
      if (member.process.isPaused) member.process.resume();
      member.process.setRate(1);
      if (member.process.isKilled) this.#restart(member);
    }
  }

  /** At peace there is one leader, a new proposal gets through, and all members of the configuration are equal. */
  async #converge(): Promise<void> {
    const { electionTicks } = this.#settings.raft;
    const electionMs = electionTicks * this.#settings.tickMs;
    const untilMs = this.#time.nowMs + HEAL_ELECTIONS * 2 * electionMs;
    let text: string | undefined;
    let reason = "no leader";
    while (this.#time.nowMs < untilMs) {
      await this.#runUntil(this.#time.nowMs + electionMs);
      const leader = this.#running()
        .filter((member) => member.isLeader)
        .sort((left, right) => right.raw.term - left.raw.term)[0];
      if (leader === undefined) continue;
      if (text === undefined || !this.#acknowledged.has(text)) {
        text = `last ${this.#proposals++}`;
        leader.propose(text);
        reason = "a proposal is not committed";
        continue;
      }
      const conf = leader.confState;
      const peers = [...conf.voters, ...conf.learners].flatMap((id) => this.#members.get(id) ?? []);
      const behind = peers.filter((member) => member.appliedIndex < this.#acknowledged.get(text!)!);
      if (behind.length > 0) {
        reason = `members ${behind.map((member) => member.id)} stay behind`;
        continue;
      }
      if (conf.votersOutgoing.length > 0) {
        reason = "the configuration stays joint";
        continue;
      }
      return;
    }
    const detail = `${reason} after ${HEAL_ELECTIONS * 2} election timeouts`;
    throw new InvariantBroken("liveness at peace", `${detail}\n${this.#describe()}`);
  }
}

function describeMember({ id, raw, appliedIndex, process }: CoreMember): string {
  const { voters, learners, votersOutgoing } = raw.confState;
  const state = `${raw.role} of ${raw.leader} in term ${raw.term}, last ${raw.lastIndex}`;
  const conf = `voters ${voters}, learners ${learners}, outgoing ${votersOutgoing}`;
  const up = process.isKilled ? "down" : process.isPaused ? "paused" : "up";
  return `  member ${id} ${up}: ${state}, committed ${raw.committed}, applied ${appliedIndex}, ${conf}`;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function drawSettings(random: Random, voters: readonly bigint[], isAtPeace: () => boolean): CoreSettings {
  const checkQuorum = random.chance(0.7);
  return {
    raft: {
      electionTicks: random.pick([5, 10]),
      preVote: random.chance(0.7),
      checkQuorum,
      maxSizePerMessage: random.pick([1, 500, 1_048_576]),
      inflightMessagesMax: random.pick([1, 4, 512]),
      coalesceAppends: random.chance(0.7),
      stepDownOnRemoval: random.chance(0.5),
      applyBytesMax: random.pick([1, 500, 1_048_576]),
      uncommittedBytesMax: random.pick([2_000, 268_435_456]),
    },
    tickMs: 100,
    writeMs: random.pick([0.5, 5, 50]),
    applyMs: random.pick([0.1, 1, 20]),
    snapshotEntries: random.pick([10, 50, 1_000_000]),
    keepEntries: random.pick([0, 5, 50]),
    isAtPeace,
    voters,
  };
}

function drawNetwork(random: Random): NetworkSettings {
  return {
    latencyMs: random.pick([0.1, 1, 20]),
    jitterMs: random.pick([0.1, 2, 50]),
    lossRate: random.pick([0, 0.01, 0.1]),
    duplicateRate: random.pick([0, 0.01, 0.1]),
    isOrdered: random.chance(0.5),
    bytesPerMs: random.pick([100, 100_000]),
    queueBytesMax: random.pick([5_000, 10_000_000]),
    snapshotFailureRate: random.pick([0, 0.3]),
  };
}
