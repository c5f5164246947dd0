import assert from "node:assert/strict";
import fc from "fast-check";
import { Reader, Writer } from "../../../../src/codec/index.ts";
import { AssertionError } from "../../../../src/lib/assert.ts";
import { DecodeError } from "../../../../src/lib/errors.ts";
import {
  isTravelling,
  MessageReader,
  messageBytes,
  writeMessage,
} from "../../../../src/server/peer/message-codec.ts";
import {
  type ConfState,
  type Entry,
  type EntryType,
  type Message,
  type MessageType,
  messageType,
} from "../../../../src/server/raft/index.ts";
import { referenceCodec, type WireObject } from "../../codec/reference.ts";
import { message } from "./peer-world.ts";

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const id = fc.bigInt({ min: 1n, max: 2n ** 64n - 1n });
const position = fc.maxSafeNat();
const bytes = fc.uint8Array({ maxLength: 200 }).map((each) => Buffer.from(each));
const plain = { noNullPrototype: true } as const;

const entries: fc.Arbitrary<Entry> = fc.record(
  {
    term: position,
    index: position,
    type: fc.integer({ min: 0, max: 2 }) as fc.Arbitrary<EntryType>,
    data: bytes,
  },
  plain,
);
const ids = fc.array(id, { maxLength: 4 });
const confStates: fc.Arbitrary<ConfState> = fc.record(
  { voters: ids, learners: ids, votersOutgoing: ids, learnersNext: ids, autoLeave: fc.boolean() },
  plain,
);
const travellingTypes = Object.values(messageType).filter((type) => isTravelling(type));
const localTypes = Object.values(messageType).filter((type) => !isTravelling(type));

const messages: fc.Arbitrary<Message> = fc.record(
  {
    type: fc.constantFrom(...travellingTypes),
    to: uint64,
    from: uint64,
    term: position,
    logTerm: position,
    index: position,
    entries: fc.array(entries, { maxLength: 5 }),
    commit: position,
    reject: fc.boolean(),
    rejectHint: position,
    context: bytes,
    hardState: fc.constant(undefined),
    snapshot: fc.option(
      fc.record(
        {
          metadata: fc.record({ confState: confStates, index: position, term: position }, plain),
          data: bytes,
        },
        plain,
      ),
      { nil: undefined },
    ),
    responses: fc.constant([]),
  },
  plain,
);

const writer = new Writer();

function encode(each: Message): Buffer {
  writer.begin();
  writeMessage(writer, each);
  return writer.finish();
}

function decode(encoded: Uint8Array, entriesMax = 1_000): Message {
  return new MessageReader(entriesMax).read(new Reader(encoded));
}

const reference = referenceCodec("metastorepb.PeerMessage");

function wireOf(each: Message): WireObject {
  const texts = (list: readonly bigint[]): string[] => list.map(String);
  const state = each.snapshot?.metadata.confState;
  return {
    type: each.type,
    to: String(each.to),
    from: String(each.from),
    term: String(each.term),
    log_term: String(each.logTerm),
    index: String(each.index),
    entries: each.entries.map((entry) => ({
      type: entry.type,
      term: String(entry.term),
      index: String(entry.index),
      data: Buffer.from(entry.data),
    })),
    commit: String(each.commit),
    snapshot:
      each.snapshot === undefined || state === undefined
        ? null
        : {
            data: Buffer.from(each.snapshot.data),
            metadata: {
              conf_state: {
                voters: texts(state.voters),
                learners: texts(state.learners),
                voters_outgoing: texts(state.votersOutgoing),
                learners_next: texts(state.learnersNext),
                auto_leave: state.autoLeave,
              },
              index: String(each.snapshot.metadata.index),
              term: String(each.snapshot.metadata.term),
            },
          },
    reject: each.reject,
    reject_hint: String(each.rejectHint),
    context: Buffer.from(each.context),
  };
}

