/** Deterministic application of the log to MVCC, leases and alarms. */
export * from "./backup-note.ts";
export * from "./command.ts";
export * from "./command-codec.ts";
export * from "./member-change.ts";
export type { Membership, MembershipState } from "./membership.ts";
export * from "./state-chunk.ts";
export * from "./state-machine.ts";
