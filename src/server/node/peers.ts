import { RequestError } from "../../lib/errors.ts";
import type { Message } from "../raft/index.ts";
import type { StateSnapshot } from "../state/index.ts";

/** Another member as this one reaches it: by its advertised peer URLs and no other way. */
export interface Peer {
  readonly id: bigint;
  readonly peerUrls: readonly string[];
}

/**
 * The way to the other members: sockets in a server (peer/), the simulated network in test/sim. Nothing here
 * blocks or throws; what cannot be delivered is dropped and reported, as raft expects of a network.
 */
export interface PeerNetwork {
  /** Begins to deliver; nothing is delivered before. */
  start(handler: PeerHandler): void;
  /** The members to reach from now on, without this one, in place of those before. Connections to others close. */
  setPeers(peers: readonly Peer[]): void;
  /**
   * Queues messages, each to its `to`, order kept per peer. A message that finds no connection or no room is
   * dropped, and the handler's `unreachable` told.
   */
  send(messages: readonly Message[]): void;
  /**
   * Sends a snapshot message and the state it stands for on a connection of its own, with the rate bounded. Calls
   * `state.close()` once, and the handler's `snapshotSent` once.
   */
  sendSnapshot(message: Message, state: StateSnapshot): void;
  /**
   * Asks another member; what it answers with is up to `method`. Rejects with the RequestError that the other
   * answered, or with RequestError timeout (outcome unknown) or unavailable (surely not received).
   */
  call(peer: bigint, method: string, body: Uint8Array, timeoutMs: number): Promise<Uint8Array>;
  /** Since when (Clock.nowMs) this member has had an unbroken connection to the peer; undefined while it has none. */
  connectedSinceMs(peer: bigint): number | undefined;
  close(): Promise<void>;
}

/** What a network tells the member. Called synchronously, except where a promise says otherwise. */
export interface PeerHandler {
  /** Messages of one peer in the order it sent them; some may be missing. */
  receive(messages: readonly Message[]): void;
  /**
   * A snapshot message, and the state behind it as encoded StateChunk messages in order. The iteration throws when
   * the stream breaks off or its digest is wrong: what was read is then worth nothing. Resolves once the state is
   * taken or refused; rejects when it cannot be stored.
   */
  receiveSnapshot(message: Message, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** Messages to this peer are being lost. */
  unreachable(peer: bigint): void;
  /**
   * The peer's process is gone, as far as can be seen from here: its connections ended, and all its addresses refuse
   * new ones. Not told of a peer that is merely silent.
   */
  gone(peer: bigint): void;
  /** Whether the peer has the whole snapshot that was sent to it. */
  snapshotSent(peer: bigint, succeeded: boolean): void;
  /** The answer to another member's `call`. Rejections with RequestError travel back to it. */
  answer(from: bigint, method: string, body: Uint8Array): Promise<Uint8Array>;
  /** A peer says that this member was removed from the cluster. */
  removed(): void;
}

/** The network of a member that is alone. */
export const noPeers: PeerNetwork = {
  start() {},
  setPeers() {},
  send() {},
  sendSnapshot(_message, state) {
    state.close();
  },
  call: () => Promise.reject(new RequestError("timeoutConnectionLost")),
  connectedSinceMs: () => undefined,
  async close() {},
};
