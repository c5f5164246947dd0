import assert from "node:assert/strict";
import fc from "fast-check";
import { type ByteString, fromBytes, toBytes } from "../../../src/lib/bytes.ts";
import { type FieldFact, messageFacts } from "./etcd-api-facts.ts";
import type { WireObject } from "./reference.ts";

/** A message in the shape of src/codec/messages.ts. */
type Message = Record<string, unknown>;

/** 64-bit fields that messages.ts holds as bigint: ids, which use the whole range. */
const bigFields = new Set(["cluster_id", "member_id", "memberID", "lease", "ID", "leader", "targetID"]);
/** Embedded messages that messages.ts always has. */
const requiredFields = new Set(["mvccpb.Event.kv", "etcdserverpb.RangeStreamResponse.range_response"]);
/** Bytes that messages.ts holds as a buffer: they only pass through. */
const bufferFields = new Set(["blob"]);
/** Fields that messages.ts leaves out. */
const omittedFields = new Set(["etcdserverpb.StatusResponse.downgradeInfo"]);
const scalars = new Set(["bytes", "string", "bool", "int64", "uint64", "uint32"]);
const txnDepth = 3;

/** Random messages of the type `name`, in our shape. */
export function arbitraryMessage(name: string, depth = 0): fc.Arbitrary<Message> {
  const own = ownShapes[name];
  if (own !== undefined) return own.arbitrary(depth);
  const entries = fieldsOf(name).map((field) => [ourName(field.name), arbitraryField(name, field, depth)]);
  return record(Object.fromEntries(entries) as Record<string, fc.Arbitrary<unknown>>);
}

function record(fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Message> {
  return fc.record(fields, { noNullPrototype: true });
}

/**
 * `message` as proto-loader takes it (`isSparse`: fields at their default are left out) and gives it (all fields
 * there, but for the members of a oneof).
 */
export function toWire(name: string, message: Message, isSparse: boolean): WireObject {
  const own = ownShapes[name];
  if (own !== undefined) return own.toWire(message, isSparse);
  const wire: WireObject = {};
  for (const field of fieldsOf(name)) {
    const value = fieldToWire(name, field, message[ourName(field.name)], isSparse);
    if (!isSparse || !isDefault(value)) wire[field.name] = value;
  }
  for (const field of factsOf(name)) {
    if (!isSparse && omittedFields.has(`${name}.${field.name}`)) wire[field.name] = null;
  }
  return wire;
}

interface OwnShape {
  arbitrary(depth: number): fc.Arbitrary<Message>;
  toWire(message: Message, isSparse: boolean): WireObject;
}

/** A oneof of messages: our `case`, the wire's field name, the type, and where our shape keeps the message. */
function oneofShape(
  rows: readonly (readonly [ourCase: string, wireName: string, type: string])[],
  slot: string,
  hasEmpty: boolean,
): OwnShape {
  return {
    arbitrary(depth) {
      const usable = rows.filter(([ourCase]) => ourCase !== "txn" || depth < txnDepth);
      const arms = usable.map(([ourCase, , type]) =>
        arbitraryMessage(type, depth + 1).map((inner): Message => ({ case: ourCase, [slot]: inner })),
      );
      return fc.oneof(...arms, ...(hasEmpty ? [fc.constant<Message>({ case: undefined })] : []));
    },
    toWire(message, isSparse) {
      const row = rows.find(([ourCase]) => ourCase === message["case"]);
      return row === undefined ? {} : { [row[1]]: toWire(row[2], message[slot] as Message, isSparse) };
    },
  };
}

const compareCases = [
  ["version", "version"],
  ["createRevision", "create_revision"],
  ["modRevision", "mod_revision"],
  ["value", "value"],
  ["lease", "lease"],
] as const;

const ownShapes: Readonly<Record<string, OwnShape>> = {
  "etcdserverpb.RequestOp": oneofShape(
    [
      ["range", "request_range", "etcdserverpb.RangeRequest"],
      ["put", "request_put", "etcdserverpb.PutRequest"],
      ["deleteRange", "request_delete_range", "etcdserverpb.DeleteRangeRequest"],
      ["txn", "request_txn", "etcdserverpb.TxnRequest"],
    ],
    "request",
    true,
  ),
  "etcdserverpb.ResponseOp": oneofShape(
    [
      ["range", "response_range", "etcdserverpb.RangeResponse"],
      ["put", "response_put", "etcdserverpb.PutResponse"],
      ["deleteRange", "response_delete_range", "etcdserverpb.DeleteRangeResponse"],
      ["txn", "response_txn", "etcdserverpb.TxnResponse"],
    ],
    "response",
    false,
  ),
  "etcdserverpb.Compare": {
    arbitrary: () =>
      record({
        result: enumValue,
        target: enumValue,
        key: byteString,
        rangeEnd: byteString,
        union: compareUnion,
      }),
    toWire(message, isSparse) {
      const wire: WireObject = {
        result: message["result"],
        target: message["target"],
        key: toBytes(message["key"] as ByteString),
        range_end: toBytes(message["rangeEnd"] as ByteString),
      };
      const sparse = isSparse
        ? Object.fromEntries(Object.entries(wire).filter(([, each]) => !isDefault(each)))
        : wire;
      const union = message["union"] as { case: string | undefined; value: unknown };
      const row = compareCases.find(([ourCase]) => ourCase === union.case);
      if (row !== undefined) sparse[row[1]] = scalarToWire(union.value);
      return sparse;
    },
  },
  "etcdserverpb.WatchRequest": {
    arbitrary: () =>
      fc.oneof(
        arbitraryMessage("etcdserverpb.WatchCreateRequest").map(
          (request): Message => ({ case: "create", request }),
        ),
        safeInteger.map((watchId): Message => ({ case: "cancel", watchId })),
        fc.constant<Message>({ case: "progress" }),
        fc.constant<Message>({ case: undefined }),
      ),
    toWire(message, isSparse) {
      if (message["case"] === "create") {
        const request = message["request"] as Message;
        return { create_request: toWire("etcdserverpb.WatchCreateRequest", request, isSparse) };
      }
      if (message["case"] === "cancel") {
        const watchId = String(message["watchId"]);
        return { cancel_request: isSparse && watchId === "0" ? {} : { watch_id: watchId } };
      }
      return message["case"] === "progress" ? { progress_request: {} } : {};
    },
  },
};

const byteString = fc
  .oneof(
    { arbitrary: fc.uint8Array({ maxLength: 40 }), weight: 20 },
    { arbitrary: fc.uint8Array({ minLength: 120, maxLength: 300 }), weight: 2 },
    {
      arbitrary: fc.integer({ min: 4_000, max: 40_000 }).map((length) => Buffer.alloc(length, 0xe9)),
      weight: 1,
    },
  )
  .map(fromBytes);
const text = fc.string({ unit: "binary", maxLength: 20 });
const enumValue = fc.oneof(fc.integer({ min: 0, max: 4 }), fc.integer());
const safeInteger = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.constantFrom(
    -1,
    2 ** 28,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 35,
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER,
  ),
  fc.maxSafeInteger(),
);
const safeNatural = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.maxSafeNat());
const int64 = fc.oneof(
  fc.constant(0n),
  fc.constantFrom(-1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n, 2n ** 32n, 2n ** 31n),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
);
const uint64 = fc.oneof(
  fc.constant(0n),
  fc.constantFrom(1n, 2n ** 64n - 1n, 2n ** 63n),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);
