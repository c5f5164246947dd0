import type { Member } from "../client/index.ts";
import { UsageError } from "../lib/errors.ts";
import { CommandError, exitCode } from "./exit-codes.ts";
import { type JsonRecord, toHexId } from "./record.ts";

/**
 * The member that a person means: by its hexadecimal id as member list prints it, or by its name.
 *
 * @throws CommandError when there is none, UsageError when there are several
 */
export function findMember(members: readonly Member[], text: string): Member {
  const id = /^(?:0x)?([0-9a-f]{1,16})$/i.exec(text)?.[1];
  const found = members.filter(
    (member) =>
      (text !== "" && member.name === text) || (id !== undefined && member.id === BigInt(`0x${id}`)),
  );
  if (found.length > 1) {
    throw new UsageError(
      `${JSON.stringify(text)} names ${found.length} members: ${found.map(({ id }) => toHexId(id)).join(", ")}`,
      "give the id that metastore member list shows",
    );
  }
  if (found[0] !== undefined) return found[0];
  throw new CommandError(
    "NOT_FOUND",
    exitCode.notFound,
    `no member has the id or name ${JSON.stringify(text)}`,
    "metastore member list shows ids and names",
  );
}

/** For sentences: "n1 (8e9e05c52164694d)", or the id alone of a member that has not told its name yet. */
export function memberLabel({ id, name }: Member): string {
  return name === "" ? toHexId(id) : `${name} (${toHexId(id)})`;
}

/** A member tells its name when it serves for the first time. */
export function hasStarted({ name }: Member): boolean {
  return name !== "";
}

/** The record of a member in JSON output. */
export function toMemberRecord(member: Member): JsonRecord {
  return {
    id: toHexId(member.id),
    name: member.name,
    started: hasStarted(member),
    learner: member.isLearner,
    peerUrls: member.peerUrls,
    clientUrls: member.clientUrls,
  };
}

/**
 * Peer URLs of a command line, separated by commas.
 *
 * @throws UsageError when one is no URL that members could be reached by
 */
export function parsePeerUrls(text: string): string[] {
  const urls = text
    .split(",")
    .map((url) => url.trim())
    .filter((url) => url !== "");
  const wrong = urls.find((url) => !/^https?:\/\/[^/?#@\s]+:\d{1,5}$/.test(url));
  if (wrong !== undefined || urls.length === 0) {
    throw new UsageError(
      `--peer-urls: ${JSON.stringify(wrong ?? text)} is no URL of the form http://HOST:PORT`,
      "give the address at which the other members will find it, such as http://10.0.0.4:2380",
    );
  }
  return urls;
}
