/** Clusters on this computer, for trying things out: members as child processes that leave nothing behind. */
export { LocalCluster, type LocalClusterOptions } from "./local-cluster.ts";
export type { MemberProcess, ProcessEnd, Program } from "./member-process.ts";
