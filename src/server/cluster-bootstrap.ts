import type { Member } from "../codec/index.ts";
import { UsageError } from "../lib/errors.ts";
import type { InitialMember, InitialMembers } from "./config-members.ts";
import { comparableUrl } from "./config-urls.ts";
import { clusterIdOf, memberIdOf } from "./identity.ts";
import { type ConfChange, confChangeType } from "./raft/index.ts";
import { encodePeerUrls } from "./state/index.ts";
import type { MemberIdentity } from "./storage/index.ts";

/** A cluster as one of its members describes it (GET /members on a peer URL). */
export interface RemoteCluster {
  readonly clusterId: bigint;
  readonly members: readonly Member[];
}

/** Asks the peer URLs one after the other until a member answers. Rejects when none does. */
export type FetchMembers = (peerUrls: readonly string[]) => Promise<RemoteCluster>;

/** How a member begins. */
export type ClusterStart =
  /** Its data directory knows who it is and, from its log, who the others are; the flags do not count. */
  | { readonly kind: "restart"; readonly identity: MemberIdentity }
  /** One of the first members: its log begins with `changes`, which are the same bytes on all of them. */
  | {
      readonly kind: "bootstrap";
      readonly identity: MemberIdentity;
      readonly changes: readonly ConfChange[];
      /** All members, this one too, in order of id. */
      readonly members: readonly MemberAddress[];
    }
  /** Added to a cluster that runs: its log is empty until the leader fills it. */
  | {
      readonly kind: "join";
      readonly identity: MemberIdentity;
      readonly members: readonly MemberAddress[];
    };

export interface MemberAddress {
  readonly id: bigint;
  readonly peerUrls: readonly string[];
}

/**
 * Decides how this member begins (etcd semantics-cluster A1 and A3). Throws UsageError when the flags do not fit the
 * cluster, when nobody can be asked who must be, and when this member has been in the cluster before: one that comes
 * back without its data has forgotten what it promised, and must be replaced.
 */
export async function decideClusterStart(options: {
  readonly initial: InitialMembers;
  /** What the data directory says; undefined while it is new. */
  readonly onDisk: MemberIdentity | undefined;
  readonly fetchMembers: FetchMembers;
}): Promise<ClusterStart> {
  const { initial, onDisk, fetchMembers } = options;
  if (onDisk !== undefined) return { kind: "restart", identity: onDisk };
  const othersUrls = initial.members
    .filter((member) => member !== initial.self)
    .flatMap(({ peerUrls }) => peerUrls)
    .sort();
  return initial.state === "new"
    ? bootstrap(initial, othersUrls, fetchMembers)
    : join(initial, othersUrls, fetchMembers);
}

/** Who the members of a new cluster are, in order of id, and which of them is this one. */
export function newClusterOf(initial: InitialMembers): {
  readonly identity: MemberIdentity;
  readonly members: readonly MemberAddress[];
} {
  const members = initial.members
    .map(({ peerUrls }) => ({ id: memberIdOf(peerUrls, initial.token), peerUrls: [...peerUrls].sort() }))
    .sort((left, right) => (left.id < right.id ? -1 : 1));
  const identity = {
    memberId: memberIdOf(initial.self.peerUrls, initial.token),
    clusterId: clusterIdOf(members.map(({ id }) => id)),
  };
  return { identity, members };
}

async function bootstrap(
  initial: InitialMembers,
  othersUrls: readonly string[],
  fetchMembers: FetchMembers,
): Promise<ClusterStart> {
  const { identity, members } = newClusterOf(initial);
  if (othersUrls.length > 0) {
    // That nobody answers is how a cluster begins.
    const remote = await fetchMembers(othersUrls).catch(() => undefined);
    if (remote !== undefined) refuseSecondBootstrap(remote, identity);
  }
  const changes = members.map(({ id, peerUrls }) => ({
    type: confChangeType.addNode,
    nodeId: id,
    context: encodePeerUrls(peerUrls),
  }));
  return { kind: "bootstrap", identity, changes, members };
}

