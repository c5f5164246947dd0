/** The header list of a request, checked and taken apart. Shared by all calls that repeat the same block. */
export interface RequestHead {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly scheme: string;
  readonly contentType: string | undefined;
  readonly isGrpc: boolean;
  /** `content-length`; -1 where there is none. */
  readonly declaredBytes: number;
  /** `grpc-timeout` as it came. */
  readonly timeout: string | undefined;
  /** `grpc-encoding` as it came. */
  readonly encoding: string | undefined;
  /** Regular fields, names and values in turn. */
  readonly fields: readonly string[];
  /** The same as a map: the first value of each key; binary (`-bin`) keys are left out. */
  readonly metadata: ReadonlyMap<string, string>;
}

const connectionFields = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);
const forbiddenInName = /[^\x21-\x7e]|[A-Z]/;
const forbiddenInValue = /[\0\r\n]/;
const digits = /^\d{1,15}$/;

/** RFC 9113 section 8.3: undefined when the request is malformed. */
export function parseRequestHead(fields: readonly string[]): RequestHead | undefined {
  let method: string | undefined;
  let path: string | undefined;
  let authority: string | undefined;
  let scheme: string | undefined;
  let contentType: string | undefined;
  let timeout: string | undefined;
  let encoding: string | undefined;
  let declaredBytes = -1;
  let firstRegular = -1;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const value = fields[i + 1] as string;
    if (forbiddenInValue.test(value)) return undefined;
    if (name.charCodeAt(0) === 0x3a /* : */) {
      if (firstRegular >= 0) return undefined;
      if (name === ":method" && method === undefined) method = value;
      else if (name === ":path" && path === undefined) path = value;
      else if (name === ":scheme" && scheme === undefined) scheme = value;
      else if (name === ":authority" && authority === undefined) authority = value;
      else return undefined;
      continue;
    }
    if (firstRegular < 0) firstRegular = i;
    if (!isRegularField(name, value)) return undefined;
    if (name === "content-type") contentType ??= value;
    else if (name === "grpc-timeout") timeout ??= value;
    else if (name === "grpc-encoding") encoding ??= value;
    else if (name === "content-length") {
      if (!digits.test(value) || (declaredBytes >= 0 && declaredBytes !== Number(value))) return undefined;
      declaredBytes = Number(value);
    }
  }
  if (method === undefined || method === "") return undefined;
  if (path === undefined || path === "" || scheme === undefined || scheme === "") return undefined;
  const regular = firstRegular < 0 ? [] : fields.slice(firstRegular);
  return {
    method,
    path,
    scheme,
    authority: authority ?? "",
    contentType,
    isGrpc: contentType?.startsWith("application/grpc") === true,
    declaredBytes,
    timeout,
    encoding,
    fields: regular,
    metadata: metadataOf(regular),
  };
}

/** Trailers of a request: regular fields only. */
export function areTrailers(fields: readonly string[]): boolean {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    if (name.charCodeAt(0) === 0x3a || !isRegularField(name, fields[i + 1] as string)) return false;
  }
  return true;
}

function isRegularField(name: string, value: string): boolean {
  if (name === "" || forbiddenInName.test(name)) return false;
  if (connectionFields.has(name)) return false;
  return name !== "te" || value.toLowerCase() === "trailers";
}

function metadataOf(fields: readonly string[]): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>();
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    if (!name.endsWith("-bin") && !metadata.has(name)) metadata.set(name, fields[i + 1] as string);
  }
  return metadata;
}
