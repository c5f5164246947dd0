/** The member's loop: proposals and reads in, raft and the log in the middle, applied state out. */
export * from "./types.ts";