function refuseSecondBootstrap(remote: RemoteCluster, { memberId, clusterId }: MemberIdentity): void {
  if (remote.clusterId !== clusterId) {
    throw new UsageError(
      `the members that this one is told of already form the cluster ${hex(remote.clusterId)}; its flags make ` +
        `the cluster ${hex(clusterId)} (cluster ID mismatch)`,
      "To join: metastore member add, then start with --join or --initial-cluster-state=existing. To start anew: " +
        "the same members and --initial-cluster-token on all of them, with empty data directories.",
    );
  }
  const self = remote.members.find(({ id }) => id === memberId);
  if (self !== undefined && hasStarted(self)) throw startedBefore(self);
}

async function join(
  initial: InitialMembers,
  othersUrls: readonly string[],
  fetchMembers: FetchMembers,
): Promise<ClusterStart> {
  if (othersUrls.length === 0) {
    throw new UsageError(
      "--initial-cluster-state=existing, but no other member is named and the data directory holds no member",
      "Name all members in --initial-cluster or --cluster, or name the --data-dir of the member; to start a new " +
        "cluster leave the flag out.",
    );
  }
  let remote: RemoteCluster;
  try {
    remote = await fetchMembers(othersUrls);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(
      `could not retrieve cluster information from the given URLs (${othersUrls.join(",")}): ${reason}`,
      "At least one other member must run and be reached at its peer URL.",
    );
  }
  checkSameMembers(initial.members, remote.members);
  const self = remote.members.find((member) => haveSameUrls(member, initial.self));
  if (self === undefined) throw new Error("each member of equal lists is found in both");
  if (hasStarted(self)) throw startedBefore(self);
  return {
    kind: "join",
    identity: { memberId: self.id, clusterId: remote.clusterId },
    members: remote.members.map(({ id, peerUrls }) => ({ id, peerUrls })),
  };
}

/** The flags and the cluster must name the same members, told apart by their peer URLs. */
function checkSameMembers(named: readonly InitialMember[], existing: readonly Member[]): void {
  const hint =
    "Name exactly the members that `metastore member list` shows, with their peer URLs spelled the same way; " +
    "a new one comes in by `metastore member add` first.";
  const missing = named.filter((member) => !existing.some((other) => haveSameUrls(member, other)));
  const unnamed = existing.filter((member) => !named.some((other) => haveSameUrls(member, other)));
  const problems = [
    ...missing.map(({ peerUrls }) => `no member of the cluster has ${peerUrls.join(",")}`),
    ...unnamed.map(({ id, peerUrls }) => `the flags do not name member ${hex(id)} (${peerUrls.join(",")})`),
  ];
  if (named.length !== existing.length) {
    throw new UsageError(
      `member count is unequal: the flags name ${named.length}, the cluster has ${existing.length}` +
        (problems.length === 0 ? "" : `; ${problems.join("; ")}`),
      hint,
    );
  }
  if (problems.length > 0) throw new UsageError(`unmatched member: ${problems.join("; ")}`, hint);
}

function haveSameUrls(
  left: { readonly peerUrls: readonly string[] },
  right: { readonly peerUrls: readonly string[] },
): boolean {
  const normal = ({ peerUrls }: { readonly peerUrls: readonly string[] }) =>
    peerUrls.map(comparableUrl).sort().join("\n");
  return normal(left) === normal(right);
}

/** A member tells its name and client URLs once it serves. */
function hasStarted({ name, clientUrls }: Member): boolean {
  return name !== "" || clientUrls.length > 0;
}

function startedBefore({ id, peerUrls }: Member): UsageError {
  return new UsageError(
    `member ${hex(id)} has already been bootstrapped, and the data directory does not hold its data`,
    `Name its --data-dir. If the data is lost: metastore member remove ${hex(id)}, then metastore member add with ` +
      `--peer-urls ${peerUrls.join(",")}, and start with --initial-cluster-state=existing.`,
  );
}

function hex(id: bigint): string {
  return id.toString(16);
}
