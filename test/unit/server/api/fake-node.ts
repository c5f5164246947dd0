import type {
  AlarmMember,
  LeaseGrantResponse,
  LeaseTimeToLiveResponse,
  Member,
} from "../../../../src/codec/index.ts";
import { alarmAction, alarmType } from "../../../../src/codec/index.ts";
import { SystemClock } from "../../../../src/lib/clock.ts";
import { RequestError } from "../../../../src/lib/errors.ts";
import { Pending } from "../../../../src/lib/pending.ts";
import { createPrng } from "../../../../src/lib/prng.ts";
import { Lessor } from "../../../../src/server/lease/index.ts";
import {
  putCost,
  Store,
  txnCost,
  WatchHub,
  wantsOfDeleteRange,
  wantsOfPut,
  wantsOfTxn,
  watchCatchUpLimits,
  watchSourceOf,
} from "../../../../src/server/mvcc/index.ts";
import type { ApplyResults, MemberAdded, ServerNode } from "../../../../src/server/node/index.ts";
import { emptyConfState } from "../../../../src/server/raft/index.ts";
import { type Command, StateMachine } from "../../../../src/server/state/index.ts";
import { type Engine, MemoryEngine, type Want } from "../../../../src/server/storage/index.ts";

function member(id: bigint): Member {
  return {
    id,
    name: `m${id}`,
    peerUrls: [`http://127.0.0.${id % 200n}:2380`],
    clientUrls: ["http://127.0.0.1:2379"],
    isLearner: false,
  };
}

/** A member of one without a log: commands are applied at once to the real store, hub and lessor. */
export class FakeNode implements ServerNode {
  readonly memberId: bigint;
  readonly clusterId = 0x0123_4567_89ab_cdefn;
  readonly name = "fake";
  term = 3;
  leaderId: bigint;
  isLearner = false;
  raftIndex = 7;
  appliedIndex = 6;
  quotaBytes = Number.MAX_SAFE_INTEGER;
  readonly commands: Command[] = [];
  /** Unordered, as no promise is made about it. */
  memberList: Member[];
  /** Membership changes and leader moves that were asked for. */
  readonly changes: (readonly [string, ...unknown[]])[] = [];
  /** Set: every such change rejects with it. */
  changeError: Error | undefined;
  readonly activeAlarms: AlarmMember[] = [];
  barriers = 0;
  defragments = 0;
  compactionWaits = 0;
  /** Thrown by the next propose. */
  proposeError: Error | undefined;
  /** Set: readBarrier rejects with it. */
  barrierError: Error | undefined;

  readonly #leases = new Lessor();
  readonly #clock = new SystemClock();
  readonly kv: Store;
  readonly watchHub: WatchHub;

  constructor(memberId = 0xfedc_ba98_7654_3210n, engine: Engine = new MemoryEngine()) {
    this.memberId = memberId;
    this.leaderId = memberId;
    this.memberList = [9n, 0xfedc_ba98_7654_3210n, 2n].map(member);
    this.kv = new Store({
      engine,
      leases: this.#leases,
      yieldTurn: () => new Promise((resolve) => setImmediate(resolve)),
    });
    this.watchHub = new WatchHub({
      source: watchSourceOf(this.kv, engine),
      clock: this.#clock,
      prng: createPrng(1),
      progressIntervalMs: 600_000,
      catchUp: watchCatchUpLimits,
    });
    this.kv.onCommit(this.watchHub.notify);
    this.#leases.promote(this.#clock.nowMs());
  }

  async propose<K extends Command["kind"]>(command: Extract<Command, { kind: K }>): Promise<ApplyResults[K]> {
    this.commands.push(command);
    const error = this.proposeError;
    this.proposeError = undefined;
    if (error) throw error;
    if (this.kv.loader !== undefined) await this.kv.loader.load(this.#wants(command));
    // The results are those of the command's own kind; the compiler cannot follow K through the switch.
    return this.#apply(command) as ApplyResults[K];
  }

  ask<K extends Command["kind"]>(command: Extract<Command, { kind: K }>): Pending<ApplyResults[K]> {
    const pending = new Pending<ApplyResults[K]>();
    this.propose<K>(command).then(
      (answer) => pending.settle(answer),
      (error) => pending.abandon(error),
    );
    return pending;
  }

  async readBarrier(): Promise<void> {
    this.barriers++;
    if (this.barrierError) throw this.barrierError;
  }

  quotaRefusals = 0;

  admits(costBytes: number): boolean {
    return this.kv.stats().sizeBytes + costBytes < this.quotaBytes;
  }

  alarms(): AlarmMember[] {
    return [...this.activeAlarms];
  }

  members(): Member[] {
    return [...this.memberList];
  }

  async memberAdd(peerUrls: readonly string[], isLearner: boolean): Promise<MemberAdded> {
    const member = { id: 77n, name: "", peerUrls: [...peerUrls], clientUrls: [], isLearner };
    const members = await this.#changeMembers(["add", peerUrls, isLearner], (list) => [...list, member]);
    return { member, members };
  }

  memberRemove(id: bigint): Promise<Member[]> {
    return this.#changeMembers(["remove", id], (list) => list.filter((member) => member.id !== id));
  }

  memberUpdate(id: bigint, peerUrls: readonly string[]): Promise<Member[]> {
    return this.#changeMembers(["update", id, peerUrls], (list) =>
      list.map((member) => (member.id === id ? { ...member, peerUrls: [...peerUrls] } : member)),
    );
  }

