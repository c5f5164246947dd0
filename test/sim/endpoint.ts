import type { PeerHandler } from "../../src/server/node/peers.ts";
import { type Message, messageType } from "../../src/server/raft/index.ts";
import type { FaultCounts } from "./fault-counts.ts";
import type { SimProcess } from "./process.ts";

export interface NetworkSettings {
  readonly latencyMs: number;
  /** Mean of what comes on top. */
  readonly jitterMs: number;
  readonly lossRate: number;
  readonly duplicateRate: number;
  /** As one connection delivers; otherwise each message finds its own way and may overtake others. */
  readonly isOrdered: boolean;
  /** Per directed link. */
  readonly bytesPerMs: number;
  /** What may wait on one directed link; beyond it messages are dropped. */
  readonly queueBytesMax: number;
  readonly snapshotFailureRate: number;
}

/** One member's end, as the network sees it. */
export interface Endpoint {
  readonly id: bigint;
  readonly process: SimProcess;
  readonly handler: PeerHandler;
  /** Hears a member that this one was not told of, and answers it from now on. True when it is new here. */
  readonly welcome: (id: bigint) => boolean;
  /** Members that this one knows to be removed: it tells them so in place of hearing them. */
  readonly isRemoved: (id: bigint) => boolean;
}

export interface Link {
  lastArrivalMs: number;
  freeAtMs: number;
  isBlocked: boolean;
  connectedSinceMs: number;
}

/** What carries between members, as a snapshot on its way sees it. */
export interface Road {
  readonly settings: NetworkSettings;
  readonly counts: FaultCounts;
  readonly isDisturbed: boolean;
  endpoint(id: bigint): Endpoint | undefined;
  link(from: bigint, to: bigint): Link;
}

export const MESSAGE_OVERHEAD_BYTES = 64;

export function sizeOf(message: Message): number {
  return message.entries.reduce((sum, entry) => sum + entry.data.length + 16, MESSAGE_OVERHEAD_BYTES);
}

const typeNames = Object.fromEntries(Object.entries(messageType).map(([name, type]) => [type, name]));

export function labelOf(message: Message): string {
  return `${typeNames[message.type]} ${message.term} ${message.index} ${message.entries.length} ${message.commit}`;
}
