import assert from "node:assert/strict";
import { silentLog } from "../../../../src/lib/log.ts";
import { noPeers } from "../../../../src/server/node/peers.ts";
import { SnapshotExchange } from "../../../../src/server/node/snapshot-exchange.ts";
import type { Snapshotter } from "../../../../src/server/node/snapshotter.ts";
import { emptyConfState, type Message, messageType } from "../../../../src/server/raft/index.ts";
import { makeMessage } from "../../../../src/server/raft/messages.ts";
import { applyTo, createState } from "../../../sim/member.ts";
import { putRequest } from "./node-world.ts";

const metadata = { index: 9, term: 2, confState: emptyConfState };
const message = makeMessage({
  type: messageType.snap,
  to: 1n,
  from: 2n,
  term: 2,
  snapshot: { metadata, data: new Uint8Array(0) },
});

async function* stream(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield chunk;
}

function setUp() {
  const events: string[] = [];
  const state = createState();
  const stored: Uint8Array[] = [];
  const sent: Message[] = [];
  const world = { committed: 5, writeFails: false, hold: undefined as Promise<void> | undefined };
  const exchange = new SnapshotExchange({
    log: silentLog,
    network: { ...noPeers, sendSnapshot: (each) => sent.push(each) },
    state,
    store: {
      write: async (_metadata, chunks) => {
        for await (const chunk of chunks) stored.push(chunk);
        await world.hold;
        if (world.writeFails) throw new Error("disk full");
        events.push("stored");
        return 1;
      },
      open: async () => ({ chunks: stream(stored) }),
      removeBefore: async () => assert.fail("the snapshotter does that, in the background"),
    },
    wal: {
      appendSnapshotMark: async ({ index }) => void events.push(`marked ${index}`),
      release: (index) => events.push(`released ${index}`),
    },
    snapshotter: {
      pauseFor: async (work: () => Promise<void>) => {
        await work();
        events.push("resumed");
      },
      removeBefore: (index: number) => void events.push(`removed before ${index}`),
    } as Snapshotter,
    open: () => ({ metadata: { ...metadata, index: 12 }, state: state.openSnapshot() }),
    committed: () => world.committed,
    step: (each) => events.push(`stepped ${each.snapshot?.metadata.index}`),
    sync: async () => void events.push("synced"),
    onRestored: ({ index }) => events.push(`restored ${index}, revision ${state.store.currentRevision}`),
  });
  return { exchange, events, state, sent, world };
}

function otherState(): Uint8Array[] {
  const other = createState();
  for (let i = 0; i < 3; i++) applyTo(other, { kind: "put", request: putRequest("a", `${i}`) });
  const snapshot = other.openSnapshot();
  const chunks = [...(snapshot.chunks as Iterable<Buffer>)];
  snapshot.close();
  return chunks;
}

describe("Snapshots between members", () => {
  it("go out as the state is now, whatever raft named", () => {
    const { exchange, sent } = setUp();
    exchange.send(message);
    assert.equal(sent[0]?.snapshot?.metadata.index, 12);
    assert.equal(sent[0]?.to, message.to);
  });

  it("are durable before raft hears of them", async () => {
    const { exchange, events } = setUp();
    await exchange.receive(message, stream(otherState()));
    assert.deepEqual(events, ["stored", "stepped 9"]);
  });

  it("that bring nothing new are not stored", async () => {
    const { exchange, events, world } = setUp();
    world.committed = 9;
    await exchange.receive(message, stream(otherState()));
    assert.deepEqual(events, ["stepped 9"]);
  });

  it("come in one at a time, and one that fails does not reach raft", async () => {
    const { exchange, events, world } = setUp();
    let release = (): void => {};
    world.hold = new Promise((resolve) => (release = resolve));
    world.writeFails = true;
    const first = assert.rejects(exchange.receive(message, stream([])), /disk full/);
    await assert.rejects(exchange.receive(message, stream([])), /another snapshot/);
    release();
    await first;
    assert.deepEqual(events, []);
    world.writeFails = false;
    await exchange.receive(message, stream([]));
    assert.deepEqual(events, ["stored", "stepped 9"]);
  });

  it("take the place of the state after their mark is durable, then what is older goes", async () => {
    const { exchange, events, state } = setUp();
    applyTo(state, { kind: "put", request: putRequest("gone", "1") });
    await exchange.receive(message, stream(otherState()));
    events.length = 0;
    await exchange.install(metadata);
    assert.deepEqual(events, [
      "marked 9",
      "restored 9, revision 4",
      "synced",
      "released 9",
      "resumed",
      "removed before 9",
    ]);
    assert.equal(state.store.stats().liveKeys, 1);
  });

  it("without a snapshot in the message are a defect", async () => {
    const { exchange } = setUp();
    const bare = makeMessage({ type: messageType.snap, to: 1n, from: 2n });
    await assert.rejects(exchange.receive(bare, stream([])), /without a snapshot/);
  });
});