  memberPromote(id: bigint): Promise<Member[]> {
    return this.#changeMembers(["promote", id], (list) =>
      list.map((member) => (member.id === id ? { ...member, isLearner: false } : member)),
    );
  }

  async moveLeader(target: bigint): Promise<void> {
    this.changes.push(["moveLeader", target]);
    if (this.changeError) throw this.changeError;
    this.leaderId = target;
  }

  /** Of the checks of a real member only this: an id must be known. */
  async #changeMembers(
    change: readonly [string, ...unknown[]],
    apply: (members: Member[]) => Member[],
  ): Promise<Member[]> {
    this.changes.push(change);
    if (this.changeError) throw this.changeError;
    const id = change[1];
    if (typeof id === "bigint" && !this.memberList.some((member) => member.id === id)) {
      throw new RequestError("memberNotFound");
    }
    this.memberList = apply(this.memberList);
    return this.members();
  }

  async leaseGrant(id: bigint, ttl: number): Promise<LeaseGrantResponse> {
    const chosen = id === 0n ? 4_242n : id;
    return this.propose<"leaseGrant">({
      kind: "leaseGrant",
      id: chosen,
      ttl: Math.max(2, ttl),
      leaseTimeMs: this.#leases.leaseTimeMs,
    });
  }

  async leaseRenew(id: bigint): Promise<number> {
    const nowMs = this.#clock.nowMs();
    let outcome = this.#leases.renew(id, nowMs);
    if (outcome.kind === "needsFloat") {
      this.#leases.float([id]);
      outcome = this.#leases.renew(id, nowMs);
    }
    return outcome.kind === "renewed" ? outcome.ttlSeconds : 0;
  }

  async leaseTimeToLive(id: bigint, keys: boolean): Promise<LeaseTimeToLiveResponse> {
    const found = this.#leases.timeToLive(id, this.#clock.nowMs(), keys);
    return {
      header: undefined,
      id,
      ttl: found?.ttlSeconds ?? -1,
      grantedTtl: found?.grantedTtlSeconds ?? 0,
      keys: found?.keys ?? [],
    };
  }

  leases(): bigint[] {
    return this.#leases.leases(this.#clock.nowMs());
  }

  async compactionFinished(): Promise<void> {
    this.compactionWaits++;
  }

  /** Snapshots that were opened and not closed. */
  openSnapshots = 0;

  openSnapshot() {
    const state = new StateMachine(this.kv, this.#leases).openSnapshot();
    this.openSnapshots++;
    const close = (): void => {
      this.openSnapshots--;
      state.close();
    };
    const metadata = {
      index: this.appliedIndex,
      term: this.term,
      confState: { ...emptyConfState, voters: this.memberList.map(({ id }) => id) },
    };
    return { metadata, state: { ...state, close } };
  }

  async defragment(): Promise<void> {
    this.defragments++;
  }

  #wants(command: Command): Want[] {
    if (command.kind === "put") return wantsOfPut(command.request);
    if (command.kind === "deleteRange") return wantsOfDeleteRange(command.request);
    return command.kind === "txn" ? wantsOfTxn(command.request) : [];
  }

  #apply(command: Command): ApplyResults[keyof ApplyResults] {
    const isFull = this.activeAlarms.some((alarm) => alarm.alarm === alarmType.noSpace);
    const header = () => ({ clusterId: 0n, memberId: 0n, revision: this.kv.currentRevision, raftTerm: 0 });
    switch (command.kind) {
      case "put":
        if (isFull && putCost(command.request) > 0) throw new RequestError("noSpace");
        return this.kv.put(command.request);
      case "deleteRange":
        return this.kv.deleteRange(command.request);
      case "txn":
        if (isFull && txnCost(command.request) > 0) throw new RequestError("noSpace");
        return this.kv.txn(command.request);
      case "compaction":
        this.kv.compact(command.request.revision);
        return { header: header() };
      case "leaseGrant":
        this.#leases.grant(command.id, command.ttl, command.leaseTimeMs);
        return { header: header(), id: command.id, ttl: command.ttl, error: "" };
      case "leaseRevoke":
        this.kv.deleteKeys(this.#leases.revoke(command.request.id));
        return { header: header() };
      case "alarm":
        return this.#applyAlarm(command.request);
      case "leaseTick":
      case "leaseFloat":
      case "memberAttributes":
        return undefined;
    }
  }

  #applyAlarm(request: { action: number; memberId: bigint; alarm: number }): AlarmMember[] {
    const { memberId, alarm } = request;
    if (request.action === alarmAction.get) return this.alarms();
    const index = this.activeAlarms.findIndex((each) => each.memberId === memberId && each.alarm === alarm);
    if (request.action === alarmAction.activate) {
      if (index < 0) this.activeAlarms.push({ memberId, alarm });
      return [{ memberId, alarm }];
    }
    return index < 0 ? [] : this.activeAlarms.splice(index, 1);
  }
}
