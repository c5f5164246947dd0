/** The way to the other members over sockets: PeerNetwork of the node floor, and what GET /members tells who joins. */
export { type ClusterMembers, fetchMembers } from "./fetch-members.ts";
export { type PeerLimits, peerLimits } from "./limits.ts";
export { createPeerNetwork, type SocketPeerNetwork } from "./network.ts";
export * from "./types.ts";
