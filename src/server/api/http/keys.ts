import express, { type Request, type Response, type Router } from "express";
import { type RangeRequest, sortOrder, sortTarget } from "../../../codec/index.ts";
import {
  type ByteString,
  compare,
  EMPTY,
  fromBytes,
  OPEN_END,
  prefixEnd,
  toBytes,
} from "../../../lib/bytes.ts";
import { RequestError } from "../../../lib/errors.ts";
import { limits } from "../../../lib/limits.ts";
import { readBody } from "./body.ts";
import { acceptsJson, badRequest, HttpError, sendBody, sendPlainError } from "./errors.ts";
import { sendList } from "./key-list.ts";
import type { KeyOperations } from "./key-operations.ts";
import {
  booleanOption,
  integerOption,
  invalidEscape,
  keyOption,
  refuseUnknownOptions,
} from "./key-options.ts";
import { addsMember, removesMember } from "./member-requests.ts";
import { conditionsOf, entityTag, isUnchanged, preconditionFailed } from "./preconditions.ts";
import { keyOfPath, parseOptions, parseRequestTarget } from "./request-target.ts";
import { valueBytesMax } from "./value-limit.ts";

/** Under this path every key can be reached, those that are named like an endpoint of the server too. */
export const keysPath = "/v1/keys/";

/** Where a listing of everything starts: an empty start would mean "no key" (etcd RangeRequest.key). */
const smallestKey = "\0" as ByteString;

const allowedMethods = "GET, HEAD, PUT, DELETE";

const usage =
  "POST /N with a peer URL adds member N. PUT /KEY stores the request's body, GET /KEY answers it, DELETE /KEY removes it, GET /PREFIX?prefix lists keys. " +
  "The first slash is not part of the key; any byte can be written %XX";

export interface PlainKeyOptions {
  readonly operations: KeyOperations;
  /** Largest command (--max-request-bytes); values fit in it together with their key (value-limit.ts). */
  readonly requestBytesMax: number;
}

/** Web pages that may change members: those that --cors names. */
export interface PageOrigins {
  readonly corsOrigins: readonly string[];
}

/**
 * The plain key API: bytes in, bytes out, over HTTP (issue 2, point 6).
 *
 *   PUT /my-key     body = value          204, X-Metastore-Revision, ETag
 *   GET /my-key                           200 with the bytes, or 404
 *   GET /dir/?prefix                      one JSON record per line, or {"kvs":[...]} with Accept: application/json
 *   DELETE /my-key                        204, or 404 when there was none
 *
 * If-Match and If-None-Match make PUT and DELETE conditional (412). Reads are linearizable unless
 * ?serializable=true. The same under /v1/keys/, where no key is hidden by an endpoint such as /health, nor by a member
 * (member-requests.ts).
 */
export function createPlainKeyRouter(options: PlainKeyOptions & PageOrigins): Router {
  const { operations, requestBytesMax, corsOrigins } = options;
  const router = express.Router({ caseSensitive: true, strict: true });
  router.use(async (req, res) => {
    switch (req.method) {
      case "GET":
      case "HEAD":
        return read(operations, req, res);
      case "PUT":
        return write(operations, requestBytesMax, req, res);
      case "DELETE":
        if (await removesMember(operations, req, res)) return;
        return remove(operations, req, res);
      case "POST":
        if (await addsMember(operations, corsOrigins, req, res)) return;
        return methodNotAllowed(res);
      default:
        return methodNotAllowed(res);
    }
  });
  return router;
}

function methodNotAllowed(res: Response): void {
  res.setHeader("Allow", allowedMethods);
  sendPlainError(res, 405, `Method Not Allowed\n${usage}`);
}

async function read(operations: KeyOperations, req: Request, res: Response): Promise<void> {
  const { key, options } = keyRequest(req);
  const known = ["prefix", "keysOnly", "limit", "after", "revision", "serializable"];
  refuseUnknownOptions(options, known, "GET");
  if (booleanOption(options, "prefix")) return list(operations, key, options, req, res);
  for (const name of ["keysOnly", "limit", "after"]) {
    if (options.has(name)) throw badRequest(`${name} needs prefix`, `write ?prefix&${name}=...`);
  }
  requireKey(key);
  const response = await operations.range({ ...readRequest(options), key });
  const revision = response.header?.revision ?? 0;
  res.setHeader("X-Metastore-Revision", revision);
  const kv = response.kvs[0];
  if (kv === undefined) throw noSuchKey(key, revision);
  res.setHeader("X-Metastore-Create-Revision", kv.createRevision);
  res.setHeader("X-Metastore-Mod-Revision", kv.modRevision);
  res.setHeader("X-Metastore-Version", kv.version);
  if (kv.lease !== 0n) res.setHeader("X-Metastore-Lease", BigInt.asUintN(64, kv.lease).toString(16));
  res.setHeader("ETag", entityTag(kv.modRevision));
  res.setHeader("Cache-Control", "no-cache");
  res.setHeader("X-Content-Type-Options", "nosniff");
  if (isUnchanged(req.headers["if-none-match"], kv.modRevision)) {
    res.statusCode = 304;
    res.end();
    return;
  }
  sendBody(res, "application/octet-stream", toBytes(kv.value));
}

