import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createPrng } from "../../../src/lib/prng.ts";
import type { Storage } from "../../harness/storages.ts";
import { Links } from "./links.ts";
import { type ClusterKind, Member, reservePort } from "./member.ts";
import { patiently } from "./patience.ts";
import { PeerProxy } from "./peer-proxy.ts";

export interface ClusterOptions {
  readonly kind: ClusterKind;
  readonly size: number;
  /** Takes a folder for each member. */
  readonly folder: string;
  /** Production defaults when absent. */
  readonly heartbeatIntervalMs?: number;
  readonly electionTimeoutMs?: number;
  readonly snapshotCount?: number;
  readonly flags?: readonly string[];
  /** MetaStore's engines: all alike, or every other member's on disk. Its default when absent. */
  readonly storage?: Storage;
  readonly nodeFlags?: readonly string[];
  readonly program?: string;
  /** False: members reach each other directly, and links cannot be disturbed. */
  readonly isProxied?: boolean;
  /** Draws the jitter of slow links. */
  readonly seed?: number;
}

/** etcd's and MetaStore's. */
export const DEFAULT_ELECTION_TIMEOUT_MS = 1_000;

/** A cluster of real processes; each member's peer traffic goes through a proxy that can disturb any directed link. */
export class Cluster {
  readonly kind: ClusterKind;
  readonly links = new Links();
  readonly electionTimeoutMs: number;
  readonly #options: ClusterOptions;
  readonly #members: Member[] = [];
  readonly #proxies = new Map<string, PeerProxy>();
  readonly #names = new Map<string, string>();
  readonly #token: string;
  #created = 0;

  private constructor(options: ClusterOptions) {
    this.kind = options.kind;
    this.electionTimeoutMs = options.electionTimeoutMs ?? DEFAULT_ELECTION_TIMEOUT_MS;
    this.#options = options;
    this.#token = `cluster-${options.seed ?? 0}`;
  }

  /** Starts all members and waits until each has answered a linearizable read. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options);
    try {
      const places: Place[] = [];
      for (let i = 0; i < options.size; i++) places.push(await cluster.#newPlace());
      const initialCluster = places.map(({ name, url }) => `${name}=${url}`).join(",");
      for (const place of places) {
        cluster.#members.push(await cluster.#prepare(place, initialCluster, "new"));
      }
      for (const member of cluster.#members) member.spawn();
      await Promise.all(cluster.#members.map((member) => member.ready(60_000)));
      await cluster.#learnIds(cluster.#members);
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  /** Members that were not removed. */
  get members(): readonly Member[] {
    return this.#members;
  }

  get names(): readonly string[] {
    return this.#members.map((member) => member.name);
  }

  get upMembers(): readonly Member[] {
    return this.#members.filter((member) => member.isUp);
  }

  /** The member that most up members name as their leader, when it is up and says so itself. */
  async leader(): Promise<Member | undefined> {
    let [leader, leaderTerm]: [Member | undefined, number] = [undefined, -1];
    await Promise.all(
      this.upMembers.map(async (member) => {
        const status = await member.admin.status().catch(() => undefined);
        if (status === undefined || status.leader === 0n || status.leader !== status.header?.memberId) return;
        if (status.raftTerm > leaderTerm) [leader, leaderTerm] = [member, status.raftTerm];
      }),
    );
    return leader;
  }

  async waitForLeader(limitMs = 15_000): Promise<Member> {
    const deadlineMs = performance.now() + limitMs;
    while (performance.now() < deadlineMs) {
      const leader = await this.leader();
      if (leader !== undefined) return leader;
      await sleep(20);
    }
    throw new Error(`no leader within ${limitMs} ms`);
  }

  /**
   * Registers a new member and starts its process; it may not be caught up yet. A cluster that is not ready for the
   * change (members that connected a moment ago, another change under way) is asked again until `limitMs`.
   */
  async add(isLearner: boolean, limitMs = 20_000): Promise<Member> {
    const place = await this.#newPlace();
    try {
      const listed = await patiently(limitMs, async () => {
        const { admin } = await this.waitForLeader();
        const before = await admin.members();
        // An attempt whose answer was lost may have done it.
        if (before.some(({ peerUrls }) => peerUrls.includes(place.url))) return before;
        await admin.memberAdd(place.url, isLearner);
        return admin.members();
      });
      const urls = listed.flatMap(({ peerUrls, name }) => peerUrls.map((url) => ({ url, name })));
      // A member that never started has no name yet; the new one finds itself by its URL.
      const initialCluster = urls
        .map(({ url, name }) => `${url === place.url ? place.name : name || this.#nameOfUrl(url)}=${url}`)
        .join(",");
      const member = await this.#prepare(place, initialCluster, "existing");
      member.id = listed.find(({ peerUrls }) => peerUrls.includes(place.url))?.id;
      if (member.id !== undefined) this.#names.set(member.id.toString(16), member.name);
      this.#members.push(member);
      member.spawn();
      return member;
    } catch (error) {
      if (!this.#members.some((member) => member.name === place.name)) {
        await this.#proxies.get(place.name)?.close();
        this.#proxies.delete(place.name);
      }
      throw error;
    }
  }

