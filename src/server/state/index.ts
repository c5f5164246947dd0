/** Deterministic application of the log to MVCC, leases and alarms. */
export * from "./command.ts";
export * from "./command-codec.ts";
