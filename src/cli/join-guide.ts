import type { AddedMember, Member } from "../client/index.ts";
import { toHexId } from "./record.ts";

/** What an added member is to be started with: the variables that etcdctl prints, and our own command line. */
export interface JoinGuide {
  readonly environment: Readonly<Record<string, string>>;
  readonly command: string;
}

/** @param name the name that the new member will have; the cluster learns it when the member starts */
export function joinGuide(added: AddedMember, name: string): JoinGuide {
  const nameOf = (member: Member): string => {
    if (member.id === added.member.id) return name;
    // Members are told apart by their URLs; one that has not started yet has no name to write.
    return member.name === "" ? toHexId(member.id) : member.name;
  };
  const initialCluster = added.members
    .flatMap((member) => member.peerUrls.map((url) => `${nameOf(member)}=${url}`))
    .join(",");
  const peerUrls = added.member.peerUrls.join(",");
  return {
    environment: {
      ETCD_NAME: name,
      ETCD_INITIAL_CLUSTER: initialCluster,
      ETCD_INITIAL_ADVERTISE_PEER_URLS: peerUrls,
      ETCD_INITIAL_CLUSTER_STATE: "existing",
    },
    command: [
      "metastore serve",
      `--name ${shellWord(name)}`,
      `--initial-advertise-peer-urls ${shellWord(peerUrls)}`,
      `--initial-cluster ${shellWord(initialCluster)}`,
      "--initial-cluster-state existing",
    ].join(" "),
  };
}

/** As one word of a POSIX shell. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
