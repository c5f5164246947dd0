import type { Fs, FsFile } from "../../src/lib/fs.ts";
import { Lessor } from "../../src/server/lease/index.ts";
import type { PeerHandler, PeerNetwork } from "../../src/server/node/index.ts";
import { type Message, messageType } from "../../src/server/raft/index.ts";
import type { ClientSide, MemberLog, Seams } from "./seams.ts";

/** A bug that the simulator must find, put between production parts. */
export interface PlantedBug {
  readonly name: string;
  readonly seams: Seams;
}

export const plantedBugs: readonly PlantedBug[] = [
  { name: "acknowledge before quorum", seams: { network: (network) => new HastyNetwork(network) } },
  { name: "skip fsync of the log", seams: { fs: (fs) => new ForgetfulFs(fs, "files") } },
  { name: "skip fsync of directories", seams: { fs: (fs) => new ForgetfulFs(fs, "directories") } },
  { name: "acknowledge before the write is durable", seams: { log: (log) => new HastyLog(log) } },
  {
    name: "serve a read without ReadIndex",
    seams: { client: (node) => withChanges(node, { readBarrier: async () => {} }) },
  },
  {
    name: "apply twice",
    seams: {
      state: ({ store }) => {
        const txn = store.txn.bind(store);
        store.txn = (request) => {
          const response = txn(request);
          return store.currentRevision % 20 === 0 ? txn(request) : response;
        };
      },
    },
  },
  { name: "vote twice in a term", seams: { network: (network) => new GenerousVoter(network) } },
  {
    name: "lose the vote on restart",
    seams: { recovered: (found) => ({ ...found, hardState: { ...found.hardState, vote: 0n } }) },
  },
  {
    name: "commit an old-term entry by counting",
    seams: { network: (network, id) => new CountingNetwork(network, id) },
  },
  {
    name: "drop an event on compaction",
    seams: {
      notify: (notify, compactRevision) => {
        let compacted = compactRevision();
        return (revision, records) => {
          const isSame = compacted === compactRevision();
          compacted = compactRevision();
          if (isSame) notify(revision, records);
        };
      },
    },
  },
  { name: "tell progress ahead of events", seams: { client: (node) => withEagerProgress(node) } },
  { name: "open a watch one revision late", seams: { client: (node) => withLateWatch(node) } },
  { name: "expire leases early on a new leader", seams: { lessor: () => new HastyLessor() } },
  {
    name: "answer a renewal that never came",
    seams: { client: (node) => withChanges(node, { leaseRenew: async () => 5 }) },
  },
  {
    name: "answer a write that was not proposed",
    seams: { client: (node) => withForgottenWrites(node) },
  },
];

