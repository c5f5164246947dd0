import type { IncomingHttpHeaders } from "node:http";
import { hexId, parsePeerUrls, readIdentity } from "./headers.ts";
import type { PeerIdentity } from "./types.ts";

export type DoorAnswer =
  | { readonly isWelcome: true; readonly from: bigint }
  | {
      readonly isWelcome: false;
      readonly status: 400 | 404 | 410 | 412;
      readonly text: string;
      /** Who it says it is, for the log. */
      readonly from: bigint | undefined;
      readonly peerUrls: string;
    };

/** The status that tells a member that it was removed. */
export const REMOVED_STATUS = 410;

/**
 * Whether the sender of a request may talk to this member: the same cluster, a version that gets on with ours, meant
 * for us, and a peer (etcd http.md section 6). `isPeer`: one of the members to reach now, or a member that is to be taken
 * for one; it gets the peer URLs that the sender names, those that are URLs.
 */
export function checkDoor(
  headers: IncomingHttpHeaders,
  self: PeerIdentity,
  serverVersion: string,
  isPeer: (id: bigint, peerUrls: readonly string[]) => boolean,
  isRemoved: (id: bigint) => boolean,
): DoorAnswer {
  const { clusterId, from, to, version, peerUrls } = readIdentity(headers);
  const refuse = (status: 400 | 404 | 410 | 412, text: string): DoorAnswer => ({
    isWelcome: false,
    status,
    text,
    from,
    peerUrls,
  });
  if (clusterId === undefined || from === undefined || to === undefined) {
    return refuse(400, "a request between members names its cluster, its sender and its receiver");
  }
  if (clusterId !== self.clusterId) {
    return refuse(
      412,
      `cluster ID mismatch: this member is of cluster ${hexId(self.clusterId)}, not ${hexId(clusterId)}`,
    );
  }
  if (majorOf(version) !== majorOf(serverVersion)) {
    const named = version.slice(0, 20);
    return refuse(
      412,
      `incompatible version: this member runs ${serverVersion}, not ${JSON.stringify(named)}`,
    );
  }
  if (to !== self.memberId) {
    return refuse(412, `to field mismatch: this is member ${hexId(self.memberId)}, not ${hexId(to)}`);
  }
  if (isRemoved(from)) {
    return refuse(REMOVED_STATUS, `the member ${hexId(from)} has been permanently removed from the cluster`);
  }
  if (!isPeer(from, parsePeerUrls(peerUrls)))
    return refuse(404, `the sender ${hexId(from)} is no member that is known here`);
  return { isWelcome: true, from };
}

/** The major version of "X.Y.Z"; undefined when the text is no version. */
function majorOf(version: string): string | undefined {
  return /^(\d{1,4})\.\d{1,4}\.\d{1,9}(?:-[\w.]{1,32})?$/.exec(version)?.[1];
}
