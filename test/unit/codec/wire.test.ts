import assert from "node:assert/strict";
import {
  decodeEmptyMessage,
  decodeEvent,
  decodeHeaderOnlyResponse,
  decodeKeyValue,
  decodeLeaseGrantRequest,
  decodeLeaseRevokeRequest,
  decodePutRequest,
  decodePutResponse,
  decodeRangeRequest,
  decodeRangeResponse,
  decodeStatusResponse,
  decodeTxnResponse,
  decodeWatchRequest,
  encodeHeaderOnlyResponse,
  encodeLeaseRevokeRequest,
  encodePutRequest,
  encodeWatchRequest,
  type PutRequest,
} from "../../../src/codec/index.ts";
import { AssertionError } from "../../../src/lib/assert.ts";
import { type ByteString, EMPTY } from "../../../src/lib/bytes.ts";
import { DecodeError } from "../../../src/lib/errors.ts";

function hex(text: string): Buffer {
  return Buffer.from(text.replace(/ /g, ""), "hex");
}

function putRequest(key: string, value: string): PutRequest {
  return {
    key: key as ByteString,
    value: value as ByteString,
    lease: 0n,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
  };
}

describe("wire format", () => {
  describe("integers", () => {
    const leaseIds = [
      0n,
      1n,
      127n,
      128n,
      2n ** 31n,
      2n ** 32n,
      2n ** 53n + 1n,
      2n ** 63n - 1n,
      -1n,
      -(2n ** 63n),
    ];
    for (const id of leaseIds) {
      it(`keep the lease id ${id} exact`, () => {
        assert.equal(decodeLeaseRevokeRequest(encodeLeaseRevokeRequest({ id })).id, id);
      });
    }

    it("are ten bytes long when negative", () => {
      assert.equal(encodeLeaseRevokeRequest({ id: -1n }).toString("hex"), "08ffffffffffffffffff01");
    });

    it("keep the cluster id exact up to 2^64 - 1", () => {
      const header = { clusterId: 2n ** 64n - 1n, memberId: 2n ** 63n, revision: 1, raftTerm: 2 };
      assert.deepEqual(decodeHeaderOnlyResponse(encodeHeaderOnlyResponse({ header })), { header });
    });

    it("are refused where a number cannot hold them", () => {
      // mod_revision = 2^53 and -2^53.
      assert.throws(() => decodeKeyValue(hex("18 80808080808080 10")), /9007199254740992 is out of range/);
      assert.throws(
        () => decodeKeyValue(hex("18 80808080808080 f0ff01")),
        /-9007199254740992 is out of range/,
      );
      assert.equal(decodeKeyValue(hex("18 ffffffffffffff 0f")).modRevision, Number.MAX_SAFE_INTEGER);
      // raft_term = 2^64 - 1.
      assert.throws(
        () => decodeHeaderOnlyResponse(hex("0a 0b 20 ffffffffffffffffff 01")),
        /18446744073709551615 is out of range/,
      );
      // watch_id = 2^53: an identity, so it must not be changed.
      assert.throws(() => decodeWatchRequest(hex("0a 09 38 80808080808080 10")), DecodeError);
    });

    it("become the nearest safe integer where a bound this large means the same", () => {
      const largest = decodeRangeRequest(hex("18 ffffffffffffffff7f 20 80808080808080808001"));
      assert.equal(largest.limit, Number.MAX_SAFE_INTEGER);
      assert.equal(largest.revision, Number.MIN_SAFE_INTEGER);
      assert.equal(decodeLeaseGrantRequest(hex("08 ffffffffffffffff7f")).ttl, Number.MAX_SAFE_INTEGER);
    });

    it("are taken in a longer form than needed", () => {
      assert.equal(decodeRangeRequest(hex("18 8500")).limit, 5);
      assert.equal(decodeRangeRequest(hex("98 00 05")).limit, 5);
    });

    it("that are not whole or beyond 64 bits are refused when written", () => {
      const header = { clusterId: 2n ** 64n, memberId: 0n, revision: 0, raftTerm: 0 };
      assert.throws(() => encodeHeaderOnlyResponse({ header }), AssertionError);
      for (const revision of [1.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY]) {
        const fractional = { clusterId: 0n, memberId: 0n, revision, raftTerm: 0 };
        assert.throws(() => encodeHeaderOnlyResponse({ header: fractional }), AssertionError);
      }
      assert.throws(() => encodeLeaseRevokeRequest({ id: 2n ** 63n }), AssertionError);
    });
  });

  describe("presence", () => {
    it("tells an absent header from one of zeros", () => {
      const zeros = { clusterId: 0n, memberId: 0n, revision: 0, raftTerm: 0 };
      assert.equal(encodeHeaderOnlyResponse({ header: undefined }).length, 0);
      assert.equal(encodeHeaderOnlyResponse({ header: zeros }).toString("hex"), "0a00");
      assert.deepEqual(decodeHeaderOnlyResponse(hex("")), { header: undefined });
      assert.deepEqual(decodeHeaderOnlyResponse(hex("0a00")), { header: zeros });
    });

    it("lets the last of several values win, members of a oneof too", () => {
      assert.equal(decodeRangeRequest(hex("18 05 18 07")).limit, 7);
      assert.deepEqual(decodeWatchRequest(hex("0a 00 12 02 08 05")), { case: "cancel", watchId: 5 });
      assert.deepEqual(decodeWatchRequest(hex("12 02 08 05 1a 00")), { case: "progress" });
    });

    it("takes a repeated embedded message whole, the last one", () => {
      const { prevKv } = decodePutResponse(hex("12 03 0a 01 61 12 02 10 05"));
      assert.equal(prevKv?.key, EMPTY);
      assert.equal(prevKv?.createRevision, 5);
    });

    it("reads lists of numbers packed, unpacked and mixed", () => {
      const filters = (text: string): unknown => {
        const request = decodeWatchRequest(hex(text));
        return request.case === "create" ? request.request.filters : undefined;
      };
      assert.deepEqual(filters("0a 04 2a 02 00 01"), [0, 1]);
      assert.deepEqual(filters("0a 04 28 00 28 01"), [0, 1]);
      assert.deepEqual(filters("0a 06 28 01 2a 02 00 01"), [1, 0, 1]);
      assert.deepEqual(filters("0a 02 2a 00"), []);
      const create = {
        key: EMPTY,
        rangeEnd: EMPTY,
        startRevision: 0,
        progressNotify: false,
        filters: [0, 1],
        prevKv: false,
        watchId: 0,
        fragment: false,
      };
      assert.equal(encodeWatchRequest({ case: "create", request: create }).toString("hex"), "0a042a020001");
    });

    it("reads any varint that is not zero as true", () => {
      assert.equal(decodePutRequest(hex("20 02")).prevKv, true);
      assert.equal(decodePutRequest(hex("20 80808080808080808001")).prevKv, true);
      assert.equal(decodePutRequest(hex("20 8000")).prevKv, false);
    });

    it("reads the low 32 bits of an enum, known or not", () => {
      assert.equal(decodeRangeRequest(hex("28 ffffffffffffffffff01")).sortOrder, -1);
      assert.equal(decodeRangeRequest(hex("28 63")).sortOrder, 99);
    });
  });

  describe("unknown fields", () => {
    const unknown = {
      varint: "a0 06 96 01",
      "64-bit": "a1 06 0102030405060708",
      "length-delimited": "a2 06 03 616263",
      "32-bit": "a5 06 01020304",
      "largest field number": "f8 ff ff ff 0f 00",
      "known number, other wire type": "08 05",
    };
    for (const [name, bytes] of Object.entries(unknown)) {
      it(`are passed over: ${name}`, () => {
        assert.equal(decodePutRequest(hex(`${bytes} 0a 01 61`)).key, "a");
        assert.equal(decodePutRequest(hex(`0a 01 61 ${bytes}`)).key, "a");
        assert.deepEqual(decodeEmptyMessage(hex(bytes)), {});
      });
    }
  });

  describe("malformed bytes", () => {
    const malformed = {
      "a tag cut short": "8a",
      "a varint cut short": "18 ff",
      "a varint of eleven bytes": "18 8080808080808080808001",
      "a varint above 64 bits": "18 ffffffffffffffffff02",
      "a tag above 32 bits": "8080808010 00",
      "field number 0": "00 00",
      "field number 0 with a length": "02 00",
      "a length beyond the end": "0a 05 61",
      "a length of 2^32": "0a 8080808010 61",
      "a length of 2^63": "0a 80808080808080808001 61",
      "an unknown field beyond the end": "a2 06 05 61",
      "a fixed64 cut short": "a1 06 01020304",
      "a fixed32 cut short": "a5 06 0102",
      "a group": "a3 06 a4 06",
      "the end of a group": "a4 06",
      "wire type 6": "a6 06 00",
      "wire type 7": "a7 06 00",
    };
    for (const [name, bytes] of Object.entries(malformed)) {
      it(`are refused: ${name}`, () => {
        assert.throws(() => decodeRangeRequest(hex(bytes)), DecodeError);
        assert.throws(() => decodeEmptyMessage(hex(bytes)), DecodeError);
      });
    }

    it("are refused when an embedded message's field reaches beyond it", () => {
      // A kv of two bytes whose key claims three, which the outer message has.
      assert.throws(() => decodeRangeResponse(hex("12 02 0a 03 61 62 63")), DecodeError);
      assert.throws(() => decodeRangeResponse(hex("12 01 10 05")), DecodeError);
      assert.throws(() => decodeWatchRequest(hex("0a 03 2a 02 00")), DecodeError);
    });

    it("are refused when text is not UTF-8", () => {
      assert.throws(() => decodeStatusResponse(hex("12 01 ff")), /not valid UTF-8/);
      assert.throws(() => decodeStatusResponse(hex("12 03 eda080")), /not valid UTF-8/);
      assert.equal(decodeStatusResponse(hex("12 04 f09f9880")).version, "😀");
    });

    it("are refused when an event or an operation's response is of no known kind", () => {
      assert.throws(() => decodeEvent(hex("08 02")), /unknown type 2/);
      assert.throws(() => decodeTxnResponse(hex("1a 00")), /no known kind/);
    });

    it("do not make a decoder read beyond the view it is given", () => {
      const whole = Buffer.from("0a0561626364650a", "hex");
      assert.throws(() => decodePutRequest(whole.subarray(0, 6)), DecodeError);
      assert.equal(decodePutRequest(new Uint8Array(whole.buffer, whole.byteOffset, 7)).key, "abcde");
    });
  });

  describe("encoded messages", () => {
    it("stay as they are while others are encoded", () => {
      const sizes = [0, 1, 12, 13, 200, 4_000, 4_090, 4_200, 31_000, 33_000, 70_000, 300_000];
      const kept = Array.from({ length: 2_000 }, (_, i) => {
        const size = i < 1_900 ? (i * 37) % 500 : (sizes[i % sizes.length] as number);
        const request = putRequest(`key-${i}`, String.fromCharCode(i & 0xff).repeat(size));
        return { request, bytes: encodePutRequest(request) };
      });
      for (const { request, bytes } of kept) assert.deepEqual(decodePutRequest(bytes), request);
    });

    it("hold every byte value", () => {
      const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i)).toString("latin1");
      for (let length = 1; length <= 256; length++) {
        const request = putRequest(all.slice(0, length), all.slice(256 - length));
        assert.deepEqual(decodePutRequest(encodePutRequest(request)), request);
      }
    });

    it("are right after an encode that failed halfway", () => {
      const large = putRequest("k", "v".repeat(100_000));
      assert.throws(() => encodePutRequest({ ...large, lease: 2n ** 63n }), AssertionError);
      const failing = {
        ...putRequest("k", "v"),
        get key(): ByteString {
          throw new Error("no key");
        },
      };
      assert.throws(() => encodePutRequest(failing), /no key/);
      assert.deepEqual(decodePutRequest(encodePutRequest(large)), large);
      assert.deepEqual(decodePutRequest(encodePutRequest(putRequest("a", "b"))), putRequest("a", "b"));
    });
  });
});
