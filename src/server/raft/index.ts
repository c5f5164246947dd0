/** Pure consensus: state in, messages out; no I/O, no clock. */
export * from "./types.ts";
