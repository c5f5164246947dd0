import assert from "node:assert/strict";
import { alarmAction, alarmType } from "../../../src/codec/index.ts";
import { RequestError, StorageFailure, UsageError } from "../../../src/lib/errors.ts";
import { limits } from "../../../src/lib/limits.ts";
import { silentLog } from "../../../src/lib/log.ts";
import { createPrng } from "../../../src/lib/prng.ts";
import { newClusterOf } from "../../../src/server/cluster-bootstrap.ts";
import { openMemberStorage } from "../../../src/server/member-storage.ts";
import { type RestoredMember, type RestoreOptions, restoreSnapshot } from "../../../src/server/restore.ts";
import type { StateMachine } from "../../../src/server/state/index.ts";
import { DataDir } from "../../../src/server/storage/index.ts";
import { SimClock } from "../../sim/clock.ts";
import { SimFs } from "../../sim/disk.ts";
import { createState, inMemory } from "../../sim/member.ts";
import { rangeRequest } from "./api/requests.ts";
import { backupOf, blocksOf, busyState, header, idsOf } from "./backup-world.ts";

const isFull = process.env["METASTORE_FULL"] === "1";
const path = "/restored";
const urls = ["http://10.0.0.1:2380", "http://10.0.0.2:2380", "http://10.0.0.3:2380"];
const cluster = urls.map((url, i) => `n${i + 1}=${url}`).join(",");

interface Changes {
  readonly flags?: Record<string, string>;
  readonly env?: Record<string, string>;
  readonly bumpRevision?: number;
  readonly isRepeatable?: boolean;
  readonly open?: RestoreOptions["source"]["open"];
}

function restore(fs: SimFs, backup: Uint8Array, changes: Changes = {}): Promise<RestoredMember> {
  const { flags = {}, env = {}, bumpRevision = 0, isRepeatable = true } = changes;
  const open = changes.open ?? (() => blocksOf(backup, 1_000));
  return restoreSnapshot({
    fs,
    source: { name: "b.snap", open, isRepeatable },
    dataDir: path,
    input: { flags, env, readFile: () => "" },
    bumpRevision,
  });
}

/** Opens the directory as a server does. */
async function opened(fs: SimFs) {
  const state = createState();
  const storage = await openMemberStorage({
    fs,
    path,
    identify: () => Promise.reject(new Error("a restored member knows who it is")),
    engine: "memory",
    openState: async () => inMemory(state),
    clock: new SimClock(),
    log: silentLog,
    segmentBytes: 16_384,
    onSync: () => {},
    onFailure: () => {},
  });
  return { state, storage };
}

async function hashAt(state: StateMachine, revision: number): Promise<unknown> {
  return await state.store.hashKv(revision);
}

const usage = (pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof UsageError, String(error));
  assert.match(error.message, pattern);
  assert.ok(error.hint.length > 10);
  return true;
};

