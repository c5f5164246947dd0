import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import { assert } from "../../lib/assert.ts";
import { createDeferred } from "../../lib/deferred.ts";
import { RequestError } from "../../lib/errors.ts";
import type { Peer, PeerHandler, PeerNetwork } from "../node/index.ts";
import { type Message, messageType } from "../raft/index.ts";
import type { StateSnapshot } from "../state/index.ts";
import { CallDoor } from "./call-door.ts";
import { Caller, isCallMethod } from "./caller.ts";
import { Dialer } from "./dialer.ts";
import { checkDoor } from "./door.ts";
import { hexId, requestHeaders } from "./headers.ts";
import { IncomingStream } from "./incoming-stream.ts";
import { type PeerLimits, peerLimits } from "./limits.ts";
import { isTravelling } from "./message-codec.ts";
import { PeerLink } from "./peer-link.ts";
import { type Admission, PeerServer } from "./peer-server.ts";
import { SnapshotDoor } from "./snapshot-door.ts";
import { SnapshotSends } from "./snapshot-sends.ts";
import type { Channel, PeerNetworkOptions } from "./types.ts";

/** A network over sockets, listening. */
export interface SocketPeerNetwork extends PeerNetwork {
  /** HOST:PORT, or [IPv6]:PORT, in the order of `listen`, with the ports in use. */
  readonly addresses: readonly string[];
  readonly ports: readonly number[];
}

/** Refusals that the log keeps apart; beyond them it stays silent. */
const REFUSALS_SAID_MAX = 64;
/** A peer that keeps sending what it may not is named in the log this often. */
const VIOLATION_LOG_MS = 10_000;

/**
 * Opens the peer listeners. GET /version, /members and /health answer from now on; peer traffic waits for start().
 * Rejects with the system's error (EADDRINUSE and the like), nothing left open.
 */
export async function createPeerNetwork(options: PeerNetworkOptions): Promise<SocketPeerNetwork> {
  const network = new Network(options);
  await network.listen();
  return network;
}

class Network implements SocketPeerNetwork {
  readonly #options: PeerNetworkOptions;
  readonly #limits: PeerLimits;
  readonly #dialer: Dialer;
  readonly #server: PeerServer;
  readonly #caller: Caller;
  readonly #callDoor: CallDoor;
  readonly #snapshotDoor: SnapshotDoor;
  readonly #snapshots: SnapshotSends;
  readonly #links = new Map<bigint, PeerLink>();
  /** Members of the cluster that this one has not heard of yet, and answers (DESIGN.md, I7). */
  readonly #guests = new Map<bigint, PeerLink>();
  /** Peers that left: none of them is taken for a guest. */
  readonly #departed = new Set<bigint>();
  /** By peer and kind: a new one takes the place of one that nobody has heard of for a while. */
  readonly #incoming = new Map<string, { readonly peer: bigint; readonly stream: IncomingStream }>();
  readonly #refusalsSaid = new Set<string>();
  readonly #violationSaidMs = new Map<bigint, number>();
  #handler: PeerHandler | undefined;
  #isRemovalTold = false;
  #closing: Promise<void> | undefined;
  ports: readonly number[] = [];
  addresses: readonly string[] = [];

