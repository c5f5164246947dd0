/** Pure consensus: state in, messages out; no I/O, no clock. */
export * from "./conf-change.ts";
export { type RaftConfig, type ReadOnlyOption, readOnlyOption } from "./config.ts";
export { MemoryLog, type StableLog } from "./memory-log.ts";
export { type ProgressState, progressState } from "./progress.ts";
export { createRaftLogger, type RaftLogger } from "./raft-logger.ts";
export { RawNode, type StepError, stepError } from "./raw-node.ts";
export type { PeerStatus, RaftStatus } from "./status.ts";
export * from "./types.ts";