describe("A restored member", function () {
  this.timeout(isFull ? 3_600_000 : 20_000);
  let source: StateMachine;
  let backup: Buffer;
  before(async () => {
    source = busyState(1);
    backup = await backupOf(source);
  });

  it("has the keys, the history, the leases and the lease clock of the backup, and new members", async () => {
    const fs = new SimFs({ seed: 1 });
    const restored = await restore(fs, backup);
    const { state, storage } = await opened(fs.reboot("dropped", { seed: 2 }));
    const { currentRevision } = source.store;
    assert.deepEqual([restored.revision, state.store.currentRevision], [currentRevision, currentRevision]);
    assert.equal(state.store.compactRevision, source.store.compactRevision);
    for (let revision = source.store.compactRevision + 1; revision <= currentRevision; revision += 13) {
      assert.deepEqual(await hashAt(state, revision), await hashAt(source, revision), `revision ${revision}`);
    }
    assert.deepEqual(await hashAt(state, 0), await hashAt(source, 0));
    const leases = ({ lessor }: StateMachine) => {
      const { leaseTimeMs, leases } = lessor.openSnapshot();
      return { leaseTimeMs, leases: [...leases].map((each) => [each, lessor.keysOf(each.id)]) };
    };
    assert.ok(source.lessor.size > 0);
    assert.deepEqual(leases(state), leases(source));
    assert.deepEqual(state.membership.list(), [
      {
        id: restored.memberId,
        name: "",
        peerUrls: ["http://localhost:2380"],
        clientUrls: [],
        isLearner: false,
      },
    ]);
    assert.equal(state.membership.isRemoved(header.memberId), false);
    assert.deepEqual(storage.identity, { clusterId: restored.clusterId, memberId: restored.memberId });
    await storage.close();
  });

  it("has a log that begins behind the snapshot, at the index and term of the backup", async () => {
    const fs = new SimFs({ seed: 1 });
    const restored = await restore(fs, backup, {
      flags: { name: "n2", "initial-cluster": cluster, "initial-advertise-peer-urls": urls[1]! },
    });
    const { storage } = await opened(fs.reboot("dropped", { seed: 2 }));
    const { snapshotMark, hardState, entries } = storage.opened;
    assert.deepEqual([snapshotMark?.index, snapshotMark?.term, entries], [77, 5, []]);
    assert.deepEqual(hardState, { term: 5, vote: 0n, commit: 77 });
    const voters = snapshotMark?.confState.voters ?? [];
    assert.equal(voters.length, 3);
    assert.ok(voters.includes(restored.memberId));
    await storage.close();
  });

  it("has ids that all members restored from the backup agree on, and that are not those of its cluster", async () => {
    const members = await Promise.all(
      urls.map((url, i) =>
        restore(new SimFs({ seed: 1 }), backup, {
          flags: { name: `n${i + 1}`, "initial-cluster": cluster, "initial-advertise-peer-urls": url },
        }),
      ),
    );
    assert.equal(new Set(members.map(({ clusterId }) => clusterId)).size, 1);
    assert.equal(new Set(members.map(({ memberId }) => memberId)).size, 3);
    const byNumber = await restore(new SimFs({ seed: 1 }), backup, {
      flags: { id: "2", cluster: urls.join(",") },
    });
    assert.equal(byNumber.memberId, members[1]!.memberId);
    const fromEnvironment = await restore(new SimFs({ seed: 1 }), backup, {
      env: { METASTORE_ID: "2", METASTORE_CLUSTER: urls.join(",") },
    });
    assert.equal(fromEnvironment.memberId, members[1]!.memberId);
    const later = await backupOf(source, { ...header, metadata: { ...header.metadata, index: 78 } });
    const other = await restore(new SimFs({ seed: 1 }), later, {
      flags: { id: "2", cluster: urls.join(",") },
    });
    assert.notEqual(other.clusterId, byNumber.clusterId);
  });

  it("has the ids of a new cluster with the token that is given, unless the backup is from that cluster", async () => {
    const alone = { name: "default", peerUrls: ["http://localhost:2380"] };
    const { identity, members } = newClusterOf({
      self: alone,
      members: [alone],
      state: "new",
      token: "second",
    });
    const fs = new SimFs({ seed: 1 });
    const restored = await restore(fs, backup, { flags: { "initial-cluster-token": "second" } });
    assert.deepEqual([restored.clusterId, restored.memberId], [identity.clusterId, identity.memberId]);
    const { state, storage } = await opened(fs);
    assert.deepEqual(
      idsOf(state.membership.list()),
      members.map(({ id }) => id.toString(16)),
    );
    await storage.close();
    const own = await backupOf(source, { ...header, ...identity });
    const untouched = new SimFs({ seed: 1 });
    await assert.rejects(
      restore(untouched, own, { flags: { "initial-cluster-token": "second" } }),
      usage(/would be those of the cluster/),
    );
    assert.equal(untouched.operations, 0);
  });

  it("has none of the alarms, which are told", async () => {
    const state = busyState(3);
    state.apply({
      kind: "alarm",
      request: { action: alarmAction.activate, memberId: 0x51n, alarm: alarmType.noSpace },
    });
    const fs = new SimFs({ seed: 1 });
    const restored = await restore(fs, await backupOf(state));
    assert.ok(
      restored.clearedAlarms.some(({ alarm, memberId }) => alarm === alarmType.noSpace && memberId === 0x51n),
    );
    const found = await opened(fs);
    assert.deepEqual(found.state.alarms.list(), []);
    await found.storage.close();
  });

  it("leaves out the revisions that it is told to, and counts all before as compacted", async () => {
    const fs = new SimFs({ seed: 1 });
    const before = source.store.currentRevision;
    const restored = await restore(fs, backup, { bumpRevision: 1_000 });
    assert.deepEqual([restored.revision, restored.compactRevision], [before + 1_000, before + 1_000]);
    const { state, storage } = await opened(fs);
    assert.deepEqual(
      [state.store.currentRevision, state.store.compactRevision],
      [before + 1_000, before + 1_000],
    );
    const all = rangeRequest("\0", { rangeEnd: "\0" as never });
    assert.deepEqual((await state.store.range(all)).kvs, (await source.store.range(all)).kvs);
    assert.throws(
      () => state.store.range({ ...all, revision: before }),
      (error) => error instanceof RequestError && error.code === "compacted",
    );
    await storage.close();
  });

  it("is of the engine that is asked for, and of no other", async () => {
    const fs = new SimFs({ seed: 1 });
    const backup = await backupOf(busyState(3));
    const restored = await restore(fs, backup, { flags: { storage: "rocksdb" } });
    assert.equal(restored.engine, "rocksdb");
    await assert.rejects(opened(fs), usage(/kept by --storage rocksdb/));
    assert.equal((await restore(new SimFs({ seed: 1 }), backup)).engine, "memory");
  });

  it("is refused a revision beyond restoredRevisionMax", async () => {
    const room = limits.restoredRevisionMax - source.store.currentRevision;
    const fs = new SimFs({ seed: 1 });
    await assert.rejects(restore(fs, backup, { bumpRevision: room + 1 }), usage(/beyond 4503599627370496/));
    assert.equal(fs.operations, 0);
    assert.equal((await restore(fs, backup, { bumpRevision: room })).revision, limits.restoredRevisionMax);
  });

  it("is refused a directory that is in use, without a touch", async () => {
    const content = Buffer.from("mine");
    const full = new SimFs({ seed: 1 });
    await full.createDirectory(path);
    full.place(`${path}/notes`, content);
    const file = new SimFs({ seed: 1 });
    file.place(path, content);
    for (const fs of [full, file]) {
      const before = fs.operations;
      await assert.rejects(restore(fs, backup), usage(/not empty/));
      assert.equal(fs.operations, before);
    }
    const served = new SimFs({ seed: 1 });
    await restore(served, backup);
    const before = served.operations;
    await assert.rejects(restore(served, backup), usage(/not empty/));
    assert.equal(served.operations, before);
    const locked = new SimFs({ seed: 1 });
    const directory = await DataDir.open(locked, path, silentLog);
    await assert.rejects(restore(locked, backup), usage(/in use by process/));
    assert.deepEqual(await locked.readDirectory(path), []);
    await directory.close();
  });

  it("is refused flags that contradict each other, before the backup is read", async () => {
    const fs = new SimFs({ seed: 1 });
    const open = () => {
      throw new Error("it was read");
    };
    await assert.rejects(
      restore(fs, backup, { flags: { name: "x", "initial-cluster": cluster }, open }),
      usage(/couldn't find local name "x"/),
    );
    assert.equal(fs.operations, 0);
  });

  it("is not made, and nothing is, of a backup with one wrong bit or cut off anywhere", async () => {
    const small = await backupOf(busyState(5, 60));
    const prng = createPrng(5);
    const step = isFull ? 1 : 701;
    const damaged: Buffer[] = [];
    const expectNothing = async (bytes: Buffer): Promise<void> => {
      for (const isRepeatable of [true, false]) {
        const fs = new SimFs({ seed: 1 });
        await assert.rejects(restore(fs, bytes, { isRepeatable }), StorageFailure);
        if (isRepeatable) assert.equal(fs.operations, 0);
        assert.deepEqual(await fs.readDirectory("/"), []);
      }
    };
    for (let at = 0; at < small.length * 8; at += step) {
      const bit = isFull ? at : Math.min(small.length * 8 - 1, at + prng.below(step));
      const bytes = Buffer.from(small);
      bytes[bit >> 3] = bytes[bit >> 3]! ^ (1 << (bit & 7));
      damaged.push(bytes);
    }
    for (const bytes of damaged) await expectNothing(bytes);
    for (let length = 0; length < small.length; length += isFull ? 1 : 211) {
      await expectNothing(small.subarray(0, length));
    }
  });

  it("is not made of a file that changes while it is read", async () => {
    const other = await backupOf(busyState(2));
    let reads = 0;
    const open = () => blocksOf(reads++ === 0 ? backup : other);
    const fs = new SimFs({ seed: 1 });
    await assert.rejects(restore(fs, backup, { open }), usage(/was changed while it was read/));
    assert.deepEqual(await fs.readDirectory("/"), []);
  });

  it("is whole or not there when any operation of the disk fails, and the directory as it was", async () => {
    for (const existed of [false, true]) {
      const world = async (failAt?: { operation: number; code: string }) => {
        const empty = new SimFs({ seed: 1 });
        if (existed) await empty.createDirectory(path);
        await empty.syncDirectory("/");
        return empty.reboot("clean", failAt === undefined ? { seed: 1 } : { seed: 1, failAt });
      };
      const whole = await world();
      await restore(whole, backup);
      for (let operation = 1; operation <= whole.operations; operation++) {
        const fs = await world({ operation, code: "ENOSPC" });
        const failure: unknown = await restore(fs, backup).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (failure === undefined) {
          // What is not needed could not be removed, or made ahead.
          const { state, storage } = await opened(fs.reboot("dropped", { seed: 1 }));
          assert.deepEqual(await hashAt(state, 0), await hashAt(source, 0), `operation ${operation}`);
          await storage.close();
          continue;
        }
        assert.ok(failure instanceof StorageFailure, String(failure));
        assert.match(failure.message, /ENOSPC/);
        assert.match(failure.hint, /restore again/);
        assert.deepEqual(await fs.readDirectory("/"), existed ? ["restored"] : [], `operation ${operation}`);
        if (existed) assert.deepEqual(await fs.readDirectory(path), [], `operation ${operation}`);
        assert.equal((await restore(fs, backup)).revision, source.store.currentRevision);
      }
    }
  });

  it("is whole, or nothing that a server starts with its data from, wherever a crash comes; a second try succeeds", async () => {
    const whole = new SimFs({ seed: 1 });
    await restore(whole, backup);
    let refusals = 0;
    for (let crashAt = 1; crashAt <= whole.operations; crashAt++) {
      for (const mode of ["clean", "dropped", "torn"] as const) {
        const fs = new SimFs({ seed: crashAt, crashAt });
        await Promise.race([restore(fs, backup), fs.crashed]);
        const survivor = fs.reboot(mode, { seed: crashAt });
        if (await DataDir.holdsMember(survivor, path)) {
          const { state, storage } = await opened(survivor);
          assert.deepEqual(await hashAt(state, 0), await hashAt(source, 0), `crash at ${crashAt}, ${mode}`);
          await storage.close();
          continue;
        }
        const found = await DataDir.open(survivor, path, silentLog).catch((error: unknown) => error);
        if (found instanceof DataDir) assert.equal(found.identity, undefined);
        else {
          usage(/a restore into the data directory \/restored did not end/)(found);
          refusals++;
        }
        const next = survivor.reboot("clean", { seed: crashAt });
        await restore(next, backup);
        const { state, storage } = await opened(next);
        assert.deepEqual(await hashAt(state, 0), await hashAt(source, 0), `crash at ${crashAt}, ${mode}`);
        await storage.close();
      }
    }
    assert.ok(refusals > 5);
  });
});
