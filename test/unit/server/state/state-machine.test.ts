import assert from "node:assert/strict";
import { alarmAction, alarmType, type RequestOp } from "../../../../src/codec/index.ts";
import { EMPTY, fromUtf8 } from "../../../../src/lib/bytes.ts";
import { createPrng } from "../../../../src/lib/prng.ts";
import { type LeaseRecord, Lessor } from "../../../../src/server/lease/index.ts";
import { areKeysNow, Store } from "../../../../src/server/mvcc/index.ts";
import { confChangeType } from "../../../../src/server/raft/index.ts";
import { type Command, encodePeerUrls, StateMachine } from "../../../../src/server/state/index.ts";
import type { Want } from "../../../../src/server/storage/index.ts";
import { randomCommands } from "../../../sim/commands.ts";
import { applyTo, createState, digestOf } from "../../../sim/member.ts";
import { createLoadingEngine } from "../mvcc/loading-engine.ts";

function put(key: string, value = "v", lease = 0n): Command & { kind: "put" } {
  return {
    kind: "put",
    request: {
      key: fromUtf8(key),
      value: fromUtf8(value),
      lease,
      prevKv: false,
      ignoreValue: false,
      ignoreLease: false,
    },
  };
}

function txn(...success: RequestOp[]): Command {
  return { kind: "txn", request: { compare: [], success, failure: [] } };
}

function remove(key: string): Command & { kind: "deleteRange" } {
  return { kind: "deleteRange", request: { key: fromUtf8(key), rangeEnd: EMPTY, prevKv: false } };
}

function raise(alarm: number): Command {
  return { kind: "alarm", request: { action: alarmAction.activate, memberId: 1n, alarm } };
}

function grant(id: bigint, ttl = 10): Command {
  return { kind: "leaseGrant", id, ttl, leaseTimeMs: 0 };
}

/** All leases, by id. */
function leasesOf({ lessor }: StateMachine): LeaseRecord[] {
  const view = lessor.openSnapshot();
  const leases = [...view.leases].sort((left, right) => (left.id < right.id ? -1 : 1));
  view.close();
  return leases;
}

/** A copy made through a snapshot. */
async function copyOf(state: StateMachine, copy = createState()): Promise<StateMachine> {
  const snapshot = state.openSnapshot();
  const restore = copy.beginRestore();
  for await (const chunk of snapshot.chunks) await restore.load(chunk);
  await restore.prepare();
  restore.finish();
  snapshot.close();
  return copy;
}

/** Of a state that has all in memory. */
function chunksOf(state: StateMachine): Iterable<Buffer> {
  return state.openSnapshot().chunks as Iterable<Buffer>;
}

/** A state whose engine must load; commands are applied as a member applies them. */
function createLoadingState() {
  const { engine, close } = createLoadingEngine();
  const lessor = new Lessor();
  const yieldTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const state = new StateMachine(new Store({ engine, leases: lessor, yieldTurn }), lessor);
  return {
    state,
    /** Commands one by one, or those that touch keys only together. */
    async apply(commands: readonly Command[], isTogether: boolean): Promise<void> {
      for (let next = 0; next < commands.length; ) {
        const wants: Want[] = [];
        let end = next;
        for (; end < commands.length; end++) {
          const more = state.wants(commands[end]!);
          if (end > next && !(isTogether && areKeysNow(wants) && areKeysNow(more))) break;
          wants.push(...more);
        }
        await state.loader?.load(wants);
        for (; next < end; next++) applyTo(state, commands[next]!);
      }
    },
    async close(): Promise<void> {
      await state.store.compactionFinished();
      await engine.settled();
      await close?.();
    },
  };
}

async function gathered(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return all;
}

