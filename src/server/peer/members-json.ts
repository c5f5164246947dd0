import type { Member } from "../../codec/index.ts";
import { DecodeError } from "../../lib/errors.ts";

const UINT64_MAX = 2n ** 64n - 1n;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** GET /members as etcd writes it: ids as JSON numbers, exact beyond 2^53 (etcd http.md section 6). */
export function encodeMembers(members: readonly Member[]): string {
  return `[${members.map(encodeMember).join(",")}]\n`;
}

function encodeMember(member: Member): string {
  const rest = JSON.stringify({
    peerURLs: member.peerUrls,
    name: member.name,
    clientURLs: member.clientUrls,
    ...(member.isLearner ? { isLearner: true } : {}),
  });
  return `{"id":${member.id},${rest.slice(1)}`;
}

/** Throws DecodeError for what is no such array. Names and client URLs may be missing: unstarted members have none. */
export function decodeMembers(text: string): Member[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(withExactNumbers(text));
  } catch {
    throw new DecodeError("the list of members is no JSON");
  }
  if (!Array.isArray(parsed)) throw new DecodeError("the list of members is no array");
  return parsed.map(decodeMember);
}

function decodeMember(value: unknown): Member {
  if (typeof value !== "object" || value === null) throw new DecodeError("a member is no object");
  const fields = new Map(Object.entries(value));
  const id = digitsOf(fields.get("id"));
  if (id === undefined || id.length > 20) throw new DecodeError("a member has no id");
  const exact = BigInt(id);
  if (exact === 0n || exact > UINT64_MAX) throw new DecodeError(`${id} is no member id`);
  const name = fields.get("name") ?? "";
  const isLearner = fields.get("isLearner") ?? false;
  if (typeof name !== "string" || typeof isLearner !== "boolean") {
    throw new DecodeError(`member ${id} has a name or a flag of another type`);
  }
  return {
    id: exact,
    name,
    peerUrls: texts(fields.get("peerURLs")),
    clientUrls: texts(fields.get("clientURLs")),
    isLearner,
  };
}

function digitsOf(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null || !("digits" in value)) return undefined;
  return typeof value.digits === "string" && /^\d+$/.test(value.digits) ? value.digits : undefined;
}

function texts(value: unknown): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new DecodeError("a list of URLs is no array");
  return value.map((url: unknown) => {
    if (typeof url !== "string") throw new DecodeError("a URL is no text");
    return url;
  });
}

/**
 * JSON.parse would round ids, so each run of digits outside of texts becomes an object that holds it as text. One
 * pass, whatever comes.
 */
function withExactNumbers(text: string): string {
  const pieces: string[] = [];
  let from = 0;
  let isInText = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) isInText = !isInText;
    else if (isInText) {
      if (code === BACKSLASH) at++;
    } else if (isDigit(code)) {
      let end = at + 1;
      while (isDigit(text.charCodeAt(end))) end++;
      pieces.push(text.slice(from, at), `{"digits":"${text.slice(at, end)}"}`);
      from = end;
      at = end - 1;
    }
  }
  pieces.push(text.slice(from));
  return pieces.join("");
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
