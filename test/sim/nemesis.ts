import { drawPartition } from "./partitions.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";
import { peerUrlOf, type WorldMember } from "./world-member.ts";
import type { FaultKind } from "./world-settings.ts";

const CHANGE_TIMEOUT_MS = 9_000;
const CHANGE_MS = 3_000;
const MEMBERS_MAX = 7;
/** More than the log keeps for those that are a little behind. */
const BURST_WRITES = 1_500;
const BURSTS_MAX = 2;

/** Draws one misfortune after the other and does it to the world, until there is peace. */
export class Nemesis {
  readonly #world: World;
  readonly #random: Random;
  #nextId: bigint;
  #bursts = 0;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
    this.#nextId = BigInt(world.settings.members + 1);
  }

  start(): void {
    const { faults, faultMs } = this.#world.settings;
    const next = (): void => {
      this.#world.time.after(this.#random.around(faultMs), "fault", () => {
        if (this.#world.isAtPeace) return;
        this.#strike(this.#random.pick(faults));
        next();
      });
    };
    next();
    if (faults.includes("membership")) this.#changeNowAndThen();
    // The first moments of a cluster are a time of their own: nothing is known yet but what was just written.
    if (faults.includes("power loss") && this.#random.chance(0.5)) {
      this.#later(this.#random.fraction() * 500, "early fault", () => this.#strike("power loss"));
    }
  }

  #changeNowAndThen(): void {
    this.#later(this.#random.around(CHANGE_MS), "membership", () => {
      this.#strike("membership");
      this.#changeNowAndThen();
    });
  }

  #strike(kind: FaultKind): void {
    const running = this.#world.cluster.members().filter((member) => !member.process.isPaused);
    // The leader is where it hurts most.
    const leaders = running.filter((member) => member.node?.leaderId === member.id);
    const member =
      leaders.length > 0 && this.#random.chance(0.4)
        ? this.#random.pick(leaders)
        : running.length > 0
          ? this.#random.pick(running)
          : undefined;
    if (member === undefined) return;
    const random = this.#random;
    switch (kind) {
      case "crash":
        this.#count("crashes");
        this.#world.cluster.crash(member, random.pick(["clean", "dropped", "torn"]), random.around(1_500));
        return;
      case "power loss":
        this.#count("power losses");
        for (const one of running) {
          if (random.chance(0.8))
            this.#world.cluster.crash(one, random.pick(["dropped", "torn"]), random.around(1_000));
        }
        return;
      case "restart":
        this.#count("restarts");
        this.#world.cluster.restart(member, random.around(500));
        return;
      case "partition":
        this.#partition();
        return;
      case "pause":
        this.#count("pauses");
        member.process.pause();
        this.#later(random.around(2_500), "resume", () => member.process.resume());
        return;
      case "clock drift":
        this.#count("clock drifts");
        member.process.setRate(1 + this.#world.settings.driftMax * (2 * random.fraction() - 1));
        return;
      case "slow disk":
        this.#count("slow disks");
        this.#world.cluster.slowDisk(member, random.pick([20, 100]));
        this.#later(random.around(3_000), "fast disk", () => this.#world.cluster.slowDisk(member, 1));
        return;
      case "failing disk":
        this.#count("failing disks");
        this.#world.cluster.failDisk(member, random.pick(["EIO", "ENOSPC"]));
        return;
      case "membership":
        this.#changeMembership(member);
        return;
      case "left behind": {
        if (this.#bursts >= BURSTS_MAX || running.length < 3) return;
        this.#bursts++;
        this.#count("members left behind");
        const follower = running.find((one) => one.node?.leaderId !== one.id) ?? member;
        this.#world.cluster.crash(follower, "clean", 2_000 + random.around(1_000));
        this.#world.burst(BURST_WRITES);
        return;
      }
      case "leader move": {
        const others = running.filter((other) => other !== member);
        if (others.length === 0) return;
        const target = random.pick(others).id;
        void this.#ask(member, "leader moves", (node) => node.moveLeader(target));
        return;
      }
    }
  }

  #partition(): void {
    const { network } = this.#world;
    this.#count("partitions");
    network.setBlocked(drawPartition(this.#random, this.#world.cluster.ids()));
    const isFlapping = this.#random.chance(0.2);
    this.#later(this.#random.around(isFlapping ? 300 : 4_000), "end of partition", () => {
      if (isFlapping && this.#random.chance(0.8)) this.#partition();
      else network.setBlocked(() => false);
    });
  }

  #changeMembership(member: WorldMember): void {
    const members = member.node?.members() ?? [];
    const learners = members.filter(({ isLearner }) => isLearner);
    const voters = members.filter(({ isLearner }) => !isLearner);
    const random = this.#random;
    const draw = learners.length > 0 ? random.pick([0, 1, 1, 1, 2, 3]) : random.pick([0, 0, 2]);
    if (draw === 0 && members.length < MEMBERS_MAX) {
      const id = this.#nextId++;
      const isLearner = random.chance(0.6);
      void this.#ask(member, "members added", async (node) => {
        const added = await node.memberAdd([peerUrlOf(id)], isLearner);
        if (this.#world.isAtPeace) return;
        const peers = added.members.filter((other) => other.id !== id);
        this.#world.cluster.add(id, false, peers);
        if (!random.chance(0.3)) return;
        this.#later(random.around(300), "early crash", () => {
          const newcomer = this.#world.cluster.members().find((one) => one.id === id);
          if (newcomer !== undefined) this.#world.cluster.crash(newcomer, "torn", random.around(500));
        });
      });
    } else if (draw === 1 && learners.length > 0) {
      const { id } = random.pick(learners);
      void this.#ask(member, "learners promoted", (node) => node.memberPromote(id));
    } else if (draw === 2 && voters.length > 1) {
      const { id } = random.pick(voters);
      void this.#ask(member, "members removed", (node) => node.memberRemove(id));
    } else if (draw === 3 && learners.length > 0) {
      const { id } = random.pick(learners);
      void this.#ask(member, "members removed", (node) => node.memberRemove(id));
    }
  }

  async #ask(
    member: WorldMember,
    what: string,
    work: (node: NonNullable<WorldMember["client"]>) => Promise<unknown>,
  ): Promise<void> {
    const outcome = await this.#world.door.call(member, work, CHANGE_TIMEOUT_MS);
    if (outcome.kind === "answered") this.#count(what);
  }

  #later(delayMs: number, label: string, fn: () => void): void {
    this.#world.time.after(delayMs, label, () => {
      if (!this.#world.isAtPeace) fn();
    });
  }

  #count(kind: string): void {
    this.#world.counts.add(kind);
  }
}
