import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Member } from "../../../../src/codec/index.ts";
import { SystemClock } from "../../../../src/lib/clock.ts";
import type { Log, LogFields } from "../../../../src/lib/log.ts";
import { createPrng } from "../../../../src/lib/prng.ts";
import type { Peer, PeerHandler } from "../../../../src/server/node/index.ts";
import {
  createPeerNetwork,
  type PeerNetworkOptions,
  type PeerObserver,
  type SocketPeerNetwork,
} from "../../../../src/server/peer/index.ts";
import {
  emptyConfState,
  type Message,
  type MessageType,
  messageType,
} from "../../../../src/server/raft/index.ts";
import type { StateSnapshot } from "../../../../src/server/state/index.ts";

export const CLUSTER_ID = 0xfeed_0000_0000_0001n;

/** Short times, so that tests of what is late are not. */
export const quickLimits = {
  linkHeartbeatMs: 60,
  redialMsMin: 5,
  redialMsMax: 40,
  dialTimeoutMs: 500,
  closeGraceMs: 100,
} as const;

const noMessage: Omit<Message, "type" | "from" | "to"> = {
  term: 0,
  logTerm: 0,
  index: 0,
  entries: [],
  commit: 0,
  reject: false,
  rejectHint: 0,
  context: Buffer.alloc(0),
  hardState: undefined,
  snapshot: undefined,
  responses: [],
};

export function message(
  type: MessageType,
  from: bigint,
  to: bigint,
  fields: Partial<Omit<Message, "type" | "from" | "to">> = {},
): Message {
  return { ...noMessage, type, from, to, ...fields };
}

export function snapshotMessage(from: bigint, to: bigint, index = 7, term = 3): Message {
  const metadata = { confState: { ...emptyConfState, voters: [from, to] }, index, term };
  return message(messageType.snap, from, to, { term, snapshot: { metadata, data: Buffer.alloc(0) } });
}

/** A state of these chunks, and how often it was closed. */
export function stateOf(chunks: StateSnapshot["chunks"]): StateSnapshot & { readonly closes: () => number } {
  let closes = 0;
  return {
    chunks,
    close: () => {
      closes++;
    },
    closes: () => closes,
  };
}

/** Remembers what a network told. */
export class RecordingHandler implements PeerHandler {
  readonly messages: Message[] = [];
  readonly unreachables: bigint[] = [];
  readonly gonePeers: bigint[] = [];
  readonly snapshotsSent: { peer: bigint; succeeded: boolean }[] = [];
  readonly snapshots: { message: Message; chunks: Buffer[] }[] = [];
  removals = 0;
  /** What the two methods that answer do; tests put theirs in place. */
  onSnapshot: PeerHandler["receiveSnapshot"] = async (received, chunks) => {
    const all: Buffer[] = [];
    for await (const chunk of chunks) all.push(Buffer.from(chunk));
    this.snapshots.push({ message: received, chunks: all });
  };
  onCall: PeerHandler["answer"] = async (_from, method, body) =>
    Buffer.concat([Buffer.from(`${method}:`), body]);

  receive(messages: readonly Message[]): void {
    this.messages.push(...messages);
  }

  receiveSnapshot(received: Message, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    return this.onSnapshot(received, chunks);
  }

  gone(peer: bigint): void {
    this.gonePeers.push(peer);
  }

  unreachable(peer: bigint): void {
    this.unreachables.push(peer);
  }

  snapshotSent(peer: bigint, succeeded: boolean): void {
    this.snapshotsSent.push({ peer, succeeded });
  }

  answer(from: bigint, method: string, body: Uint8Array): Promise<Uint8Array> {
    return this.onCall(from, method, body);
  }

  removed(): void {
    this.removals++;
  }
}

export class RecordingLog implements Log {
  readonly lines: { level: string; message: string; fields: LogFields }[] = [];
  debug(): void {}
  info(text: string, fields: LogFields = {}): void {
    this.lines.push({ level: "info", message: text, fields });
  }
  warn(text: string, fields: LogFields = {}): void {
    this.lines.push({ level: "warn", message: text, fields });
  }
  error(text: string, fields: LogFields = {}): void {
    this.lines.push({ level: "error", message: text, fields });
  }

  count(text: string): number {
    return this.lines.filter((line) => line.message === text).length;
  }
}

/** Counts by name: "sendFailed 2" and so on. */
export class RecordingObserver implements PeerObserver {
  readonly counts = new Map<string, number>();
  knownPeers: readonly bigint[] = [];
  known(peers: readonly bigint[]): void {
    this.knownPeers = peers;
  }
  connected = (peer: bigint): void => this.#add("connected", peer);
  disconnected = (peer: bigint): void => this.#add("disconnected", peer);
  sent = (peer: bigint, bytes: number): void => this.#add("sent", peer, bytes);
  received = (peer: bigint, bytes: number): void => this.#add("received", peer, bytes);
  sendFailed = (peer: bigint): void => this.#add("sendFailed", peer);
  receiveFailed = (peer: bigint): void => this.#add("receiveFailed", peer);
  roundTrip = (peer: bigint): void => this.#add("roundTrip", peer);
  snapshotSendStarted = (peer: bigint): void => this.#add("snapshotSendStarted", peer);
  snapshotSendEnded = (peer: bigint, ok: boolean): void => this.#add(`snapshotSendEnded ${ok}`, peer);
  snapshotReceiveStarted = (peer: bigint): void => this.#add("snapshotReceiveStarted", peer);
  snapshotReceiveEnded = (peer: bigint, ok: boolean): void => this.#add(`snapshotReceiveEnded ${ok}`, peer);

  count(name: string, peer: bigint): number {
    return this.counts.get(`${name} ${peer}`) ?? 0;
  }

