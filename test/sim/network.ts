import type { Timer } from "../../src/lib/clock.ts";
import { RequestError } from "../../src/lib/errors.ts";
import type { Peer, PeerHandler, PeerNetwork } from "../../src/server/node/peers.ts";
import { type Message, messageType } from "../../src/server/raft/index.ts";
import type { StateSnapshot } from "../../src/server/state/index.ts";
import {
  type Endpoint,
  type Link,
  labelOf,
  MESSAGE_OVERHEAD_BYTES,
  type NetworkSettings,
  sizeOf,
} from "./endpoint.ts";
import { FaultCounts } from "./fault-counts.ts";
import type { SimProcess } from "./process.ts";
import type { Random } from "./random.ts";
import { carrySnapshot } from "./snapshot-transfer.ts";
import type { VirtualTime } from "./virtual-time.ts";

const PEACE_LATENCY_MS = 0.5;
/** A call over a broken link: whether its caller learns at once that nobody received it. */
const REFUSED_SHARE = 0.5;
/** As often as a member tries at most, once it has failed some times. */
const REDIAL_MS = 1_000;
/** Of what is lost for want of a connection: how often a refused one tells that nobody is there. */
const GONE_SHARE = 0.2;

/** All links between members. Every directed link may be blocked; the rest is the settings'. */
export class SimNetwork {
  readonly settings: NetworkSettings;
  readonly counts: FaultCounts;
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #endpoints = new Map<bigint, Endpoint>();
  readonly #links = new Map<string, Link>();
  /** Sees every message that leaves a member. */
  onSend: ((from: bigint, message: Message) => void) | undefined;
  /** Off while the world is to be at peace: nothing is lost, doubled, late or out of order. */
  isDisturbed = true;

  constructor(time: VirtualTime, random: Random, settings: NetworkSettings, counts = new FaultCounts()) {
    this.#time = time;
    this.#random = random;
    this.settings = settings;
    this.counts = counts;
  }

  /** The way from one run of a member to the others. */
  connect(id: bigint, process: SimProcess, isRemoved: (id: bigint) => boolean = () => false): PeerNetwork {
    return new SimPeerNetwork(this, id, process, isRemoved);
  }

  /** Blocks exactly these directed links; all others deliver. */
  setBlocked(isBlocked: (from: bigint, to: bigint) => boolean): void {
    for (const [key, link] of this.#links) {
      const [from, to] = key.split(">").map(BigInt) as [bigint, bigint];
      this.#block(link, isBlocked(from, to));
    }
    this.#isBlocked = isBlocked;
  }

  #isBlocked: (from: bigint, to: bigint) => boolean = () => false;