const compareUnion = fc.oneof(
  record({ case: fc.constantFrom("version", "createRevision", "modRevision"), value: safeInteger }),
  record({ case: fc.constant("value"), value: byteString }),
  record({ case: fc.constant("lease"), value: int64 }),
  fc.constant<Message>({ case: undefined }),
);

function arbitraryField(message: string, field: FieldFact, depth: number): fc.Arbitrary<unknown> {
  const one = arbitraryValue(field, depth);
  if (field.isRepeated) return fc.array(one, { maxLength: 4 });
  if (scalars.has(field.type) || !isMessageType(field.type)) return one;
  return requiredFields.has(`${message}.${field.name}`) ? one : fc.option(one, { nil: undefined });
}

function arbitraryValue(field: FieldFact, depth: number): fc.Arbitrary<unknown> {
  const isBig = bigFields.has(field.name);
  switch (field.type) {
    case "bytes":
      return bufferFields.has(field.name) ? byteString.map(toBytes) : byteString;
    case "string":
      return text;
    case "bool":
      return fc.boolean();
    case "int64":
      return isBig ? int64 : safeInteger;
    case "uint64":
      return isBig ? uint64 : safeNatural;
    case "uint32":
      return fc.integer({ min: 0, max: 2 ** 32 - 1 });
    case "EventType":
      return fc.constantFrom(0, 1);
    default:
      return isMessageType(field.type) ? arbitraryMessage(qualified(field.type), depth) : enumValue;
  }
}

function fieldToWire(message: string, field: FieldFact, value: unknown, isSparse: boolean): unknown {
  if (field.isRepeated) {
    assert(Array.isArray(value), `${message}.${field.name} is a list`);
    return value.map((each) => valueToWire(field, each, isSparse));
  }
  return valueToWire(field, value, isSparse);
}

function valueToWire(field: FieldFact, value: unknown, isSparse: boolean): unknown {
  if (!isMessageType(field.type)) {
    return scalars.has(field.type) && field.type !== "uint32" ? scalarToWire(value, field.type) : value;
  }
  return value === undefined ? null : toWire(qualified(field.type), value as Message, isSparse);
}

function scalarToWire(value: unknown, type = ""): unknown {
  if (Buffer.isBuffer(value)) return value;
  if (typeof value === "string") return type === "string" ? value : toBytes(value as ByteString);
  return typeof value === "boolean" ? value : String(value);
}

/** Whether proto3 leaves `value` out. */
function isDefault(value: unknown): boolean {
  if (Buffer.isBuffer(value) || Array.isArray(value)) return value.length === 0;
  return value === null || value === "" || value === "0" || value === 0 || value === false;
}

function fieldsOf(name: string): readonly FieldFact[] {
  return factsOf(name).filter((field) => !omittedFields.has(`${name}.${field.name}`));
}

function factsOf(name: string): readonly FieldFact[] {
  const facts = messageFacts.get(name);
  assert(facts !== undefined, `${name} is no message of the etcd API`);
  return facts;
}

function isMessageType(type: string): boolean {
  return messageFacts.has(qualified(type));
}

function qualified(type: string): string {
  return type === "KeyValue" || type === "Event" ? `mvccpb.${type}` : `etcdserverpb.${type}`;
}

/** `create_revision`, `ID`, `peerURLs` as messages.ts names them: createRevision, id, peerUrls. */
function ourName(wireName: string): string {
  const camel = wireName
    .replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
    .replace(/(ID|TTL|URLs)$/, (name) => `${name[0]}${name.slice(1).toLowerCase()}`);
  return `${camel[0]?.toLowerCase()}${camel.slice(1)}`;
}
