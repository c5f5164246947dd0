/** Clusters of real processes whose links can be disturbed. */
export type { Admin } from "./admin.ts";
export { Cluster, type ClusterOptions, DEFAULT_ELECTION_TIMEOUT_MS } from "./cluster.ts";
export { type LinkFault, type LinkScope, Links } from "./links.ts";
export { type ClusterKind, Member } from "./member.ts";
export { patiently, until } from "./patience.ts";
