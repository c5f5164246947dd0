// What messages between members cost: `npx tsx test/bench/peer-bench.ts [seconds per case]`. Both members run in one
// process, so a figure is for sending and receiving together.
import { SystemClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import { createPrng } from "../../src/lib/prng.ts";
import type { PeerHandler } from "../../src/server/node/index.ts";
import { createPeerNetwork, type PeerObserver, type SocketPeerNetwork } from "../../src/server/peer/index.ts";
import { type Entry, emptyConfState, type Message, messageType } from "../../src/server/raft/index.ts";

const durationMs = Number(process.argv[2] ?? 3) * 1_000;
const nothing = (): void => {};
const observer: PeerObserver = {
  known: nothing,
  connected: nothing,
  disconnected: nothing,
  sent: nothing,
  received: nothing,
  sendFailed: nothing,
  receiveFailed: nothing,
  roundTrip: nothing,
  snapshotSendStarted: nothing,
  snapshotSendEnded: nothing,
  snapshotReceiveStarted: nothing,
  snapshotReceiveEnded: nothing,
};

class Receiver implements PeerHandler {
  received = 0;
  onReceived: () => void = nothing;
  onSnapshotSent: () => void = nothing;
  receive(messages: readonly Message[]): void {
    this.received += messages.length;
    this.onReceived();
  }
  async receiveSnapshot(_message: Message, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const _ of chunks);
  }
  unreachable(): void {}
  gone(): void {}
  snapshotSent(): void {
    this.onSnapshotSent();
  }
  async answer(_from: bigint, _method: string, body: Uint8Array): Promise<Uint8Array> {
    return body;
  }
  removed(): void {}
}

async function member(id: bigint): Promise<{ network: SocketPeerNetwork; handler: Receiver }> {
  const network = await createPeerNetwork({
    identity: { memberId: id, clusterId: 1n },
    listen: [{ host: "127.0.0.1", port: 0, isTls: false }],
    tls: undefined,
    clock: new SystemClock(),
    prng: createPrng(1),
    log: silentLog,
    versions: { server: "3.6.0", cluster: "3.6.0", storage: "3.6.0" },
    status: () => ({ members: () => [], isRemoved: () => false, isHealthy: true }),
    observer,
    // The bound on the rate is not what is measured.
    limits: { snapshotBytesPerSecond: 4_000_000_000 },
  });
  return { network, handler: new Receiver() };
}

function app(index: number, entryCount: number, entryBytes: number): Message {
  const entries: Entry[] = Array.from({ length: entryCount }, (_, i) => ({
    term: 3,
    index: index + i,
    type: 0,
    data: Buffer.alloc(entryBytes, 120),
  }));
  return { ...plain, type: messageType.app, index, logTerm: 3, entries };
}

const plain: Message = {
  type: messageType.heartbeat,
  to: 0x8e9e05c52164694dn,
  from: 0xcdf818194e3a8c32n,
  term: 3,
  logTerm: 0,
  index: 0,
  entries: [],
  commit: 123_456,
  reject: false,
  rejectHint: 0,
  context: Buffer.alloc(0),
  hardState: undefined,
  snapshot: undefined,
  responses: [],
};

const a = await member(plain.from);
const b = await member(plain.to);
a.network.setPeers([{ id: plain.to, peerUrls: [`http://127.0.0.1:${b.network.ports[0]}`] }]);
b.network.setPeers([{ id: plain.from, peerUrls: [`http://127.0.0.1:${a.network.ports[0]}`] }]);
a.network.start(a.handler);
b.network.start(b.handler);
while (a.network.connectedSinceMs(plain.to) === undefined)
  await new Promise((resolve) => setTimeout(resolve, 5));

/** Sends batches of `perTurn` messages, with `outstanding` messages on their way at any time. */
async function run(
  what: string,
  make: (i: number) => Message,
  perTurn: number,
  outstanding: number,
): Promise<void> {
  let sent = 0;
  const start = b.handler.received;
  const fill = (): void => {
    while (sent - (b.handler.received - start) < outstanding) {
      const batch: Message[] = [];
      for (let i = 0; i < perTurn; i++) batch.push(make(sent++));
      a.network.send(batch);
    }
  };
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  b.handler.onReceived = () => {
    if (performance.now() - startMs < durationMs) fill();
  };
  fill();
  while (b.handler.received - start < sent || performance.now() - startMs < durationMs) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const ms = performance.now() - startMs;
  const { user, system } = process.cpuUsage(cpu);
  console.log(
    `${what}: ${Math.round((sent / ms) * 1_000)} messages/s, ${((user + system) / sent).toFixed(2)} us CPU per message`,
  );
}

await run("warm-up", (i) => app(i, 3, 100), 1, 64);
await run("3 entries of 100 bytes, one message a turn, 1 on its way", (i) => app(i, 3, 100), 1, 1);
await run("3 entries of 100 bytes, one message a turn, 64 on their way", (i) => app(i, 3, 100), 1, 64);
await run("3 entries of 100 bytes, 16 messages a turn, 64 on their way", (i) => app(i, 3, 100), 16, 64);
await run("100 entries of 300 bytes, one message a turn, 8 on their way", (i) => app(i, 100, 300), 1, 8);
await run("heartbeats, one a turn, 64 on their way", () => plain, 1, 64);

{
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  let calls = 0;
  const ask = async (): Promise<void> => {
    while (performance.now() - startMs < durationMs) {
      await a.network.call(plain.to, "echo", Buffer.alloc(20), 5_000);
      calls++;
    }
  };
  await Promise.all(Array.from({ length: 8 }, ask));
  const { user, system } = process.cpuUsage(cpu);
  console.log(
    `calls of 20 bytes, 8 at a time: ${Math.round(calls / ((performance.now() - startMs) / 1_000))}/s, ` +
      `${((user + system) / calls).toFixed(0)} us CPU per call`,
  );
}

{
  const chunks = 800;
  const chunk = Buffer.alloc(262_144, 7);
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  const metadata = { confState: emptyConfState, index: 5, term: 3 };
  const snapshot = { metadata, data: Buffer.alloc(0) };
  await new Promise<void>((resolve) => {
    a.handler.onSnapshotSent = resolve;
    const state = { chunks: Array.from({ length: chunks }, () => chunk), close: nothing };
    a.network.sendSnapshot({ ...plain, type: messageType.snap, snapshot }, state);
  });
  const seconds = (performance.now() - startMs) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const megabytes = (chunks * chunk.length) / 1_048_576;
  console.log(
    `a snapshot of ${megabytes} MiB: ${Math.round(megabytes / seconds)} MiB/s, ` +
      `${((user + system) / 1_000 / megabytes).toFixed(1)} ms CPU per MiB`,
  );
}
await Promise.all([a.network.close(), b.network.close()]);
