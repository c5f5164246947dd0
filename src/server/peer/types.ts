import type { Member } from "../../codec/index.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Prng } from "../../lib/prng.ts";
import type { PeerLimits } from "./limits.ts";

export interface PeerIdentity {
  readonly memberId: bigint;
  readonly clusterId: bigint;
}

/** An address for the other members (--listen-peer-urls). */
export interface PeerListenAddress {
  /** An IP address, or "localhost". */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly isTls: boolean;
}

/** PEM contents for listening and for dialling (--peer-cert-file and the like). */
export interface PeerTls {
  /** This member's certificate; shown to members that it dials, too. */
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Who signs the certificates of the members; undefined: the authorities that Node knows. */
  readonly trustedCa: Buffer | undefined;
  /** Whoever connects must show a certificate (--peer-client-cert-auth, or a trusted authority alone as in etcd). */
  readonly isClientCertRequired: boolean;
}

/** What GET /version answers, all "X.Y.Z". Members with another major version of `server` are refused. */
export interface PeerVersions {
  readonly server: string;
  readonly cluster: string;
  readonly storage: string;
}

/** What the member tells about itself and the cluster, asked anew each time. */
export interface PeerStatus {
  /** GET /members: as applied here. */
  members(): readonly Member[];
  /** Whether this id was a member once and was removed; it never comes back. */
  isRemoved(id: bigint): boolean;
  /** GET /health. */
  readonly isHealthy: boolean;
}

export interface PeerNetworkOptions {
  readonly identity: PeerIdentity;
  /** May be empty: then nobody reaches this member, and it reaches the others. */
  readonly listen: readonly PeerListenAddress[];
  /** Needed when a listener is TLS; without it, https peers are dialled with Node's own authorities. */
  readonly tls: PeerTls | undefined;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Log;
  readonly versions: PeerVersions;
  readonly status: () => PeerStatus;
  readonly observer: PeerObserver;
  /** For tests; the limits of the product otherwise. */
  readonly limits?: Partial<PeerLimits>;
}

/** What happens on the way to the other members, for metrics. */
export interface PeerObserver {
  /** The peers from now on. */
  known(peers: readonly bigint[]): void;
  /** Both streams to the peer are up; one was lost, or the peer is no more. */
  connected(peer: bigint): void;
  disconnected(peer: bigint): void;
  sent(peer: bigint, bytes: number): void;
  received(peer: bigint, bytes: number): void;
  /** Messages were dropped, or a snapshot failed. */
  sendFailed(peer: bigint): void;
  /** What came was damaged or not allowed. */
  receiveFailed(peer: bigint): void;
  roundTrip(peer: bigint, durationMs: number): void;
  snapshotSendStarted(peer: bigint): void;
  snapshotSendEnded(peer: bigint, succeeded: boolean, durationMs: number): void;
  snapshotReceiveStarted(peer: bigint): void;
  snapshotReceiveEnded(peer: bigint, succeeded: boolean, durationMs: number): void;
}

/** The two streams to each peer: small messages that are in a hurry, and the log. */
export const channels = ["urgent", "bulk"] as const;
export type Channel = (typeof channels)[number];
