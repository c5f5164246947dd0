import { toHexId } from "../cli/index.ts";
import type { ConnectOptions, Member } from "../client/index.ts";
import type { ClusterSample, MemberSample } from "./cluster-sample.ts";
import { failureText } from "./failure-text.ts";
import { plainText } from "./format.ts";
import { MemberTarget, type TargetAnswer } from "./member-target.ts";
import { MetricsRequester } from "./metrics-request.ts";

export interface ObserverOptions {
  /** Loaded by the caller: importing the client costs a start. */
  readonly library: typeof import("../client/index.ts");
  /** With the endpoints that the user named, TLS and user. */
  readonly connect: ConnectOptions;
  /** How long one sample waits for answers, in milliseconds. */
  readonly patienceMs: number;
  /** How long a member may be silent before it counts as lost, in milliseconds; at least patienceMs. */
  readonly timeoutMs: number;
}

type Answers = ReadonlyMap<MemberTarget, TargetAnswer>;

/**
 * Takes samples of a cluster. The endpoints the user named come first, since addresses that members advertise may
 * not be reachable from here; members behind none of them are asked where they say they are. Every member is asked
 * on a connection of its own, with a time limit of its own.
 */
export class ClusterObserver {
  readonly #options: ObserverOptions;
  readonly #requester: MetricsRequester;
  readonly #named: readonly MemberTarget[];
  /** By member id: members that are behind no named endpoint. */
  readonly #discovered = new Map<string, MemberTarget>();
  #members: readonly Member[] = [];
  #clusterId: string | undefined;
  #leaderId: string | undefined;

  /** @throws UsageError when an endpoint is not an address */
  constructor(options: ObserverOptions) {
    this.#options = options;
    this.#requester = new MetricsRequester(options.connect.tls);
    this.#named = addressesOf(options.connect).map((address) => this.#target([address]));
  }

