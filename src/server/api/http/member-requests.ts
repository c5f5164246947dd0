import type { Request, Response } from "express";
import type { Member } from "../../../codec/index.ts";
import { fromUtf8 } from "../../../lib/bytes.ts";
import { readBody } from "./body.ts";
import { acceptsJson, badRequest, HttpError, sendBody } from "./errors.ts";
import { joinCommand } from "./join-command.ts";
import type { KeyOperations } from "./key-operations.ts";
import { booleanOption, refuseUnknownOptions } from "./key-options.ts";
import { parseOptions, parseRequestTarget } from "./request-target.ts";

const peerUrlsBytesMax = 4_096;
/** What --id may be, but for its upper bound. */
const shortNumber = /^[1-9]\d{0,4}$/;

/**
 * Members over plain HTTP, as etcd's raft example has them (issue 3, point 10):
 *
 *   POST /4      body = peer URL, or several with commas     204: in; start it with --id 4 and --join
 *   POST /4?learner                                          the same, without a vote
 *   DELETE /4                                                204: the member of that name or id is out
 *
 * Keys have the same paths. A DELETE means the member only where nothing else can be meant: no request header or
 * option that belongs to keys, a member of exactly that name or id, and no key of that name as far back as history
 * goes, so that a DELETE of a key that is sent twice cannot cost a member. /v1/keys/4 is always the key.
 *
 * Both answer whether the request was for a member; it is answered then.
 */
export async function addsMember(
  operations: KeyOperations,
  corsOrigins: readonly string[],
  req: Request,
  res: Response,
): Promise<boolean> {
  const target = parseRequestTarget(req.originalUrl);
  const name = /^\/([1-9]\d{0,4})$/.exec(target?.path ?? "")?.[1];
  if (name === undefined || Number(name) > 65_535) return false;
  refuseForeignPage(req, corsOrigins);
  const options = parseOptions(target?.query ?? "");
  refuseUnknownOptions(options, ["learner"], "POST");
  const isLearner = booleanOption(options, "learner");
  const body = (await readBody(req, res, peerUrlsBytesMax)).toString("utf8").trim();
  if (body === "") {
    throw badRequest("the request's body names no peer URL", `curl ... -X POST -d http://10.0.0.4:2380`);
  }
  const taken = operations.members().find((member) => member.name === name);
  if (taken !== undefined) {
    throw conflict(
      `there is a member ${name} already (${hex(taken.id)})`,
      `DELETE /${name} removes it; a new member needs a number of its own`,
    );
  }
  const peerUrls = body.split(",").map((url) => url.trim());
  const { member, members } = await operations.memberAdd({ peerUrls, isLearner });
  const id = member?.id ?? 0n;
  res.setHeader("X-Metastore-Member", hex(id));
  if (acceptsJson(req)) {
    res.statusCode = 201;
    const command = joinCommand(name, id, members);
    sendBody(
      res,
      "application/json",
      `${JSON.stringify({ id: hex(id), name, peerUrls, isLearner, command })}\n`,
    );
  } else {
    res.statusCode = 204;
    res.end();
  }
  return true;
}

/** Whether the request was for a member; it is answered then. */
export async function removesMember(
  operations: KeyOperations,
  req: Request,
  res: Response,
): Promise<boolean> {
  const target = parseRequestTarget(req.originalUrl);
  const text = /^\/([0-9A-Fa-f]{1,20})$/.exec(target?.path ?? "")?.[1];
  if (text === undefined || target?.query !== "" || hasConditions(req)) return false;
  const members = operations.members();
  const found = members.filter((member) => isMeant(member, text));
  const unstarted = shortNumber.test(text) ? members.filter(({ name }) => name === "") : [];
  const [member] = found;
  if (member === undefined && unstarted.length === 0) return false;
  const change = await operations.lastChange(fromUtf8(text));
  if (change?.isRemoval === false) return false;
  if (member === undefined) throw notStarted(text, unstarted);
  if (change !== undefined) {
    throw conflict(
      `${text} was a key until revision ${change.revision}, and is a member: which one to remove is not clear`,
      `DELETE /v1/keys/${text} means the key, metastore member remove ${hex(member.id)} the member`,
    );
  }
  if (found.length > 1) {
    throw conflict(
      `${text} names ${found.length} members: ${found.map(({ id }) => hex(id)).join(", ")}`,
      "name one by metastore member remove ID",
    );
  }
  await operations.memberRemove(member.id);
  res.setHeader("X-Metastore-Member", hex(member.id));
  res.statusCode = 204;
  res.end();
  return true;
}

/** By the number that --id gave it, or by its id in hexadecimal, as tools print it, or in decimal, as JSON has it. */
function isMeant({ id, name }: Member, text: string): boolean {
  return (
    (shortNumber.test(text) && name === text) || hex(id) === text.toLowerCase() || id.toString() === text
  );
}

function hasConditions({ headers }: Request): boolean {
  return headers["if-match"] !== undefined || headers["if-none-match"] !== undefined;
}

/**
 * A web page can send a POST anywhere without asking first, unlike PUT and DELETE; browsers say where it comes from.
 */
function refuseForeignPage({ headers: { origin } }: Request, corsOrigins: readonly string[]): void {
  if (origin === undefined || corsOrigins.includes("*") || corsOrigins.includes(origin)) return;
  throw new HttpError({
    status: 403,
    code: "PERMISSION_DENIED",
    message: `pages of ${JSON.stringify(origin)} may not add members`,
    hint: "start the server with --cors to allow an origin",
  });
}

/** The cluster learns a member's number when it starts; before that it has its id only. */
function notStarted(text: string, unstarted: readonly Member[]): HttpError {
  const ids = unstarted.map(({ id, peerUrls }) => `${hex(id)} (${peerUrls.join(",")})`);
  return new HttpError({
    status: 404,
    code: "NOT_FOUND",
    message: `there is neither a key ${text} nor a member ${text}`,
    hint: `members that were added and have not started are removed by their id: ${ids.join(", ")}`,
  });
}

function conflict(message: string, hint: string): HttpError {
  return new HttpError({ status: 409, code: "FAILED_PRECONDITION", message, hint });
}

function hex(id: bigint): string {
  return id.toString(16);
}
