import { UsageError } from "../lib/errors.ts";
import type { Settings } from "./config-settings.ts";
import { comparableUrl, parseAdvertiseUrls, parseInitialCluster } from "./config-urls.ts";

/** One member as the flags name it. */
export interface InitialMember {
  readonly name: string;
  readonly peerUrls: readonly string[];
}

/** The members that the flags name, this one among them (etcd flags.md sections 1 and 2; issue 3, point 4). */
export interface InitialMembers {
  readonly self: InitialMember;
  /** In the order of the flags; `self` is one of them. */
  readonly members: readonly InitialMember[];
  /**
   * "new": all of them start together. "existing": this one was added to a cluster that the others form. Means
   * nothing once the data directory holds a member.
   */
  readonly state: "new" | "existing";
  /** Goes into the ids of a new cluster. */
  readonly token: string;
}

/** Throws UsageError for flags that contradict each other. */
export function initialMembersOf(settings: Settings): InitialMembers {
  const number = settings.isSet("id") ? settings.integer("id", { min: 1, max: 65_535 }) : undefined;
  const name = settings.isSet("name") || number === undefined ? settings.text("name") : String(number);
  const isByNumber = settings.isSet("cluster");
  const named = isByNumber ? membersByNumber(settings, name, number) : membersByName(settings, name);
  return { ...named, state: stateOf(settings), token: settings.text("initial-cluster-token") };
}

type Named = Pick<InitialMembers, "self" | "members">;

/**
 * --cluster: the n-th URL is member n. Its name is n, unless it is this member and has a --name. Where the numbers do
 * not fit, since a member between is gone, --initial-advertise-peer-urls tells which URL is this member's.
 */
function membersByNumber(settings: Settings, name: string, number: number | undefined): Named {
  if (settings.isSet("initial-cluster")) {
    throw new UsageError(
      `--cluster and ${settings.raw("initial-cluster").source} say the same thing twice`,
      "use one of them",
    );
  }
  const urls = parseAdvertiseUrls(settings.raw("cluster"));
  const position = ownPosition(settings, urls, number);
  const own = urls[position];
  if (own === undefined) {
    throw new UsageError(
      `--id=${position + 1} is not in --cluster, which has ${urls.length} ${urls.length === 1 ? "URL" : "URLs"}`,
      "the n-th URL of --cluster is member n",
    );
  }
  const self = { name, peerUrls: [own] };
  const members = urls.map((url, i) => (i === position ? self : { name: String(i + 1), peerUrls: [url] }));
  return { self, members };
}

function ownPosition(settings: Settings, urls: readonly string[], number: number | undefined): number {
  if (settings.isSet("initial-advertise-peer-urls")) {
    const advertised = parseAdvertiseUrls(settings.raw("initial-advertise-peer-urls"));
    const [own] = advertised;
    const found = own === undefined || advertised.length > 1 ? -1 : indexOfUrl(urls, own);
    if (found !== -1) return found;
    throw new UsageError(
      `--initial-advertise-peer-urls has ${advertised.join(",")} but missing from --cluster=${urls.join(",")}`,
      "with --cluster a member has one peer URL, and it is in the list",
    );
  }
  if (number === undefined && urls.length > 1) {
    throw new UsageError(
      `--cluster names ${urls.length} members, and nothing says which one this is`,
      "add --id=N: the n-th URL of --cluster is member n",
    );
  }
  return (number ?? 1) - 1;
}

function indexOfUrl(urls: readonly string[], wanted: string): number {
  return urls.findIndex((url) => comparableUrl(url) === comparableUrl(wanted));
}

function membersByName(settings: Settings, name: string): Named {
  const advertised = parseAdvertiseUrls(settings.raw("initial-advertise-peer-urls"));
  if (advertised.length === 0) {
    throw new UsageError(
      "--initial-advertise-peer-urls names no URL",
      "write --initial-advertise-peer-urls=http://THIS-HOST:2380",
    );
  }
  if (!settings.isSet("initial-cluster")) {
    const alone = { name, peerUrls: advertised };
    return { self: alone, members: [alone] };
  }
  const byName = parseInitialCluster(settings.raw("initial-cluster"));
  const own = byName.get(name);
  if (own === undefined) {
    throw new UsageError(
      `couldn't find local name ${JSON.stringify(name)} in the initial cluster configuration`,
      `add ${name}=${advertised[0] ?? "URL"} to --initial-cluster, or change --name`,
    );
  }
  const notAdvertised = own.filter((url) => indexOfUrl(advertised, url) === -1);
  if (notAdvertised.length > 0) {
    throw new UsageError(
      `--initial-cluster has ${notAdvertised.map((url) => `${name}=${url}`).join(",")} but missing from ` +
        `--initial-advertise-peer-urls=${advertised.join(",")}`,
      "give both the same URLs",
    );
  }
  const notInCluster = advertised.filter((url) => indexOfUrl(own, url) === -1);
  if (notInCluster.length > 0) {
    throw new UsageError(
      `--initial-advertise-peer-urls has ${notInCluster.join(",")} but missing from ` +
        `--initial-cluster=${own.map((url) => `${name}=${url}`).join(",")}`,
      "give both the same URLs",
    );
  }
  // The notation of --initial-cluster counts: it is what the others have too, and ids are made of it.
  const self = { name, peerUrls: own };
  const members = [...byName].map(([each, peerUrls]) => (each === name ? self : { name: each, peerUrls }));
  return { self, members };
}

function stateOf(settings: Settings): "new" | "existing" {
  const state = settings.choice("initial-cluster-state") === "existing" ? "existing" : "new";
  if (!settings.boolean("join")) return state;
  if (!settings.isSet("cluster") && !settings.isSet("initial-cluster")) {
    throw new UsageError(
      `${settings.raw("join").source} does not say which cluster to join`,
      "add --cluster with the peer URLs of all members, this one too, and --id",
    );
  }
  if (settings.isSet("initial-cluster-state") && state === "new") {
    throw new UsageError(
      `${settings.raw("join").source} and ${settings.raw("initial-cluster-state").source}=new contradict each other`,
      "leave out the one that is wrong",
    );
  }
  return "existing";
}
