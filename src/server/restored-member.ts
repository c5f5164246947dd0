import type { Member } from "../codec/index.ts";
import { UsageError } from "../lib/errors.ts";
import type { InitialMember, InitialMembers } from "./config-members.ts";
import { comparableUrl } from "./config-urls.ts";

/**
 * A restored member starts for the first time: the flags must tell of the members that the restore was told of. A
 * mistake would be found late otherwise, as members that are silent, or as three clusters in place of one. A member
 * that was restored alone and is started alone may be started with any flags. Throws UsageError.
 */
export function refuseOtherMembers(
  initial: InitialMembers,
  memberId: bigint,
  restored: readonly Member[],
): void {
  if (initial.members.length === 1 && restored.length === 1) return;
  const self = restored.find(({ id }) => id === memberId);
  const isSame = urlsOf(initial.members) === urlsOf(restored);
  if (isSame && self !== undefined && urlsOf([initial.self]) === urlsOf([self])) return;
  const wanted = restored.map(({ peerUrls }) => peerUrls.join(",")).join("; ");
  throw new UsageError(
    `the data directory was restored as the member at ${self?.peerUrls.join(",") ?? "(none)"} of a cluster at ` +
      `${wanted}; the flags say that it is at ${initial.self.peerUrls.join(",")} of a cluster at ` +
      `${initial.members.map(({ peerUrls }) => peerUrls.join(",")).join("; ")}`,
    "Start it with the --name, --initial-cluster and --initial-advertise-peer-urls that metastore snapshot restore " +
      "had, or name the --data-dir that was restored for this member.",
  );
}

function urlsOf(members: readonly Pick<InitialMember, "peerUrls">[]): string {
  return members
    .map(({ peerUrls }) => peerUrls.map(comparableUrl).sort().join(","))
    .sort()
    .join("\n");
}