  constructor(options: PeerNetworkOptions) {
    const { identity, tls, clock, log, observer, versions, status } = options;
    this.#options = options;
    this.#limits = { ...peerLimits, ...options.limits };
    const limits = this.#limits;
    this.#dialer = new Dialer(tls, limits);
    this.#caller = new Caller(this.#dialer, clock, limits);
    this.#callDoor = new CallDoor(clock, limits, log);
    this.#snapshotDoor = new SnapshotDoor({ self: identity.memberId, clock, limits, log, observer });
    this.#snapshots = new SnapshotSends({
      dialer: this.#dialer,
      headersFor: (peer) => this.#headersFor(peer),
      clock,
      limits,
      log,
      observer,
      onEnd: (peer, succeeded) => this.#handler?.snapshotSent(peer, succeeded),
    });
    this.#server = new PeerServer({
      identity,
      tls,
      versions,
      status,
      clock,
      limits,
      log,
      admit: (request) => this.#admit(request),
      onStream: (from, channel, socket, head) => this.#takeStream(from, channel, socket, head),
      onSnapshot: (from, request, response) => {
        void this.#snapshotDoor.serve(this.#started(), from, request, response);
      },
      onCall: (from, method, request, response) => {
        void this.#callDoor.serve(this.#started(), from, method, request, response);
      },
    });
  }

  async listen(): Promise<void> {
    const { listen } = this.#options;
    try {
      this.ports = await this.#server.listen(listen);
    } catch (error) {
      this.#dialer.close();
      throw error;
    }
    this.addresses = listen.map(
      ({ host }, i) => `${host.includes(":") ? `[${host}]` : host}:${this.ports[i]}`,
    );
  }

  start(handler: PeerHandler): void {
    assert(this.#handler === undefined, "a network is started once");
    this.#handler = handler;
    if (this.#closing !== undefined) return;
    for (const link of this.#links.values()) link.start();
  }

  #linkTo(peer: bigint): PeerLink | undefined {
    return this.#links.get(peer) ?? this.#guests.get(peer);
  }

  setPeers(peers: readonly Peer[]): void {
    if (this.#closing !== undefined) return;
    const { observer, identity } = this.#options;
    const wanted = new Map(
      peers.filter(({ id }) => id !== identity.memberId).map((peer) => [peer.id, peer] as const),
    );
    for (const [id, link] of this.#links) {
      if (wanted.has(id)) continue;
      this.#links.delete(id);
      this.#departed.add(id);
      this.#forget(id, link);
    }
    for (const [id, link] of this.#guests) {
      if (wanted.has(id)) this.#links.set(id, link);
      else if (this.#options.status().isRemoved(id)) this.#forget(id, link);
      else continue;
      this.#guests.delete(id);
    }
    for (const peer of wanted.values()) {
      this.#departed.delete(peer.id);
      const link = this.#links.get(peer.id);
      if (link === undefined) this.#addLink(peer, this.#links);
      else link.setUrls(peer.peerUrls);
    }
    observer.known([...wanted.keys()]);
  }

  send(messages: readonly Message[]): void {
    for (const message of messages) {
      assert(
        isTravelling(message.type) && message.type !== messageType.snap,
        "local messages stay here, and snapshots go by sendSnapshot",
      );
      const link = this.#linkTo(message.to);
      if (link !== undefined) link.send(message);
      else this.#tellUnknown(message.to);
    }
  }

  sendSnapshot(message: Message, state: StateSnapshot): void {
    assert(message.type === messageType.snap, "a snapshot goes with a snapshot message");
    const urls = this.#closing === undefined ? this.#linkTo(message.to)?.urls : undefined;
    this.#snapshots.send(message, state, urls);
  }

  async call(peer: bigint, method: string, body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    assert(isCallMethod(method), "the method of a call is a short name");
    if (this.#closing !== undefined) throw new RequestError("stopped");
    const urls = this.#linkTo(peer)?.urls ?? [];
    return await this.#caller.call({ urls, headers: this.#headersFor(peer), method, body, timeoutMs });
  }

  connectedSinceMs(peer: bigint): number | undefined {
    return this.#links.get(peer)?.connectedSinceMs;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const { stream } of [...this.#incoming.values()]) stream.close();
    const links = [...this.#links.values(), ...this.#guests.values()];
    for (const link of links) link.end();
    this.#caller.close();
    this.#snapshotDoor.abort(() => true, "this member is closing");
    await Promise.all([
      this.#snapshots.close("this member is closing"),
      this.#server.close(this.#limits.closeGraceMs),
      this.#ended(links),
    ]);
    for (const link of links) link.close();
    this.#links.clear();
    this.#guests.clear();
    this.#dialer.close();
  }

  /** Resolves when all that was queued has left, or the time for it is over. */
  async #ended(links: readonly PeerLink[]): Promise<void> {
    const { clock } = this.#options;
    const ended = createDeferred<void>();
    const look = (): void => {
      if (links.every((link) => link.isIdle)) ended.resolve();
    };
    const poll = clock.every(10, look);
    const limit = clock.after(this.#limits.closeGraceMs, () => ended.resolve());
    look();
    await ended.promise;
    poll.cancel();
    limit.cancel();
  }

  #addLink(peer: Peer, into: Map<bigint, PeerLink>): void {
    const { clock, prng, log, observer } = this.#options;
    const link = new PeerLink({
      peer,
      dialer: this.#dialer,
      headers: () => this.#headersFor(peer.id),
      clock,
      prng,
      limits: this.#limits,
      log,
      observer,
      onUnreachable: () => this.#handler?.unreachable(peer.id),
      onGone: () => this.#tellGone(peer.id),
      onRemoved: () => this.#tellRemoved(peer.id),
    });
    into.set(peer.id, link);
    if (this.#handler !== undefined) link.start();
  }

  #forget(id: bigint, link: PeerLink): void {
    link.close();
    this.#violationSaidMs.delete(id);
    this.#snapshots.abort(id, "the peer is no longer a member");
    this.#snapshotDoor.abort((peer) => peer === id, "the sender is no longer a member");
    for (const { peer, stream } of [...this.#incoming.values()]) if (peer === id) stream.close();
  }

  #takeStream(from: bigint, channel: Channel, socket: Socket, head: Buffer): void {
    const { clock, identity, observer } = this.#options;
    const handler = this.#started();
    const key = `${from} ${channel}`;
    this.#incoming.get(key)?.stream.close();
    const stream = new IncomingStream({
      socket,
      head,
      peer: from,
      self: identity.memberId,
      clock,
      limits: this.#limits,
      onMessages: (messages) => handler.receive(messages),
      onReceived: (bytes) => observer.received(from, bytes),
      onClosed: (violation) => {
        if (this.#incoming.get(key)?.stream === stream) this.#incoming.delete(key);
        if (violation !== undefined) this.#sayViolation(from, violation);
      },
    });
    this.#incoming.set(key, { peer: from, stream });
    stream.start();
  }

  #admit(request: IncomingMessage): Admission {
    const { identity, versions, status, log } = this.#options;
    if (this.#handler === undefined || this.#closing !== undefined) {
      return { from: undefined, status: 503, text: "this member does not take part yet, or no more" };
    }
    const known = status();
    const answer = checkDoor(
      request.headers,
      identity,
      versions.server,
      (id, peerUrls) => this.#linkTo(id) !== undefined || this.#welcome(id, peerUrls),
      (id) => known.isRemoved(id),
    );
    if (answer.isWelcome) return { from: answer.from };
    const sender = answer.from === undefined ? "" : hexId(answer.from);
    const said = `${answer.status} ${sender}`;
    if (!this.#refusalsSaid.has(said) && this.#refusalsSaid.size < REFUSALS_SAID_MAX) {
      this.#refusalsSaid.add(said);
      log.warn("refused a request of another member", {
        peer: sender,
        peerUrls: answer.peerUrls,
        remoteAddress: request.socket.remoteAddress ?? "",
        reason: answer.text,
      });
    }
    return { from: undefined, status: answer.status, text: answer.text };
  }

  /**
   * A member that was added while this one was away may be the leader that is to tell it so. It is answered at the
   * URLs that it names, until the log says whether it is a member. False: it names none, or there are too many.
   */
  #welcome(id: bigint, peerUrls: readonly string[]): boolean {
    if (peerUrls.length === 0 || this.#departed.has(id)) return false;
    if (this.#guests.size >= this.#limits.guestsMax) return false;
    this.#options.log.info("hearing a member that this one has not been told of yet", {
      peer: hexId(id),
      peerUrls: peerUrls.join(","),
    });
    this.#addLink({ id, peerUrls }, this.#guests);
    return true;
  }

  #sayViolation(peer: bigint, reason: string): void {
    const { log, observer, clock } = this.#options;
    observer.receiveFailed(peer);
    const nowMs = clock.nowMs();
    if (nowMs - (this.#violationSaidMs.get(peer) ?? Number.NEGATIVE_INFINITY) < VIOLATION_LOG_MS) return;
    this.#violationSaidMs.set(peer, nowMs);
    log.error("closed a stream on which a peer sent what it may not", { peer: hexId(peer), reason });
  }

  /** A peer that still sends is not gone, whatever its address says. */
  #tellGone(peer: bigint): void {
    for (const incoming of this.#incoming.values()) if (incoming.peer === peer) return;
    this.#handler?.gone(peer);
  }

  #tellRemoved(peer: bigint): void {
    if (this.#isRemovalTold) return;
    this.#isRemovalTold = true;
    this.#options.log.warn("a peer says that this member was removed from the cluster", {
      peer: hexId(peer),
    });
    this.#handler?.removed();
  }

  /** Not at once: what is told may send again. */
  #tellUnknown(peer: bigint): void {
    if (this.#closing !== undefined) return;
    this.#options.observer.sendFailed(peer);
    this.#options.clock.defer(() => this.#handler?.unreachable(peer));
  }

  #started(): PeerHandler {
    assert(this.#handler !== undefined, "nothing is admitted before the network is started");
    return this.#handler;
  }

  #headersFor(peer: bigint): OutgoingHttpHeaders {
    const { identity, versions, status } = this.#options;
    const own = status()
      .members()
      .find(({ id }) => id === identity.memberId);
    return requestHeaders(identity, peer, versions.server, own?.peerUrls ?? []);
  }
}