  #block(link: Link, isBlocked: boolean): void {
    if (link.isBlocked && !isBlocked) link.connectedSinceMs = this.#time.nowMs;
    link.isBlocked = isBlocked;
  }

  link(from: bigint, to: bigint): Link {
    const key = `${from}>${to}`;
    let link = this.#links.get(key);
    if (link === undefined) {
      const nowMs = this.#time.nowMs;
      link = { lastArrivalMs: 0, freeAtMs: 0, isBlocked: this.#isBlocked(from, to), connectedSinceMs: nowMs };
      this.#links.set(key, link);
    }
    return link;
  }

  register(endpoint: Endpoint): void {
    this.#endpoints.set(endpoint.id, endpoint);
    const nowMs = this.#time.nowMs;
    for (const [key, link] of this.#links) {
      const [from, to] = key.split(">");
      if (from === String(endpoint.id) || to === String(endpoint.id)) link.connectedSinceMs = nowMs;
    }
  }

  unregister(id: bigint, process: SimProcess): void {
    if (this.#endpoints.get(id)?.process === process) this.#endpoints.delete(id);
  }

  /** The end that would take something now: undefined while that member is down. */
  endpoint(id: bigint): Endpoint | undefined {
    const endpoint = this.#endpoints.get(id);
    return endpoint === undefined || endpoint.process.isKilled ? undefined : endpoint;
  }

  isReachable(from: bigint, to: bigint): boolean {
    return !this.link(from, to).isBlocked && this.endpoint(to) !== undefined;
  }

  /** How long something of `bytes` takes; undefined when there is no room for it. */
  delay(from: bigint, to: bigint, bytes: number): number | undefined {
    const { settings } = this;
    const link = this.link(from, to);
    const nowMs = this.#time.nowMs;
    const queuedMs = Math.max(0, link.freeAtMs - nowMs);
    if (queuedMs * settings.bytesPerMs > settings.queueBytesMax) return undefined;
    link.freeAtMs = nowMs + (this.isDisturbed ? queuedMs + bytes / settings.bytesPerMs : 0);
    const jitterMs = this.isDisturbed ? this.#random.around(settings.jitterMs) : 0;
    const latencyMs = this.isDisturbed ? settings.latencyMs : Math.min(settings.latencyMs, PEACE_LATENCY_MS);
    const arrivalMs = link.freeAtMs + latencyMs + jitterMs;
    if (!settings.isOrdered && this.isDisturbed) return arrivalMs - nowMs;
    link.lastArrivalMs = Math.max(link.lastArrivalMs, arrivalMs);
    return link.lastArrivalMs - nowMs;
  }

  /** Messages of one member to one other. */
  transmit(from: Endpoint, to: bigint, messages: readonly Message[]): void {
    if (!this.isReachable(from.id, to)) {
      this.counts.add("messages into nowhere", messages.length);
      this.#reportUnreachable(from, to);
      return;
    }
    const { lossRate, duplicateRate, isOrdered } = this.settings;
    const kept = messages.filter(() => !(this.isDisturbed && this.#random.chance(lossRate)));
    this.counts.add("messages lost", messages.length - kept.length);
    if (kept.length === 0) return;
    if (isOrdered || !this.isDisturbed) {
      this.#deliver(from, to, kept);
      return;
    }
    for (const message of kept) {
      this.#deliver(from, to, [message]);
      // A forwarded proposal is the one message that does something each time it comes: connections do not double it.
      if (message.type === messageType.prop || !this.#random.chance(duplicateRate)) continue;
      this.counts.add("messages doubled");
      this.#deliver(from, to, [message]);
    }
  }

  #deliver(from: Endpoint, to: bigint, messages: readonly Message[]): void {
    const bytes = messages.reduce((sum, message) => sum + sizeOf(message), 0);
    const delayMs = this.delay(from.id, to, bytes);
    if (delayMs === undefined) {
      this.counts.add("messages without room", messages.length);
      this.#reportUnreachable(from, to);
      return;
    }
    const target = this.endpoint(to);
    this.#time.after(delayMs, `message ${from.id}>${to} ${messages.map(labelOf)}`, () => {
      const arrived = this.endpoint(to);
      // One connection does not outlive the process at its end, a datagram may.
      if (arrived === undefined || (this.settings.isOrdered && arrived !== target)) return;
      if (this.link(from.id, to).isBlocked) {
        this.counts.add("messages cut off", messages.length);
        return;
      }
      if (this.refuses(arrived, from)) return;
      arrived.process.run(() => arrived.handler.receive(messages));
    });
  }

  /** A member connects again for as long as it runs, though it has nothing to say, and may hear that it was removed. */
  dial(from: Endpoint, peers: Iterable<bigint>): void {
    for (const to of peers) {
      const target = this.isReachable(from.id, to) ? this.endpoint(to) : undefined;
      if (target?.isRemoved(from.id)) this.refuses(target, from);
    }
  }

  /** A member that was removed is told so in place of being heard (peer/DESIGN.md, I7). */
  refuses(target: Endpoint, from: Endpoint): boolean {
    if (!target.isRemoved(from.id)) {
      if (target.welcome(from.id)) this.counts.add("guests");
      return false;
    }
    this.#time.after(this.settings.latencyMs, `removed ${from.id}`, () =>
      from.process.run(() => {
        if (this.endpoint(from.id)?.process === from.process) from.handler.removed();
      }),
    );
    return true;
  }

  #reportUnreachable(from: Endpoint, to: bigint): void {
    if (!this.#random.chance(0.5)) return;
    from.process.post(0, `unreachable ${to}`, () => from.handler.unreachable(to));
    // A wall that refuses connections both ways looks like a process that is gone.
    const isCutOff = this.link(from.id, to).isBlocked && this.link(to, from.id).isBlocked;
    if ((this.endpoint(to) === undefined || isCutOff) && this.#random.chance(GONE_SHARE)) {
      this.counts.add("members told to be gone");
      from.process.post(0, `gone ${to}`, () => from.handler.gone(to));
    }
  }

  carrySnapshot(from: Endpoint, message: Message, state: StateSnapshot): void {
    carrySnapshot({ network: this, time: this.#time, random: this.#random, from, message, state });
  }

  call(from: Endpoint, to: bigint, method: string, body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      let isOver = false;
      const end = (settle: () => void): void => {
        if (isOver) return;
        isOver = true;
        timer.cancel();
        settle();
      };
      const timer = from.process.postLocal(timeoutMs, "call timeout", () =>
        end(() => reject(new RequestError("timeout"))),
      );
      const isLost = (): boolean => this.isDisturbed && this.#random.chance(this.settings.lossRate);
      if (!this.isReachable(from.id, to)) {
        this.counts.add("calls into nowhere");
        if (this.#random.chance(REFUSED_SHARE)) {
          from.process.post(this.settings.latencyMs, "call refused", () =>
            end(() => reject(new RequestError("timeoutConnectionLost"))),
          );
        }
        return;
      }
      const delayMs = this.delay(from.id, to, body.length + MESSAGE_OVERHEAD_BYTES);
      if (delayMs === undefined || isLost()) return;
      const answered = (target: Endpoint, settle: () => void): void => {
        if (target.process.isKilled || this.link(to, from.id).isBlocked || isLost()) return;
        const backMs = this.delay(to, from.id, MESSAGE_OVERHEAD_BYTES) ?? this.settings.latencyMs;
        from.process.post(backMs, `answer ${to}>${from.id} ${method}`, () => end(settle));
      };
      this.#time.after(delayMs, `call ${from.id}>${to} ${method}`, () => {
        const target = this.endpoint(to);
        if (target === undefined || this.link(from.id, to).isBlocked) return;
        target.process.run(() => {
          target.handler.answer(from.id, method, body).then(
            (answer) => answered(target, () => resolve(answer)),
            (error: Error) => answered(target, () => reject(error)),
          );
        });
      });
    });
  }
}

