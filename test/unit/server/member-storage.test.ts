import assert from "node:assert/strict";
import { StorageFailure } from "../../../src/lib/errors.ts";
import { silentLog } from "../../../src/lib/log.ts";
import { type MemberStorage, openMemberStorage } from "../../../src/server/member-storage.ts";
import { type Entry, emptyConfState, entryType } from "../../../src/server/raft/index.ts";
import type { StateMachine } from "../../../src/server/state/index.ts";
import { SimClock } from "../../sim/clock.ts";
import { SimFs } from "../../sim/disk.ts";
import { applyTo, createState, digestOf, inMemory } from "../../sim/member.ts";
import { saying } from "./config-world.ts";
import { putRequest } from "./node/node-world.ts";

const fresh = { clusterId: 0xc1n, memberId: 0x51n };
const metadata = { index: 3, term: 1, confState: { ...emptyConfState, voters: [fresh.memberId] } };

function open(
  fs: SimFs,
  options: {
    readonly state?: StateMachine;
    readonly identity?: typeof fresh;
    readonly identify?: () => Promise<typeof fresh>;
  } = {},
): Promise<MemberStorage> {
  return openMemberStorage({
    fs,
    path: "/data",
    identify: options.identify ?? (async () => options.identity ?? fresh),
    engine: "memory",
    openState: async () => inMemory(options.state ?? createState()),
    clock: new SimClock(),
    log: silentLog,
    segmentBytes: 16_384,
    onSync: () => {},
    onFailure: () => {},
  });
}

function entry(index: number): Entry {
  return { term: 1, index, type: entryType.normal, data: Buffer.from(`entry ${index}`) };
}

function append(storage: MemberStorage, entries: readonly Entry[]): Promise<void> {
  const hardState = { term: 1, vote: fresh.memberId, commit: entries.length };
  return new Promise((resolve) => storage.opened.wal.append({ hardState, entries }, resolve));
}

/** A state of one key, and a storage that holds a snapshot of it behind three entries. */
async function withSnapshot(fs: SimFs): Promise<StateMachine> {
  const state = createState();
  applyTo(state, { kind: "put", request: putRequest("a", "1") });
  const storage = await open(fs);
  await append(storage, [entry(1), entry(2), entry(3)]);
  const snapshot = state.openSnapshot();
  await storage.snapshots.write(metadata, snapshot.chunks);
  snapshot.close();
  await storage.opened.wal.appendSnapshotMark(metadata);
  await storage.close();
  return state;
}

describe("The storage of a member", () => {
  it("is made for the member it is opened for, and is that member's ever after", async () => {
    const fs = new SimFs({ seed: 1 });
    const first = await open(fs);
    assert.deepEqual(first.identity, fresh);
    assert.deepEqual(first.opened.entries, []);
    assert.equal(first.opened.snapshotMark, undefined);
    await first.close();
    const again = await open(fs, { identity: { clusterId: 1n, memberId: 2n } });
    assert.deepEqual(again.identity, fresh);
    await again.close();
  });

  it("gives back what the log holds", async () => {
    const fs = new SimFs({ seed: 1 });
    const first = await open(fs);
    await append(first, [entry(1), entry(2)]);
    await first.close();
    const { opened, close } = await open(fs);
    assert.deepEqual(
      opened.entries.map(({ data }) => Buffer.from(data).toString()),
      ["entry 1", "entry 2"],
    );
    assert.deepEqual(opened.hardState, { term: 1, vote: fresh.memberId, commit: 2 });
    await close();
  });

  it("puts the snapshot that the log marks into the state, and removes all others", async () => {
    const fs = new SimFs({ seed: 1 });
    const state = await withSnapshot(fs);
    fs.place("/data/member/snap/00000000000000ff-0000000000000001.snap", Buffer.from("of no log"));
    const restored = createState();
    const { opened, close } = await open(fs, { state: restored });
    assert.equal(await digestOf(restored), await digestOf(state));
    assert.deepEqual(opened.snapshotMark, metadata);
    assert.deepEqual(opened.entries, []);
    assert.equal((await fs.readDirectory("/data/member/snap")).length, 1);
    await close();
  });

  it("is refused to a second one, and free again once the first is closed", async () => {
    const fs = new SimFs({ seed: 1 });
    const first = await open(fs);
    await assert.rejects(open(fs), saying(/data/));
    await first.close();
    await (await open(fs)).close();
  });

  it("is free again even when the log could not be closed well", async () => {
    const trial = new SimFs({ seed: 1 });
    const storage = await open(trial);
    await append(storage, [entry(1)]);
    const before = trial.operations;
    await storage.close();
    let refused = 0;
    for (let operation = before + 1; operation <= trial.operations; operation++) {
      const fs = new SimFs({ seed: 1, failAt: { operation, code: "EIO" } });
      const first = await open(fs);
      await append(first, [entry(1)]);
      await first.close().catch((error: unknown) => {
        assert.ok(error instanceof StorageFailure);
        refused++;
      });
      await (await open(fs)).close();
    }
    assert.ok(refused > 0, "some failures hit the end of the log");
  });

  it("refuses a damaged snapshot and a lost one, and lets go of the directory", async () => {
    for (const harm of ["damaged", "lost"]) {
      const fs = new SimFs({ seed: 1 });
      await withSnapshot(fs);
      const [name] = await fs.readDirectory("/data/member/snap");
      const path = `/data/member/snap/${name}`;
      const content = fs.contentOf(path);
      if (harm === "lost") await fs.unlink(path);
      else {
        const damaged = Buffer.from(content);
        damaged[damaged.length - 40]! ^= 1;
        fs.place(path, damaged);
      }
      await assert.rejects(open(fs), StorageFailure, harm);
      fs.place(path, content);
      await (await open(fs)).close();
    }
  });

  it("refuses a damaged log, and lets go of the directory", async () => {
    const fs = new SimFs({ seed: 1 });
    await withSnapshot(fs);
    const [name] = await fs.readDirectory("/data/member/wal");
    const path = `/data/member/wal/${name}`;
    const content = fs.contentOf(path);
    const damaged = Buffer.from(content);
    damaged[20]! ^= 1;
    fs.place(path, damaged);
    await assert.rejects(open(fs), StorageFailure);
    fs.place(path, content);
    await (await open(fs)).close();
  });

  it("makes nothing for a member that cannot be named, and asks nobody who one is that has data", async () => {
    const fs = new SimFs({ seed: 1 });
    const identify = () => Promise.reject(new Error("nobody knows this member"));
    await assert.rejects(open(fs, { identify }), /nobody knows/);
    assert.equal(await fs.stat("/data"), undefined);
    await (await open(fs)).close();
    await (await open(fs, { identify })).close();
  });
});