  /** Asks every member once. Never throws for what a server does: it is in the sample. */
  async sample(): Promise<ClusterSample> {
    const known = [...this.#named, ...this.#discovered.values()];
    const [answers, listFailure] = await Promise.all([this.#askAll(known), this.#list(known)]);
    const fresh = await this.#askAll(this.#discover(answers));
    const all: Answers = new Map([...answers, ...fresh]);
    for (const { status, clusterId } of all.values()) {
      this.#clusterId = clusterId ?? this.#clusterId;
      this.#leaderId = status?.leaderId ?? this.#leaderId;
    }
    return {
      atMs: performance.now(),
      wallMs: Date.now(),
      clusterId: this.#clusterId,
      members: this.#members.map((member) => this.#memberSample(member, all)),
      failure: this.#members.length === 0 ? (listFailure ?? "the list of members is empty") : undefined,
    };
  }

  /**
   * Hands leadership to a voter, by its id in hexadecimal, as only the leader can.
   *
   * @throws MetaStoreError, or an Error when no leader answers
   */
  async moveLeader(memberId: string): Promise<void> {
    const leader = this.#leader();
    if (leader === undefined) throw new Error("no leader answers");
    await leader.client.maintenance.moveLeader(BigInt(`0x${memberId}`));
  }

  /** The target that leads as far as is known. */
  #leader(): MemberTarget | undefined {
    return this.#targets().find((target) => target.memberId === this.#leaderId && target.isAnswering);
  }

  close(): void {
    for (const target of this.#targets()) target.close();
    this.#requester.close();
  }

  #target(addresses: readonly string[]): MemberTarget {
    return new MemberTarget(this.#options.library, this.#options.connect, addresses, this.#requester);
  }

  #targets(): MemberTarget[] {
    return [...this.#named, ...this.#discovered.values()];
  }

  async #askAll(targets: readonly MemberTarget[]): Promise<Answers> {
    const { patienceMs, timeoutMs } = this.#options;
    return new Map(
      await Promise.all(
        targets.map(async (target) => [target, await target.look(patienceMs, timeoutMs)] as const),
      ),
    );
  }

  /** Renews the list of members, from the leader if one is known; answers why that failed. */
  async #list(targets: readonly MemberTarget[]): Promise<string | undefined> {
    const leader = this.#leader();
    try {
      this.#members = await (leader === undefined ? this.#listFromAny(targets) : this.#listFrom(leader));
      return undefined;
    } catch (error) {
      const first = error instanceof AggregateError ? error.errors[0] : error;
      if (!(first instanceof Error)) throw error;
      return failureText(first);
    }
  }

  #listFromAny(targets: readonly MemberTarget[]): Promise<readonly Member[]> {
    return Promise.any(targets.map((target) => this.#listFrom(target)));
  }

  async #listFrom({ client }: MemberTarget): Promise<readonly Member[]> {
    const { patienceMs } = this.#options;
    return (await client.cluster.memberList({ serializable: true, timeoutMs: patienceMs })).members;
  }

  /** Makes targets for members that no target stands for, and drops those of members that are gone. */
  #discover(answers: Answers): MemberTarget[] {
    const fresh: MemberTarget[] = [];
    const ids = new Set(this.#members.map(({ id }) => toHexId(id)));
    for (const [id, target] of this.#discovered) {
      if (ids.has(id)) continue;
      target.close();
      this.#discovered.delete(id);
    }
    for (const member of this.#members) {
      const id = toHexId(member.id);
      const isKnown =
        this.#discovered.has(id) || this.#named.some((target) => this.#isOf(target, member, answers));
      if (isKnown || member.clientUrls.length === 0) continue;
      const addresses = member.clientUrls.filter((url) => this.#namesOf(url).length > 0);
      if (addresses.length === 0) continue;
      const target = this.#target(addresses);
      this.#discovered.set(id, target);
      fresh.push(target);
    }
    return fresh;
  }

  /** Whether the member answers behind a named endpoint, or did last, or says that it is there. */
  #isOf(target: MemberTarget, member: Member, answers: Answers): boolean {
    const answeringId = answers.get(target)?.memberId ?? target.memberId;
    if (answeringId !== undefined) return answeringId === toHexId(member.id);
    const advertised = new Set(member.clientUrls.flatMap((url) => this.#namesOf(url)));
    return target.endpoints.some(({ name }) => advertised.has(name));
  }

  /** host:port of an advertised address; none for what is no address, which is the member's fault and not ours. */
  #namesOf(url: string): string[] {
    try {
      return this.#options.library.parseEndpoints(url).map(({ name }) => name);
    } catch {
      return [];
    }
  }

  #memberSample(member: Member, answers: Answers): MemberSample {
    const id = toHexId(member.id);
    const own = this.#targets().filter(
      (target) => target === this.#discovered.get(id) || this.#isOf(target, member, answers),
    );
    const target = own.find(({ memberId, isAnswering }) => isAnswering && memberId === id) ?? own[0];
    const answer = target === undefined ? undefined : answers.get(target);
    const isOwn = answer?.memberId === undefined || answer.memberId === id;
    const failure =
      answer === undefined
        ? member.clientUrls.length === 0
          ? "not started"
          : "no usable address"
        : isOwn
          ? answer.failure
          : "another member answers there";
    return {
      id,
      name: plainText(member.name),
      isLearner: member.isLearner,
      peerUrls: member.peerUrls.map(plainText),
      clientUrls: member.clientUrls.map(plainText),
      endpoint: plainText(target?.endpoints[0]?.name ?? "-"),
      status: isOwn ? answer?.status : undefined,
      failure: failure,
      answerMs: isOwn ? answer?.answerMs : undefined,
      metrics: isOwn ? answer?.metrics : undefined,
    };
  }
}

function addressesOf({ endpoints }: ConnectOptions): readonly string[] {
  const texts = typeof endpoints === "string" ? endpoints.split(",") : (endpoints ?? ["127.0.0.1:2379"]);
  return texts.map((text) => text.trim()).filter((text) => text !== "");
}
