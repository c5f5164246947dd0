import { UsageError } from "../lib/errors.ts";
import { type InitialMembers, initialMembersOf } from "./config-members.ts";
import type { Settings } from "./config-settings.ts";
import {
  comparableUrl,
  type ListenAddress,
  parseAdvertisedListeners,
  parseListenUrls,
} from "./config-urls.ts";

/** The cluster as this member is told of it, and how it speaks with the others. */
export interface PeerConfig extends InitialMembers {
  /** At least one: a member listens for others even when it is alone, since one may be added. */
  readonly listeners: readonly ListenAddress[];
  /** Undefined: this member has no certificate, and listens without TLS. */
  readonly tls: PeerTlsFiles | undefined;
  /** Refuse changes of members that would cost the quorum (--strict-reconfig-check). */
  readonly isStrictReconfig: boolean;
  readonly learnersMax: number;
  readonly isPreVote: boolean;
  /** Spare a member that starts most of its first election time-out (--initial-election-tick-advance). */
  readonly isElectionTickAdvanced: boolean;
  /** Entries kept behind a snapshot for members that are a little behind. */
  readonly snapshotCatchUpEntries: number;
}

/** Paths of PEM files. */
export interface PeerTlsFiles {
  /** Presented to members that come and to those that this one dials. */
  readonly certFile: string;
  readonly keyFile: string;
  /** The authority of all members' certificates; undefined: those that Node trusts. */
  readonly trustedCaFile: string | undefined;
  /** Whoever connects must present a certificate that the authority signed. */
  readonly isClientCertRequired: boolean;
}

/** Throws UsageError for what contradicts itself. */
export function peerConfigOf(settings: Settings, warnings: string[]): PeerConfig {
  const initial = initialMembersOf(settings);
  const listeners = listenersOf(settings, initial, warnings);
  return {
    ...initial,
    listeners,
    tls: tlsOf(settings, initial, listeners, warnings),
    isStrictReconfig: settings.boolean("strict-reconfig-check"),
    learnersMax: settings.integer("max-learners", { min: 1, max: 1_000 }),
    isPreVote: settings.boolean("pre-vote"),
    isElectionTickAdvanced: settings.boolean("initial-election-tick-advance"),
    snapshotCatchUpEntries: settings.integer("snapshot-catchup-entries", {
      min: 0,
      max: Number.MAX_SAFE_INTEGER,
    }),
  };
}

/** Without --listen-peer-urls a member listens where it says it is; without any flag that is etcd's default too. */
function listenersOf(settings: Settings, { self }: InitialMembers, warnings: string[]): ListenAddress[] {
  if (!settings.isSet("listen-peer-urls")) return parseAdvertisedListeners(self.peerUrls);
  const listeners = parseListenUrls(settings.raw("listen-peer-urls"));
  if (listeners.length === 0) {
    throw new UsageError(
      "--listen-peer-urls names no URL",
      "write --listen-peer-urls=http://localhost:2380; another member could not be added otherwise",
    );
  }
  const isAdvertiseGiven = ["initial-advertise-peer-urls", "cluster", "initial-cluster"].some((name) =>
    settings.isSet(name),
  );
  const listened = new Set(listeners.map(({ url }) => comparableUrl(url)));
  if (!isAdvertiseGiven && !self.peerUrls.some((url) => listened.has(comparableUrl(url)))) {
    warnings.push(
      `other members are told to find this one at ${self.peerUrls.join(",")}, where it does not listen; ` +
        "add --initial-advertise-peer-urls before a member is added",
    );
  }
  return listeners;
}

function tlsOf(
  settings: Settings,
  { members }: InitialMembers,
  listeners: readonly ListenAddress[],
  warnings: string[],
): PeerTlsFiles | undefined {
  const certFile = settings.text("peer-cert-file");
  const keyFile = settings.text("peer-key-file");
  const caFile = settings.text("peer-trusted-ca-file");
  if ((certFile === "") !== (keyFile === "")) {
    throw new UsageError(
      "--peer-cert-file and --peer-key-file belong together",
      `add ${certFile === "" ? "--peer-cert-file" : "--peer-key-file"}`,
    );
  }
  if (settings.boolean("peer-client-cert-auth") && caFile === "") {
    throw new UsageError(
      "--peer-client-cert-auth needs the CA that signs the members' certificates",
      "add --peer-trusted-ca-file",
    );
  }
  const secureListener = listeners.find((at) => at.isTls);
  if (secureListener !== undefined && certFile === "") {
    throw new UsageError(
      "TLS key/cert (--peer-cert-file, --peer-key-file) must be provided for peer url " +
        `${secureListener.url} with HTTPS scheme`,
      "add --peer-cert-file and --peer-key-file, or listen on http://",
    );
  }
  if (certFile === "" && caFile !== "") {
    throw new UsageError(
      "--peer-trusted-ca-file is given without a certificate of this member",
      "add --peer-cert-file and --peer-key-file",
    );
  }
  if (certFile === "") return undefined;
  const isSecure =
    secureListener !== undefined ||
    members.some(({ peerUrls }) => peerUrls.some((url) => url.startsWith("https:")));
  if (!isSecure) {
    warnings.push("a peer certificate is given but no peer URL has https: peer traffic is not encrypted");
    return undefined;
  }
  return {
    certFile,
    keyFile,
    trustedCaFile: caFile === "" ? undefined : caFile,
    // As with the flags for clients, an authority is given to be used.
    isClientCertRequired: caFile !== "",
  };
}
