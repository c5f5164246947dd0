import { type Compare, compareResult, compareTarget } from "../../../codec/index.ts";
import { type ByteString, EMPTY } from "../../../lib/bytes.ts";
import { badRequest, HttpError } from "./errors.ts";

/** The conditional headers of a request (RFC 9110, section 13). */
export interface ConditionHeaders {
  readonly "if-match"?: string | undefined;
  readonly "if-none-match"?: string | undefined;
}

/** The entity tag of a key: its mod revision, which never names two values of one key. */
export function entityTag(modRevision: number): string {
  return `"${modRevision}"`;
}

/**
 * The comparisons that make a write conditional; empty when it is unconditional. A tag that this server cannot
 * have issued fails the condition at once (412). Lists of tags are refused (400): one transaction cannot say "or".
 */
export function conditionsOf(key: ByteString, headers: ConditionHeaders): Compare[] {
  const conditions: Compare[] = [];
  const match = headers["if-match"]?.trim();
  if (match === "*") conditions.push(modCompare(key, compareResult.notEqual, 0));
  else if (match !== undefined) conditions.push(modCompare(key, compareResult.equal, issuedRevision(match)));
  const noneMatch = headers["if-none-match"]?.trim();
  if (noneMatch === "*") conditions.push(modCompare(key, compareResult.equal, 0));
  else if (noneMatch !== undefined) {
    const revision = revisionOfTag(noneMatch);
    if (revision !== undefined) conditions.push(modCompare(key, compareResult.notEqual, revision));
  }
  return conditions;
}

/** Whether If-None-Match names the value that is there: a read answers 304 then. */
export function isUnchanged(noneMatch: string | undefined, modRevision: number): boolean {
  if (noneMatch === undefined) return false;
  const tags = noneMatch.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes("*") || tags.includes(entityTag(modRevision));
}

export function preconditionFailed(): HttpError {
  return new HttpError({
    status: 412,
    code: "FAILED_PRECONDITION",
    message: "the condition of If-Match or If-None-Match does not hold",
    hint: "GET the key, look at its ETag, and try again with that",
  });
}

function issuedRevision(tag: string): number {
  const revision = revisionOfTag(tag);
  if (revision === undefined) throw preconditionFailed();
  return revision;
}

function revisionOfTag(tag: string): number | undefined {
  if (tag.includes(",")) {
    throw badRequest("only one entity tag can be compared", 'write If-Match: "REVISION", one tag in quotes');
  }
  const digits = /^"([1-9]\d{0,15})"$/.exec(tag)?.[1];
  if (digits === undefined) {
    if (/^(?:W\/)?"[^"]*"$/.test(tag)) return undefined;
    throw badRequest(
      `${JSON.stringify(tag)} is no entity tag`,
      'write If-Match: "REVISION", in double quotes',
    );
  }
  const revision = Number(digits);
  return Number.isSafeInteger(revision) ? revision : undefined;
}

function modCompare(key: ByteString, result: number, modRevision: number): Compare {
  return {
    result,
    target: compareTarget.mod,
    key,
    rangeEnd: EMPTY,
    union: { case: "modRevision", value: modRevision },
  };
}