  /** Removes a member by way of another one, and ends its process. */
  async remove(member: Member, limitMs = 20_000): Promise<void> {
    const { id } = member;
    if (id === undefined) throw new Error(`the id of ${member.name} is not known`);
    await patiently(limitMs, async () => {
      const leader = await this.waitForLeader();
      const other = leader !== member ? leader : this.upMembers.find((candidate) => candidate !== member);
      if (other === undefined) throw new Error(`nobody is left to remove ${member.name}`);
      if ((await other.admin.members()).every((listed) => listed.id !== id)) return;
      await other.admin.memberRemove(id);
    });
    await this.forget(member);
  }

  /** Makes a voter of a learner, once the leader finds it in sync. */
  async promote(member: Member, limitMs = 20_000): Promise<void> {
    const { id } = member;
    if (id === undefined) throw new Error(`the id of ${member.name} is not known`);
    await patiently(limitMs, async () => {
      const { admin } = await this.waitForLeader();
      if ((await admin.members()).some((listed) => listed.id === id && !listed.isLearner)) return;
      await admin.memberPromote(id);
    });
  }

  /** Ends the process of a member that the cluster has removed. */
  async forget(member: Member): Promise<void> {
    const index = this.#members.indexOf(member);
    if (index >= 0) this.#members.splice(index, 1);
    member.closeAdmin();
    if (member.state === "paused") member.resume();
    await member.kill();
    await this.#proxies.get(member.name)?.close();
    this.#proxies.delete(member.name);
  }

  /** Ends every disturbance: links whole, the paused resumed, the dead started; waits until all are ready. */
  async heal(readyLimitMs = 30_000): Promise<void> {
    this.links.heal();
    for (const member of this.#members) {
      if (member.state === "paused") member.resume();
      else if (member.state === "down") member.spawn();
    }
    await Promise.all(this.#members.map((member) => member.ready(readyLimitMs)));
  }

  async close(): Promise<void> {
    this.links.heal();
    await Promise.all(
      this.#members.map(async (member) => {
        member.closeAdmin();
        await member.kill();
      }),
    );
    await Promise.all([...this.#proxies.values()].map((proxy) => proxy.close()));
    this.#proxies.clear();
  }

  async #newPlace(): Promise<Place> {
    this.#created += 1;
    const name = `m${this.#created}`;
    const peerPort = await reservePort();
    if (this.#options.isProxied === false) return { name, peerPort, url: `http://127.0.0.1:${peerPort}` };
    const proxy = await PeerProxy.listen({
      name,
      targetPort: peerPort,
      links: this.links,
      nameOf: (id) => this.#names.get(id),
      names: () => this.names,
      carrier: this.kind === "etcd" ? etcdCarrier : () => "dialler",
      prng: createPrng((this.#options.seed ?? 0) + this.#created),
    });
    this.#proxies.set(name, proxy);
    return { name, peerPort, url: `http://127.0.0.1:${proxy.port}` };
  }

  #prepare(place: Place, initialCluster: string, state: "new" | "existing"): Promise<Member> {
    const { folder, heartbeatIntervalMs, electionTimeoutMs, snapshotCount } = this.#options;
    const memberFolder = join(folder, place.name);
    mkdirSync(memberFolder, { recursive: true });
    const flag = (name: string, value: number | undefined): string[] =>
      value === undefined ? [] : [`--${name}`, String(value)];
    return Member.prepare({
      kind: this.kind,
      name: place.name,
      folder: memberFolder,
      peerPort: place.peerPort,
      advertisedPeerUrl: place.url,
      initialCluster,
      initialClusterState: state,
      token: this.#token,
      flags: [
        ...flag("heartbeat-interval", heartbeatIntervalMs),
        ...flag("election-timeout", electionTimeoutMs),
        ...flag("snapshot-count", snapshotCount),
        ...this.#storageFlags(place),
        ...(this.#options.flags ?? []),
      ],
      nodeFlags: this.#options.nodeFlags ?? [],
      program: this.#options.program,
    });
  }

  #storageFlags({ name }: Place): string[] {
    const { storage } = this.#options;
    if (storage === undefined) return [];
    const isEven = Number(name.slice(1)) % 2 === 0;
    return ["--storage", storage === "mixed" ? (isEven ? "rocksdb" : "memory") : storage];
  }

  async #learnIds(members: readonly Member[]): Promise<void> {
    for (const member of members) {
      const { header } = await patiently(10_000, () => member.admin.status(5_000));
      if (header === undefined) throw new Error(`${member.name} answers without a header`);
      member.id = header.memberId;
      this.#names.set(header.memberId.toString(16), member.name);
    }
  }

  #nameOfUrl(url: string): string {
    return this.#members.find((member) => member.advertisedPeerUrl === url)?.name ?? "unknown";
  }
}

interface Place {
  readonly name: string;
  readonly peerPort: number;
  readonly url: string;
}

/** In etcd the receiver asks for the stream of messages and the sender answers with it; all else is pushed. */
function etcdCarrier(requestLine: string): "dialler" | "target" {
  return requestLine.startsWith("GET /raft/stream/") ? "target" : "dialler";
}
