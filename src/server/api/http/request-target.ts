import { type ByteString, EMPTY } from "../../../lib/bytes.ts";

/** The target of an HTTP/1.1 request (RFC 9112, section 3.2), not decoded. */
export interface RequestTarget {
  /** Starts with "/". */
  readonly path: string;
  /** Without the question mark; "" when there is none. */
  readonly query: string;
}

/**
 * Splits `req.url`. A proxy's absolute form loses its scheme and host; undefined for anything that is no path, a
 * fragment included: a "#" that a client forgot to escape would silently cut a key short.
 */
export function parseRequestTarget(url: string): RequestTarget | undefined {
  const target = url.startsWith("/") ? url : originForm(url);
  if (target === undefined || target.includes("#")) return undefined;
  const question = target.indexOf("?");
  if (question < 0) return { path: target, query: "" };
  return { path: target.slice(0, question), query: target.slice(question + 1) };
}

function originForm(url: string): string | undefined {
  const absolute = /^https?:\/\/[^/?#]+(.*)$/i.exec(url);
  if (absolute === null) return undefined;
  const rest = absolute[1] ?? "";
  return rest.startsWith("/") ? rest : `/${rest}`;
}

const escapePattern = /%([0-9A-Fa-f]{2})?/g;

/**
 * Undoes percent encoding byte by byte, so that any key can be named: no Unicode check, no dot segments, no "+"
 * for space. Undefined when a "%" is not followed by two hexadecimal digits. Node's parser lets only ASCII through.
 */
export function decodePercent(text: string): ByteString | undefined {
  if (!text.includes("%")) return text as ByteString;
  let isValid = true;
  const decoded = text.replace(escapePattern, (_whole, digits: string | undefined) => {
    if (digits === undefined) {
      isValid = false;
      return "";
    }
    return String.fromCharCode(Number.parseInt(digits, 16));
  });
  return isValid ? (decoded as ByteString) : undefined;
}

/** The options after "?" by name, values still percent-encoded; the last of a repeated option wins. */
export function parseOptions(query: string): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  if (query === "") return options;
  for (const part of query.split("&")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    if (equals < 0) options.set(part, "");
    else options.set(part.slice(0, equals), part.slice(equals + 1));
  }
  return options;
}

/** The key that a path names: everything after `prefix`, decoded; undefined when an escape is invalid. */
export function keyOfPath(path: string, prefix: string): ByteString | undefined {
  const rest = path.slice(prefix.length);
  return rest === "" ? EMPTY : decodePercent(rest);
}