class SimPeerNetwork implements PeerNetwork {
  readonly #network: SimNetwork;
  readonly #id: bigint;
  readonly #process: SimProcess;
  #endpoint: Endpoint | undefined;
  #redials: Timer | undefined;
  #peers = new Set<bigint>();
  /** Members that were heard of by their messages alone. */
  readonly #guests = new Set<bigint>();
  readonly #isRemoved: (id: bigint) => boolean;

  constructor(network: SimNetwork, id: bigint, process: SimProcess, isRemoved: (id: bigint) => boolean) {
    this.#isRemoved = isRemoved;
    this.#network = network;
    this.#id = id;
    this.#process = process;
  }

  start(handler: PeerHandler): void {
    this.#endpoint = {
      ...{ id: this.#id, process: this.#process, handler, isRemoved: this.#isRemoved },
      welcome: (id) => {
        if (this.#peers.has(id) || this.#guests.has(id)) return false;
        this.#guests.add(id);
        return true;
      },
    };
    this.#network.register(this.#endpoint);
    const endpoint = this.#endpoint;
    this.#redials = this.#process.clock.every(REDIAL_MS, () => this.#network.dial(endpoint, this.#peers));
  }

  setPeers(peers: readonly Peer[]): void {
    this.#peers = new Set(peers.map((peer) => peer.id));
  }

  send(messages: readonly Message[]): void {
    const endpoint = this.#endpoint;
    if (endpoint === undefined || this.#process.isKilled) return;
    const byPeer = new Map<bigint, Message[]>();
    for (const message of messages) {
      this.#network.onSend?.(this.#id, message);
      if (!this.#peers.has(message.to) && !this.#guests.has(message.to)) {
        this.#network.counts.add("messages to nobody");
        continue;
      }
      const group = byPeer.get(message.to);
      if (group === undefined) byPeer.set(message.to, [message]);
      else group.push(message);
    }
    for (const [to, group] of byPeer) this.#network.transmit(endpoint, to, group);
  }

  sendSnapshot(message: Message, state: StateSnapshot): void {
    this.#network.onSend?.(this.#id, message);
    if (this.#endpoint !== undefined) this.#network.carrySnapshot(this.#endpoint, message, state);
    else state.close();
  }

  call(peer: bigint, method: string, body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const endpoint = this.#endpoint;
    if (endpoint === undefined || !this.#peers.has(peer))
      return Promise.reject(new RequestError("timeoutConnectionLost"));
    return this.#network.call(endpoint, peer, method, body, timeoutMs);
  }

  connectedSinceMs(peer: bigint): number | undefined {
    if (!this.#peers.has(peer) || !this.#network.isReachable(this.#id, peer)) return undefined;
    if (!this.#network.isReachable(peer, this.#id)) return undefined;
    const there = this.#network.link(this.#id, peer);
    const back = this.#network.link(peer, this.#id);
    return this.#process.localOf(Math.max(there.connectedSinceMs, back.connectedSinceMs));
  }

  async close(): Promise<void> {
    this.#redials?.cancel();
    this.#network.unregister(this.#id, this.#process);
    this.#endpoint = undefined;
  }
}