describe("peer message codec", () => {
  it("gives back every message", () => {
    fc.assert(
      fc.property(messages, (each) => {
        assert.deepEqual(decode(encode(each)), each);
      }),
      { numRuns: 300 },
    );
  });

  it("writes what proto/metastore.proto says, and reads what another encoder of it writes", () => {
    fc.assert(
      fc.property(messages, (each) => {
        assert.deepEqual(reference.decode(encode(each)), wireOf(each));
        assert.deepEqual(decode(reference.encode(wireOf(each))), each);
      }),
      { numRuns: 200 },
    );
  });

  it("carries the types that travel, and no other: 14 of 24", () => {
    assert.equal(travellingTypes.length, 14);
    assert.equal(localTypes.length, 10);
    for (const type of localTypes) {
      assert.throws(() => encode(message(type, 1n, 2n)), AssertionError);
      assert.throws(() => decode(reference.encode({ type, to: "2", from: "1" })), DecodeError);
    }
    assert.throws(() => decode(reference.encode({ type: 99 })), DecodeError);
    assert.throws(() => decode(Buffer.alloc(0)), DecodeError);
  });

  it("leaves hard states and responses at home", () => {
    const inner = message(messageType.heartbeat, 1n, 2n);
    const encoded = encode({ ...inner, hardState: { term: 1, vote: 2n, commit: 3 }, responses: [inner] });
    assert.deepEqual(decode(encoded), inner);
  });

  it("passes over fields of a newer version", () => {
    const each = message(messageType.app, 1n, 2n, { index: 5 });
    const newer = Buffer.concat([encode(each), Buffer.from("78057a0301020382010100", "hex")]);
    assert.deepEqual(decode(newer), each);
  });

  it("refuses terms and indexes of 2^53 and more, and entries of an unknown type", () => {
    const tooLarge = String(2n ** 53n);
    for (const field of ["term", "log_term", "index", "commit", "reject_hint"]) {
      assert.throws(
        () => decode(reference.encode({ type: messageType.app, [field]: tooLarge })),
        DecodeError,
      );
    }
    for (const entry of [{ term: tooLarge }, { index: tooLarge }, { type: 3 }, { type: 4_294_967_295 }]) {
      assert.throws(
        () => decode(reference.encode({ type: messageType.app, entries: [entry] })),
        DecodeError,
        JSON.stringify(entry),
      );
    }
  });

  it("refuses more entries than a frame may hold, before it makes them", () => {
    const each = message(messageType.app, 1n, 2n, {
      entries: Array.from({ length: 4 }, (_, i) => ({ term: 1, index: i, type: 0, data: Buffer.alloc(0) })),
    });
    assert.equal(decode(encode(each), 4).entries.length, 4);
    assert.throws(() => decode(encode(each), 3), /too many entries/);
  });

  it("takes entry data as views of what it was given", () => {
    const each = message(messageType.app, 1n, 2n, {
      entries: [{ term: 1, index: 2, type: 0, data: Buffer.from("data") }],
    });
    const encoded = encode(each);
    const data = decode(encoded).entries[0]!.data;
    assert.equal(data.buffer, encoded.buffer);
  });

  it("refuses damaged messages with DecodeError alone", () => {
    fc.assert(
      fc.property(messages, fc.nat(), fc.integer({ min: 0, max: 255 }), (each, at, byte) => {
        const encoded = Buffer.from(encode(each));
        if (encoded.length > 0) encoded[at % encoded.length] = byte;
        for (const damaged of [encoded, encoded.subarray(0, at % (encoded.length + 1))]) {
          try {
            decode(damaged);
          } catch (error) {
            if (!(error instanceof DecodeError)) throw error;
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it("estimates the size of a message well enough to bound a queue", () => {
    fc.assert(
      fc.property(messages, (each) => {
        if (each.snapshot !== undefined) return;
        const { length } = encode(each);
        assert.ok(messageBytes(each) * 2 + 64 >= length && messageBytes(each) <= length + 48 + 16 * 5);
      }),
    );
  });

  it("knows every type of the core", () => {
    const types: MessageType[] = [...travellingTypes, ...localTypes];
    assert.equal(new Set(types).size, Object.keys(messageType).length);
  });
});
