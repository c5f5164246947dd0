import { assert } from "../../lib/assert.ts";
import type { Log } from "../../lib/log.ts";
import type { Prng } from "../../lib/prng.ts";
import type { StableLog } from "./memory-log.ts";
import { createRaftLogger, type RaftLogger } from "./raft-logger.ts";
import { type ConfState, type HardState, LOCAL_APPEND, LOCAL_APPLY, NONE } from "./types.ts";

/**
 * How reads are confirmed. safe: a round of heartbeats to a quorum. leaseBased: by the clock alone, which needs
 * checkQuorum and clocks that drift little.
 */
export const readOnlyOption = { safe: "safe", leaseBased: "leaseBased" } as const;
export type ReadOnlyOption = (typeof readOnlyOption)[keyof typeof readOnlyOption];

export interface RaftConfig {
  readonly id: bigint;
  /** Ticks without a leader before an election; drawn anew from [electionTicks, 2 x electionTicks) each time. */
  readonly electionTicks: number;
  readonly stableLog: StableLog;
  /** As found on disk: the hard state, and the configuration of the snapshot that the log starts behind. */
  readonly hardState: HardState;
  readonly confState: ConfState;
  /** Bytes of entries handed out to apply and not yet applied. */
  readonly applyBytesMax: number;
  /** Bytes proposed and not yet applied beyond which proposals are dropped. */
  readonly uncommittedBytesMax: number;
  readonly prng: Prng;
  readonly log: Log;

  /** Ticks between heartbeats of a leader; 1 when absent. */
  readonly heartbeatTicks?: number;
  /** Last applied entry, when that is later than the snapshot that the log starts behind. */
  readonly applied?: number;
  /** Ask whether an election could be won before it disturbs anybody (Raft thesis 9.6); off when absent. */
  readonly preVote?: boolean;
  /** A leader that hears of no quorum steps down; a member with a leader ignores elections; off when absent. */
  readonly checkQuorum?: boolean;
  readonly readOnly?: ReadOnlyOption;
  /** Bytes of entries in one append to a peer, which has at least one; 1 MiB when absent. */
  readonly maxSizePerMessage?: number;
  /** Appends on their way to one peer, by count and, softly, by bytes; 512 and no limit when absent. */
  readonly inflightMessagesMax?: number;
  readonly inflightBytesMax?: number;
  /** A leader that is removed or made a learner stops leading at once; off when absent. */
  readonly stepDownOnRemoval?: boolean;
  /** A follower drops proposals instead of sending them to the leader; off when absent. */
  readonly disableProposalForwarding?: boolean;
  /** Every membership change enters the log: the caller sees to it that they fit; off when absent. */
  readonly disableConfChangeValidation?: boolean;
  /** See Ready; on when absent. */
  readonly asyncStorageWrites?: boolean;
  /**
   * Entries and commit indexes go to the peers once per Ready instead of once per proposal and answer; on when
   * absent. Off, messages are those of raft-core-spec one by one, as the traces want them.
   */
  readonly coalesceAppends?: boolean;
  /** In place of `log`. */
  readonly logger?: RaftLogger;
}

/** A RaftConfig with nothing left open. */
export type RaftSettings = Required<RaftConfig>;

/** Throws AssertionError for what cannot work (raft-core-spec section 2). */
export function resolveConfig(config: RaftConfig): RaftSettings {
  const settings: RaftSettings = {
    heartbeatTicks: 1,
    applied: 0,
    preVote: false,
    checkQuorum: false,
    readOnly: readOnlyOption.safe,
    maxSizePerMessage: 1_048_576,
    inflightMessagesMax: 512,
    inflightBytesMax: Number.POSITIVE_INFINITY,
    stepDownOnRemoval: false,
    disableProposalForwarding: false,
    disableConfChangeValidation: false,
    asyncStorageWrites: true,
    coalesceAppends: true,
    logger: createRaftLogger(config.log),
    ...config,
  };
  assert(settings.id !== NONE, "a member id must not be 0: cannot use none as id");
  assert(settings.id !== LOCAL_APPEND && settings.id !== LOCAL_APPLY, "cannot use local target as id");
  assert(settings.heartbeatTicks > 0, "heartbeat tick must be greater than 0");
  assert(
    settings.electionTicks > settings.heartbeatTicks,
    "election tick must be greater than heartbeat tick",
  );
  assert(settings.inflightMessagesMax > 0, "max inflight messages must be greater than 0");
  assert(
    settings.inflightBytesMax >= settings.maxSizePerMessage,
    "max inflight bytes must be >= max message size",
  );
  assert(
    settings.readOnly !== readOnlyOption.leaseBased || settings.checkQuorum,
    "CheckQuorum must be enabled when ReadOnlyOption is ReadOnlyLeaseBased",
  );
  return settings;
}