/** The member with some of its methods replaced. */
function withChanges(node: ClientSide, changes: Partial<ClientSide>): ClientSide {
  return new Proxy(node, {
    get(target, name) {
      const changed = Reflect.get(changes, name);
      if (changed !== undefined) return changed;
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function withForgottenWrites(node: ClientSide): ClientSide {
  let writes = 0;
  const propose = async (command: Parameters<ClientSide["propose"]>[0]): Promise<unknown> => {
    const answer: unknown = await node.propose(command as never);
    if (command.kind !== "txn" || ++writes % 40 !== 0) return answer;
    // It says that it did it again.
    const { header } = answer as { header: { revision: number } };
    return { ...(answer as object), header: { ...header, revision: header.revision + 1 } };
  };
  return withChanges(node, { propose: propose as ClientSide["propose"] });
}

function withEagerProgress(node: ClientSide): ClientSide {
  const openStream: ClientSide["watchHub"]["openStream"] = (sink) => {
    const stream = node.watchHub.openStream(sink);
    return withMethods(stream, {
      requestProgress: () => {
        sink.send({
          watchId: -1,
          revision: node.kv.currentRevision,
          created: false,
          canceled: false,
          compactRevision: 0,
          cancelReason: "",
          events: [],
          fragment: false,
        });
      },
    });
  };
  return withChanges(node, { watchHub: { openStream } });
}

function withLateWatch(node: ClientSide): ClientSide {
  const openStream: ClientSide["watchHub"]["openStream"] = (sink) => {
    const stream = node.watchHub.openStream(sink);
    return withMethods(stream, {
      create: (request) => {
        const startRevision = request.startRevision === 0 ? 0 : request.startRevision + 1;
        stream.create({ ...request, startRevision });
      },
    });
  };
  return withChanges(node, { watchHub: { openStream } });
}

function withMethods<T extends object>(target: T, changes: Partial<T>): T {
  return new Proxy(target, {
    get(object, name) {
      const changed = Reflect.get(changes, name);
      if (changed !== undefined) return changed;
      const value = Reflect.get(object, name);
      return typeof value === "function" ? value.bind(object) : value;
    },
  });
}

/** A leader's deadlines are counted from before it led. */
class HastyLessor extends Lessor {
  override promote(nowMs: number): void {
    super.promote(nowMs - 3_000);
  }
}

class HastyLog implements MemberLog {
  readonly #inner: MemberLog;

  constructor(inner: MemberLog) {
    this.#inner = inner;
  }

  append(batch: Parameters<MemberLog["append"]>[0], done: () => void): void {
    this.#inner.append(batch, () => {});
    queueMicrotask(done);
  }

  appendSnapshotMark(metadata: Parameters<MemberLog["appendSnapshotMark"]>[0]): Promise<void> {
    return this.#inner.appendSnapshotMark(metadata);
  }

  release(index: number): void {
    this.#inner.release(index);
  }
}

/** Says that what it was asked to make durable is. */
class ForgetfulFs implements Fs {
  readonly #inner: Fs;
  readonly #what: "files" | "directories";

  constructor(inner: Fs, what: "files" | "directories") {
    this.#inner = inner;
    this.#what = what;
  }

  async open(...[path, options]: Parameters<Fs["open"]>): Promise<FsFile> {
    if (this.#what === "directories") return this.#inner.open(path, options);
    const file = await this.#inner.open(path, { ...options, durable: false });
    return withMethods(file, { sync: async () => {} });
  }

  syncDirectory(path: string): Promise<void> {
    return this.#what === "directories" ? Promise.resolve() : this.#inner.syncDirectory(path);
  }

  stat(path: string): ReturnType<Fs["stat"]> {
    return this.#inner.stat(path);
  }

  readDirectory(path: string): Promise<string[]> {
    return this.#inner.readDirectory(path);
  }

  createDirectory(path: string): Promise<void> {
    return this.#inner.createDirectory(path);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#inner.rename(from, to);
  }

  unlink(path: string): Promise<void> {
    return this.#inner.unlink(path);
  }

  removeTree(path: string): Promise<void> {
    return this.#inner.removeTree(path);
  }

  restrictMode(path: string): Promise<void> {
    return this.#inner.restrictMode(path);
  }

  lock(path: string): ReturnType<Fs["lock"]> {
    return this.#inner.lock(path);
  }
}

/** Passes everything on; the bugs change one thing each. */
class PassingNetwork implements PeerNetwork {
  protected readonly inner: PeerNetwork;
  protected handler: PeerHandler | undefined;

  constructor(inner: PeerNetwork) {
    this.inner = inner;
  }

  start(handler: PeerHandler): void {
    this.handler = handler;
    this.inner.start(handler);
  }

  setPeers(...peers: Parameters<PeerNetwork["setPeers"]>): void {
    this.inner.setPeers(...peers);
  }

  send(messages: readonly Message[]): void {
    this.inner.send(messages);
  }

  sendSnapshot(...rest: Parameters<PeerNetwork["sendSnapshot"]>): void {
    this.inner.sendSnapshot(...rest);
  }

  call(...rest: Parameters<PeerNetwork["call"]>): Promise<Uint8Array> {
    return this.inner.call(...rest);
  }

  connectedSinceMs(peer: bigint): number | undefined {
    return this.inner.connectedSinceMs(peer);
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}

/** Takes what was sent for what was received. */
class HastyNetwork extends PassingNetwork {
  override send(messages: readonly Message[]): void {
    super.send(messages);
    const answers = messages
      .filter(({ type, entries }) => type === messageType.app && entries.length > 0)
      .map((message): Message => {
        const index = message.index + message.entries.length;
        const { from: to, to: from } = message;
        return { ...message, type: messageType.appResp, to, from, index, entries: [], logTerm: 0 };
      });
    if (answers.length > 0) queueMicrotask(() => this.handler?.receive(answers));
  }
}

class GenerousVoter extends PassingNetwork {
  override send(messages: readonly Message[]): void {
    super.send(
      messages.map((message) =>
        message.type === messageType.voteResp ? { ...message, reject: false } : message,
      ),
    );
  }
}

/** Tells followers that what a majority has is committed, whatever term it is of. */
class CountingNetwork extends PassingNetwork {
  readonly #id: bigint;
  readonly #matches = new Map<bigint, number>();
  #term = 0;
  #last = 0;

  constructor(inner: PeerNetwork, id: bigint) {
    super(inner);
    this.#id = id;
  }

  override start(handler: PeerHandler): void {
    super.start({
      ...handler,
      receive: (messages) => {
        for (const { type, from, index, reject } of messages) {
          if (type === messageType.appResp && !reject) this.#matches.set(from, index);
        }
        handler.receive(messages);
      },
    });
  }

  override setPeers(...peers: Parameters<PeerNetwork["setPeers"]>): void {
    for (const id of this.#matches.keys()) {
      if (!peers[0].some((peer) => peer.id === id)) this.#matches.delete(id);
    }
    super.setPeers(...peers);
  }

  override send(messages: readonly Message[]): void {
    super.send(messages.map((message) => this.#changed(message)));
  }

  #changed(message: Message): Message {
    if (message.type !== messageType.app || message.from !== this.#id) return message;
    if (message.term !== this.#term) {
      this.#term = message.term;
      this.#matches.clear();
      this.#last = 0;
    }
    this.#last = Math.max(this.#last, message.index + message.entries.length);
    const matches = [this.#last, ...this.#matches.values()].sort((left, right) => right - left);
    const counted = matches[Math.floor((this.#matches.size + 1) / 2)] ?? 0;
    return { ...message, commit: Math.max(message.commit, counted) };
  }
}
