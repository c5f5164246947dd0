import type { Clock } from "../../src/lib/clock.ts";
import type { Fs } from "../../src/lib/fs.ts";
import { silentLog } from "../../src/lib/log.ts";
import { createPrng } from "../../src/lib/prng.ts";
import { Lessor } from "../../src/server/lease/index.ts";
import { openDurableState } from "../../src/server/member-state.ts";
import { type MemberState, openMemberStorage } from "../../src/server/member-storage.ts";
import { Store } from "../../src/server/mvcc/index.ts";
import { MemberNode, type NodeOptions } from "../../src/server/node/index.ts";
import { confChangeType } from "../../src/server/raft/index.ts";
import { type Command, encodePeerUrls, StateMachine } from "../../src/server/state/index.ts";
import { type DiskDatabase, MemoryEngine } from "../../src/server/storage/index.ts";

export const simIdentity = { clusterId: 0xc1n, memberId: 0x51n };

/** The state machine of a member, with nothing around it. */
export function createState(yieldTurn: () => Promise<void> = async () => {}): StateMachine {
  const lessor = new Lessor();
  return new StateMachine(new Store({ engine: new MemoryEngine(), leases: lessor, yieldTurn }), lessor);
}

/** The state as openMemberStorage takes it. */
export function inMemory(state: StateMachine): MemberState {
  return { state, durable: undefined, close: async () => {} };
}

export interface SimMember {
  readonly node: MemberNode;
  readonly state: StateMachine;
  readonly failures: Error[];
  close(): Promise<void>;
}

/**
 * The production member over a simulated disk and clock: data directory, log, snapshots, raft, state. `changed`
 * takes the place of what the simulator would choose.
 */
export async function startMember(
  fs: Fs,
  clock: Clock,
  seed: number,
  changed: Partial<NodeOptions> = {},
  database?: DiskDatabase,
): Promise<SimMember> {
  const failures: Error[] = [];
  const openState = async (): Promise<MemberState> =>
    database === undefined
      ? inMemory(createState(() => new Promise((resolve) => clock.defer(resolve))))
      : await openDurableState({
          database,
          cacheSizeBytes: 65_536,
          clock,
          observer: { hashed() {}, compactionPaused() {}, compactionFinished() {} },
          onFailure: (failure) => node?.fail(failure),
        });
  let node: MemberNode | undefined;
  const storage = await openMemberStorage({
    fs,
    path: "/data",
    identify: async () => simIdentity,
    engine: database === undefined ? "memory" : "rocksdb",
    openState,
    clock,
    log: silentLog,
    segmentBytes: 16_384,
    onSync: () => {},
    onFailure: (failure) => node?.fail(failure),
  });
  const { opened, identity, snapshots, state, durable } = storage;
  node = new MemberNode({
    ...identity,
    name: "sim",
    bootstrap: [
      {
        type: confChangeType.addNode,
        nodeId: identity.memberId,
        context: encodePeerUrls(["http://127.0.0.1:2380"]),
      },
    ],
    newMemberId: () => BigInt(createPrng(seed).below(0x1_0000_0000)) + 1n,
    reconfiguration: { isStrict: true, learnersMax: 1 },
    isPreVote: true,
    isElectionTickAdvanced: true,
    catchUpEntries: 5_000,
    onRestored: () => {},
    clock,
    log: silentLog,
    prng: createPrng(seed),
    state,
    ...(durable === undefined ? {} : { durable }),
    watchHub: {
      openStream: () => {
        throw new Error("nobody watches here");
      },
    },
    wal: opened.wal,
    snapshots,
    recovered: { hardState: opened.hardState, entries: opened.entries, snapshot: opened.snapshotMark },
    heartbeatMs: 100,
    electionMs: 1000,
    requestSizeBytesMax: 1_572_864,
    quotaBytes: Number.MAX_SAFE_INTEGER,
    snapshotEntriesMin: 50,
    snapshotLogBytesMin: 40_000,
    slowApplyMs: 1_000,
    onFatal: (error) => failures.push(error),
    ...changed,
  });
  const running = node;
  await running.start();
  await running.publish(["http://127.0.0.1:2379"]);
  return {
    node: running,
    state,
    failures,
    async close() {
      await running.stop();
      await storage.close();
    },
  };
}

/**
 * Everything that the log determines, in short: equal digests, equal states. As it is at the call: while records on disk
 * are hashed, commands may be applied.
 */
export async function digestOf(state: StateMachine): Promise<string> {
  const { store, lessor, alarms } = state;
  const hashing = store.hashKv(0);
  const view = lessor.openSnapshot();
  const leases = [...view.leases].map(
    (lease) => `${lease.id}:${lease.deadlineMs}:${[...(lessor.keysOf(lease.id) ?? [])].sort()}`,
  );
  view.close();
  const beside = [lessor.leaseTimeMs, leases.join(" "), alarms.list().length];
  const revisions = [store.currentRevision, store.compactRevision];
  const { hash } = await hashing;
  return [...revisions, hash, ...beside].join("|");
}

/** Applies a command as a member would, refusals included. */
export function applyTo(state: StateMachine, command: Command): void {
  try {
    state.apply(command);
  } catch (error) {
    if (!(error instanceof Error && error.name === "RequestError")) throw error;
  }
}