describe("StateMachine", () => {
  it("refuses what takes space while a NOSPACE alarm is active, and nothing else", () => {
    const state = createState();
    state.apply(grant(1n));
    state.apply(put("a"));
    state.apply(raise(alarmType.noSpace));
    assert.throws(() => state.apply(put("b")), /database space exceeded/);
    assert.throws(() => state.apply(grant(2n)), /database space exceeded/);
    assert.throws(
      () => state.apply(txn({ case: "put", request: put("b").request })),
      /database space exceeded/,
    );
    state.apply(txn({ case: "deleteRange", request: remove("x").request }));
    state.apply(remove("a"));
    state.apply({ kind: "leaseRevoke", request: { id: 1n } });
    state.apply({ kind: "compaction", request: { revision: 2, physical: false } });
    state.apply({
      kind: "alarm",
      request: { action: alarmAction.deactivate, memberId: 1n, alarm: alarmType.noSpace },
    });
    state.apply(put("b"));
  });

  it("refuses every change while a CORRUPT alarm is active", () => {
    const state = createState();
    state.apply(grant(1n));
    state.apply(put("a"));
    state.apply(raise(alarmType.corrupt));
    const changes: Command[] = [
      put("b"),
      remove("a"),
      txn(),
      { kind: "compaction", request: { revision: 2, physical: false } },
      grant(2n),
      { kind: "leaseRevoke", request: { id: 1n } },
    ];
    for (const change of changes) assert.throws(() => state.apply(change), /corrupt cluster/, change.kind);
  });

  it("keeps its alarms over a snapshot", async () => {
    const state = createState();
    state.apply(raise(alarmType.noSpace));
    const copy = await copyOf(state);
    assert.deepEqual(copy.alarms.list(), [{ memberId: 1n, alarm: alarmType.noSpace }]);
    assert.throws(() => copy.apply(put("b")), /database space exceeded/);
  });

  it("deletes the keys of a revoked lease in one revision", () => {
    const state = createState();
    state.apply(grant(7n));
    state.apply(put("b", "v", 7n));
    state.apply(put("a", "v", 7n));
    const answer = state.apply({ kind: "leaseRevoke", request: { id: 7n } }) as {
      header: { revision: number };
    };
    assert.equal(answer.header.revision, 4);
    assert.equal(state.store.stats().liveKeys, 0);
    assert.throws(() => state.apply({ kind: "leaseRevoke", request: { id: 7n } }), /lease not found/);
  });

  it("keeps the members that the log names, with what they told of themselves", () => {
    const state = createState();
    const urls = ["http://a:2380", "http://b:2380"];
    state.applyConfChange({ type: confChangeType.addNode, nodeId: 5n, context: encodePeerUrls(urls) });
    state.apply({ kind: "memberAttributes", memberId: 5n, name: "n5", clientUrls: ["http://a:2379"] });
    state.apply({ kind: "memberAttributes", memberId: 9n, name: "nobody", clientUrls: [] });
    assert.deepEqual(state.membership.list(), [
      { id: 5n, name: "n5", peerUrls: urls, clientUrls: ["http://a:2379"], isLearner: false },
    ]);
    state.applyConfChange({ type: confChangeType.updateNode, nodeId: 5n, context: encodePeerUrls([]) });
    assert.deepEqual(state.membership.get(5n)?.peerUrls, []);
    assert.equal(state.membership.get(5n)?.name, "n5");
    state.applyConfChange({ type: confChangeType.removeNode, nodeId: 5n, context: new Uint8Array(0) });
    assert.deepEqual(state.membership.list(), []);
  });

  it("is the same state after a snapshot and a restore, whatever it had been through", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const state = createState();
      state.applyConfChange({
        type: confChangeType.addNode,
        nodeId: 5n,
        context: encodePeerUrls(["http://a"]),
      });
      const commands = randomCommands(createPrng(seed), 200);
      for (const command of commands.slice(0, 150)) applyTo(state, command);
      const copy = await copyOf(state);
      assert.equal(await digestOf(copy), await digestOf(state), `seed ${seed}`);
      assert.deepEqual(copy.membership.list(), state.membership.list());
      for (const command of commands.slice(150)) {
        applyTo(state, command);
        applyTo(copy, command);
      }
      assert.equal(await digestOf(copy), await digestOf(state), `seed ${seed}, after more commands`);
    }
  });

  it("goes on from an earlier snapshot as if all had been written again, until a compaction", async () => {
    const counts = { continued: 0, whole: 0 };
    for (let seed = 1; seed <= 60; seed++) {
      const state = createState();
      const commands = randomCommands(createPrng(seed), 60);
      for (const command of commands.slice(0, 30)) applyTo(state, command);
      const earlier = state.openSnapshot();
      const earlierChunks = await gathered(earlier.chunks);
      earlier.close();
      for (const command of commands.slice(30)) applyTo(state, command);
      const later = state.openSnapshot(earlier.extent);
      const chunks = await gathered(later.chunks);
      later.close();
      if (later.isContinued) {
        const records = earlierChunks.slice(earlier.extent.headChunks);
        chunks.splice(later.extent.headChunks, 0, ...records);
      }
      counts[later.isContinued ? "continued" : "whole"]++;
      const copy = createState();
      const restore = copy.beginRestore();
      for (const chunk of chunks) await restore.load(chunk);
      await restore.prepare();
      restore.finish();
      assert.equal(await digestOf(copy), await digestOf(state), `seed ${seed}`);
    }
    assert.ok(counts.continued > 5 && counts.whole > 5, JSON.stringify(counts));
  });

  it("does not change a snapshot that is being read, by writes or by compaction", async () => {
    const state = createState(() => new Promise((resolve) => setImmediate(resolve)));
    for (let i = 0; i < 10; i++) state.apply(put("k", `${i}`.padEnd(200_000)));
    const before = await digestOf(state);
    const snapshot = state.openSnapshot();
    const copy = createState();
    const restore = copy.beginRestore();
    for await (const chunk of snapshot.chunks) {
      restore.load(chunk);
      state.apply(put("k", "new"));
      if (state.store.compactRevision < 0) {
        state.apply({
          kind: "compaction",
          request: { revision: state.store.currentRevision, physical: false },
        });
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await restore.prepare();
    restore.finish();
    snapshot.close();
    assert.equal(await digestOf(copy), before);
    await state.store.compactionFinished();
    assert.ok(state.store.stats().records < 10);
  });

  it("holds the leases of its moment, whatever becomes of them while it is read", async () => {
    const state = createState();
    for (let id = 1n; id <= 12_000n; id++) state.apply(grant(id, 10 + Number(id % 7n)));
    state.apply(put("k", "v", 9_000n));
    const before = leasesOf(state);
    const later: Command[] = [];
    const apply = (command: Command): void => {
      later.push(command);
      applyTo(state, command);
    };
    const snapshot = state.openSnapshot();
    const copy = createState();
    const restore = copy.beginRestore();
    let chunks = 0;
    for await (const chunk of snapshot.chunks) {
      await restore.load(chunk);
      chunks++;
      const first = BigInt(chunks);
      for (let id = first; id <= 12_000n; id += 5n) {
        if (id % 2n === 0n) apply({ kind: "leaseRevoke", request: { id } });
        else apply({ kind: "leaseFloat", ids: [id] });
      }
      apply(grant(20_000n + first));
    }
    snapshot.close();
    assert.equal(chunks, snapshot.extent.headChunks + 1);
    await restore.prepare();
    restore.finish();
    assert.deepEqual(leasesOf(copy), before);
    for (const command of later) applyTo(copy, command);
    assert.equal(await digestOf(copy), await digestOf(state));
  });

  it("fails rather than leave leases out when another state takes the place of this one meanwhile", async () => {
    const state = createState();
    for (let id = 1n; id <= 12_000n; id++) state.apply(grant(id));
    state.apply(put("k"));
    const snapshot = state.openSnapshot();
    const chunks = (snapshot.chunks as Iterable<Uint8Array>)[Symbol.iterator]();
    for (let i = 0; i < 2; i++) chunks.next();
    const other = createState();
    const restore = state.beginRestore();
    for (const chunk of other.openSnapshot().chunks as Iterable<Uint8Array>) await restore.load(chunk);
    await restore.prepare();
    restore.finish();
    assert.throws(() => chunks.next(), { code: "leaderChanged" });
    snapshot.close();
  });

  it("brings no deleted key back when a compaction was under way as the snapshot began", async () => {
    const state = createState(() => new Promise((resolve) => setImmediate(resolve)));
    for (let i = 0; i < 2_000; i++) state.apply(put(`k${i}`, "x".repeat(300)));
    for (let i = 0; i < 2_000; i++) state.apply(remove(`k${i}`));
    state.apply(put("last"));
    state.apply({
      kind: "compaction",
      request: { revision: state.store.currentRevision, physical: false },
    });
    const copy = createState();
    const restore = copy.beginRestore();
    const snapshot = state.openSnapshot();
    for await (const chunk of snapshot.chunks) {
      await restore.load(chunk);
      for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
    }
    await restore.prepare();
    restore.finish();
    snapshot.close();
    assert.equal(copy.store.stats().liveKeys, 1);
    await state.store.compactionFinished();
    await copy.store.compactionFinished();
    assert.equal(await digestOf(copy), await digestOf(state));
  });

  it("writes many leases and many records into chunks of bounded size", async () => {
    const state = createState();
    for (let i = 1; i <= 12_000; i++) state.apply(grant(BigInt(i)));
    for (let i = 0; i < 3_000; i++) state.apply(put(`key${i}`, "x".repeat(300)));
    const sizes = [...chunksOf(state)].map((chunk) => chunk.length);
    assert.ok(sizes.length > 5);
    assert.ok(Math.max(...sizes) < 400_000);
    assert.equal((await copyOf(state)).lessor.size, 12_000);
  });

  it("refuses a snapshot without its meta data", () => {
    const state = createState();
    state.apply(put("a"));
    const chunks = [...chunksOf(state)];
    assert.throws(() => createState().beginRestore().load(chunks[1]!), /begins with its meta data/);
    assert.throws(() => createState().beginRestore().finish(), /holds its meta data/);
  });

  it("names all that its commands touch: an engine that must load ends in the same state as one in memory", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const memory = createState();
      const loading = createLoadingState();
      const commands = randomCommands(createPrng(seed), 200);
      for (const command of commands) applyTo(memory, command);
      await loading.apply(commands, seed % 2 === 0);
      assert.equal(await digestOf(loading.state), await digestOf(memory), `seed ${seed}`);
      await loading.close();
    }
  });

  it("deletes the keys that commands loaded together with a revoke have attached", async () => {
    const { state, apply, close } = createLoadingState();
    const revoke: Command = { kind: "leaseRevoke", request: { id: 7n } };
    await apply([grant(7n), put("a", "v", 7n)], true);
    await apply([put("b", "v", 7n), put("a"), revoke], true);
    assert.equal(state.store.stats().liveKeys, 1);
    assert.deepEqual(state.wants(revoke), []);
    await close();
  });

  it("goes through a snapshot to and from an engine that must load, leases too, and on from there", async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const [source, target] = [createLoadingState(), createLoadingState()];
      const commands = randomCommands(createPrng(seed), 200);
      await source.apply(commands.slice(0, 150), false);
      await copyOf(source.state, target.state);
      const memory = await copyOf(source.state);
      const expected = await digestOf(source.state);
      assert.equal(await digestOf(target.state), expected, `seed ${seed}`);
      assert.equal(await digestOf(memory), expected, `seed ${seed}`);
      for (const { apply } of [source, target]) await apply(commands.slice(150), true);
      assert.equal(
        await digestOf(target.state),
        await digestOf(source.state),
        `seed ${seed}, after more commands`,
      );
      for (const { close } of [source, target]) await close();
    }
  });
});
