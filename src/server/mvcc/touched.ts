import type {
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "../../codec/index.ts";
import { type ByteString, EMPTY } from "../../lib/bytes.ts";
import type { Want } from "../storage/index.ts";
import { fetchLimit } from "./range-read.ts";

/**
 * What requests read and write, for engines that must know before (EngineLoader). A transaction names what both of
 * its branches would touch: which of them runs is known only when it does. Refusals are not foreseen either, so a
 * revision may be compacted or in the future; what is wanted of it is never read.
 */

export function wantsOfPut(request: Pick<PutRequest, "key">): Want[] {
  return [keyWant(request.key, undefined)];
}

export function wantsOfDeleteRange(request: Pick<DeleteRangeRequest, "key" | "rangeEnd">): Want[] {
  return [wholeWant(request.key, request.rangeEnd)];
}

/** Of keys that are deleted one by one. */
export function wantsOfKeys(keys: Iterable<ByteString>): Want[] {
  return Array.from(keys, (key) => keyWant(key, undefined));
}

export function wantsOfRange(request: RangeRequest): Want[] {
  return [rangeWant(request)];
}

/** Also of a transaction that is put through no log. Its depth is bounded by validation. */
export function wantsOfTxn(request: TxnRequest): Want[] {
  const wants: Want[] = [];
  addTxn(request, wants);
  return wants;
}

/** Whether the wants are keys as they are now, and nothing else: any number of such can be loaded together. */
export function areKeysNow(wants: readonly Want[]): boolean {
  return wants.every((want) => want.kind === "key" && want.revision === undefined);
}

function addTxn(request: TxnRequest, wants: Want[]): void {
  for (const { key, rangeEnd } of request.compare) wants.push(wholeWant(key, rangeEnd));
  for (const operation of request.success) addOperation(operation, wants);
  for (const operation of request.failure) addOperation(operation, wants);
}

function addOperation(operation: RequestOp, wants: Want[]): void {
  switch (operation.case) {
    case "range":
      wants.push(rangeWant(operation.request));
      break;
    case "put":
      wants.push(keyWant(operation.request.key, undefined));
      break;
    case "deleteRange":
      wants.push(wholeWant(operation.request.key, operation.request.rangeEnd));
      break;
    case "txn":
      addTxn(operation.request, wants);
      break;
    case undefined:
      break;
  }
}

function keyWant(key: ByteString, revision: number | undefined): Want {
  return { kind: "key", key, revision };
}

/** Every key of the interval, as it is now. */
function wholeWant(start: ByteString, end: ByteString): Want {
  if (end === EMPTY) return keyWant(start, undefined);
  return { kind: "range", interval: { start, end }, revision: undefined, limit: 0 };
}

/** As readRange reads. */
function rangeWant(request: RangeRequest): Want {
  const { key: start, rangeEnd: end } = request;
  const revision = request.revision <= 0 ? undefined : request.revision;
  if (end === EMPTY) return keyWant(start, revision);
  if (request.countOnly) return { kind: "count", interval: { start, end }, revision };
  return { kind: "range", interval: { start, end }, revision, limit: fetchLimit(request) };
}