async function list(
  operations: KeyOperations,
  prefix: ByteString,
  options: ReadonlyMap<string, string>,
  req: Request,
  res: Response,
): Promise<void> {
  const asked = integerOption(options, "limit", 1, limits.httpListKeysMax);
  const keysOnly = booleanOption(options, "keysOnly");
  const after = keyOption(options, "after");
  const first = prefix === EMPTY ? smallestKey : prefix;
  const next = after === undefined ? first : (`${after}\0` as ByteString);
  const end = prefix === EMPTY ? OPEN_END : prefixEnd(prefix);
  const start = compare(next, first) > 0 ? next : first;
  const request = readRequest(options);
  const response = await operations.range({
    ...request,
    key: start,
    rangeEnd: end,
    limit: Math.min(asked, limits.httpListKeysMax),
    keysOnly,
  });
  res.setHeader("X-Metastore-Revision", response.header?.revision ?? 0);
  res.setHeader("X-Metastore-Count", response.count);
  res.setHeader("X-Metastore-More", String(response.more));
  res.setHeader("Cache-Control", "no-cache");
  res.setHeader("X-Content-Type-Options", "nosniff");
  await sendList(res, response, { isObject: acceptsJson(req), keysOnly });
}

async function write(
  operations: KeyOperations,
  requestBytesMax: number,
  req: Request,
  res: Response,
): Promise<void> {
  const { key, options } = keyRequest(req);
  refuseUnknownOptions(options, [], "PUT");
  requireKey(key);
  const conditions = conditionsOf(key, req.headers);
  const bytesMax = valueBytesMax(requestBytesMax, key, conditions.length);
  if (bytesMax < 0) throw new RequestError("requestTooLarge");
  const value = fromBytes(await readBody(req, res, bytesMax));
  const request = { key, value, lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
  const revision =
    conditions.length === 0
      ? (await operations.put(request)).header?.revision
      : await conditional(operations, {
          compare: conditions,
          success: [{ case: "put", request }],
          failure: [],
        });
  res.setHeader("X-Metastore-Revision", revision ?? 0);
  res.setHeader("ETag", entityTag(revision ?? 0));
  noContent(res);
}

async function remove(operations: KeyOperations, req: Request, res: Response): Promise<void> {
  const { key, options } = keyRequest(req);
  refuseUnknownOptions(options, [], "DELETE");
  requireKey(key);
  const conditions = conditionsOf(key, req.headers);
  const request = { key, rangeEnd: EMPTY, prevKv: false };
  if (conditions.length === 0) {
    const response = await operations.deleteRange(request);
    const revision = response.header?.revision ?? 0;
    res.setHeader("X-Metastore-Revision", revision);
    if (response.deleted === 0) throw noSuchKey(key, revision);
    noContent(res);
    return;
  }
  const revision = await conditional(operations, {
    compare: conditions,
    success: [{ case: "deleteRange", request }],
    failure: [],
  });
  res.setHeader("X-Metastore-Revision", revision ?? 0);
  noContent(res);
}

/** Runs a transaction of one write; its revision, or 412 when the comparisons did not hold. */
async function conditional(
  operations: KeyOperations,
  request: Parameters<KeyOperations["txn"]>[0],
): Promise<number | undefined> {
  const response = await operations.txn(request);
  if (!response.succeeded) throw preconditionFailed();
  const answer = response.responses[0];
  if (answer?.case === "deleteRange" && answer.response.deleted === 0) throw preconditionFailed();
  return response.header?.revision;
}

function keyRequest(req: Request): { key: ByteString; options: ReadonlyMap<string, string> } {
  const target = parseRequestTarget(req.originalUrl);
  if (target === undefined) throw badRequest("the request names no path", usage);
  const prefix = target.path.startsWith(keysPath) ? keysPath : "/";
  const key = keyOfPath(target.path, prefix);
  if (key === undefined) throw invalidEscape(target.path);
  return { key, options: parseOptions(target.query) };
}

function requireKey(key: ByteString): void {
  if (key === EMPTY) throw badRequest("the request names no key", usage);
}

function readRequest(options: ReadonlyMap<string, string>): Omit<RangeRequest, "key"> {
  return {
    rangeEnd: EMPTY,
    limit: 0,
    revision: integerOption(options, "revision", 1, 0),
    sortOrder: sortOrder.none,
    sortTarget: sortTarget.key,
    serializable: booleanOption(options, "serializable"),
    keysOnly: false,
    countOnly: false,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
  };
}

function noSuchKey(key: ByteString, revision: number): HttpError {
  const shown = toBytes(key).toString("utf8");
  return new HttpError({
    status: 404,
    code: "NOT_FOUND",
    message: `there is no key ${JSON.stringify(shown)} at revision ${revision}`,
    hint: "GET /?prefix&keysOnly lists the keys that there are",
  });
}

function noContent(res: Response): void {
  res.statusCode = 204;
  res.end();
}