  #add(name: string, peer: bigint, by = 1): void {
    this.counts.set(`${name} ${peer}`, this.count(name, peer) + by);
  }
}

export interface TestMember {
  readonly id: bigint;
  readonly network: SocketPeerNetwork;
  readonly handler: RecordingHandler;
  readonly log: RecordingLog;
  readonly observer: RecordingObserver;
  readonly url: string;
  /** Ids that this member holds for removed. */
  readonly removedIds: Set<bigint>;
}

/** Members over real sockets on this computer; `close` ends them all. */
export class PeerWorld {
  readonly #open: SocketPeerNetwork[] = [];

  async member(id: bigint, options: Partial<PeerNetworkOptions> = {}): Promise<TestMember> {
    const log = new RecordingLog();
    const observer = new RecordingObserver();
    const removedIds = new Set<bigint>();
    const members: Member[] = [];
    const network = await createPeerNetwork({
      identity: { memberId: id, clusterId: CLUSTER_ID },
      listen: [{ host: "127.0.0.1", port: 0, isTls: false }],
      tls: undefined,
      clock: new SystemClock(),
      prng: createPrng(Number(id % 1_000n)),
      log,
      versions: { server: "3.6.0", cluster: "3.6.0", storage: "3.6.0" },
      status: () => ({ members: () => members, isRemoved: (each) => removedIds.has(each), isHealthy: true }),
      observer,
      ...options,
      limits: { ...quickLimits, ...options.limits },
    });
    this.#open.push(network);
    const isTls = options.listen?.[0]?.isTls ?? false;
    const url = `${isTls ? "https" : "http"}://127.0.0.1:${network.ports[0]}`;
    members.push({ id, name: `m${id}`, peerUrls: [url], clientUrls: [], isLearner: false });
    return { id, network, handler: new RecordingHandler(), log, observer, url, removedIds };
  }

  /** Members 1..count, which know each other and are connected. */
  async cluster(count: number, options: Partial<PeerNetworkOptions> = {}): Promise<TestMember[]> {
    const members: TestMember[] = [];
    for (let id = 1; id <= count; id++) members.push(await this.member(BigInt(id), options));
    for (const member of members) introduce(member, members);
    for (const member of members) {
      await until(() => members.every(({ id }) => id === member.id || isConnected(member, id)), "connected");
    }
    return members;
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.splice(0).map((network) => network.close()));
  }
}

/** Tells `member` of the others and starts it. */
export function introduce(member: TestMember, others: readonly TestMember[]): void {
  member.network.setPeers(peersOf(others, member.id));
  member.network.start(member.handler);
}

export function peersOf(members: readonly TestMember[], without: bigint): Peer[] {
  return members.filter(({ id }) => id !== without).map(({ id, url }) => ({ id, peerUrls: [url] }));
}

export function isConnected(member: TestMember, peer: bigint): boolean {
  return member.network.connectedSinceMs(peer) !== undefined;
}

/** Waits until `isMet`, and fails with `what` when that takes more than a few seconds. */
export async function until(isMet: () => boolean, what: string, timeoutMs = 5_000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!isMet()) {
    if (performance.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await delay(5);
  }
}

/** A connection below HTTP, for what no member of ours would send. `received` grows as bytes come. */
export interface RawConnection {
  readonly socket: Socket;
  received: Buffer;
  isClosed: boolean;
}

export async function rawConnection(url: string): Promise<RawConnection> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  const connection: RawConnection = { socket, received: Buffer.alloc(0), isClosed: false };
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    connection.received = Buffer.concat([connection.received, chunk]);
  });
  socket.on("close", () => {
    connection.isClosed = true;
  });
  await once(socket, "connect");
  return connection;
}

/** The headers of a request from member `from` to `to`, as a stranger may set them. */
export function memberHeaders(
  from: bigint,
  to: bigint,
  others: Readonly<Record<string, string>> = {},
): string {
  const headers = {
    Host: "x",
    "X-Etcd-Cluster-ID": CLUSTER_ID.toString(16),
    "X-Server-From": from.toString(16),
    "X-Raft-To": to.toString(16),
    "X-Server-Version": "3.6.0",
    ...others,
  };
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
}

export function streamRequest(
  from: bigint,
  to: bigint,
  others: Readonly<Record<string, string>> = {},
): string {
  const upgrade = { Connection: "Upgrade", Upgrade: "metastore-raft", "X-Raft-Stream": "urgent" };
  return `GET /raft/stream HTTP/1.1\r\n${memberHeaders(from, to, { ...upgrade, ...others })}\r\n`;
}

/** A stream into `member` that says it comes from `from`, accepted. */
export async function rawStream(
  member: TestMember,
  from: bigint,
  channel = "urgent",
): Promise<RawConnection> {
  const connection = await rawConnection(member.url);
  connection.socket.write(streamRequest(from, member.id, { "X-Raft-Stream": channel }));
  await until(() => connection.received.includes("\r\n\r\n"), "an answer to the upgrade");
  if (!connection.received.toString("latin1").startsWith("HTTP/1.1 101 ")) {
    throw new Error(connection.received.toString("latin1"));
  }
  connection.received = connection.received.subarray(connection.received.indexOf("\r\n\r\n") + 4);
  return connection;
}

/** Sends a request as it stands; the whole answer, once the connection is closed or nothing more comes. */
export async function rawRequest(url: string, request: string): Promise<string> {
  const connection = await rawConnection(url);
  connection.socket.write(request);
  await until(() => connection.isClosed || connection.received.includes("\r\n\r\n"), "an answer");
  await delay(30);
  connection.socket.destroy();
  return connection.received.toString("latin1");
}
