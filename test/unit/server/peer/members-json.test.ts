import assert from "node:assert/strict";
import fc from "fast-check";
import type { Member } from "../../../../src/codec/index.ts";
import { DecodeError } from "../../../../src/lib/errors.ts";
import { decodeMembers, encodeMembers } from "../../../../src/server/peer/members-json.ts";

const members: fc.Arbitrary<Member> = fc.record(
  {
    id: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
    name: fc.string({ unit: "binary" }),
    peerUrls: fc.array(fc.string()),
    clientUrls: fc.array(fc.webUrl()),
    isLearner: fc.boolean(),
  },
  { noNullPrototype: true },
);

describe("The list of members as JSON", () => {
  it("is etcd's: ids as exact numbers, isLearner only when it is true", () => {
    const member = {
      id: 0x8e9e05c52164694dn,
      name: "default",
      peerUrls: ["http://localhost:2380"],
      clientUrls: ["http://localhost:2379"],
      isLearner: false,
    };
    assert.equal(
      encodeMembers([member]),
      '[{"id":10276657743932975437,"peerURLs":["http://localhost:2380"],"name":"default",' +
        '"clientURLs":["http://localhost:2379"]}]\n',
    );
    assert.match(encodeMembers([{ ...member, isLearner: true }]), /"isLearner":true\}\]\n$/);
    assert.equal(encodeMembers([]), "[]\n");
  });

  it("gives back every member, ids beyond 2^53 and numbers in texts too", () => {
    fc.assert(
      fc.property(fc.array(members), (list) => {
        assert.deepEqual(decodeMembers(encodeMembers(list)), list);
      }),
    );
    const odd: Member = {
      id: 1n,
      name: '12"34\\',
      peerUrls: ['"5":6', "\\"],
      clientUrls: [],
      isLearner: false,
    };
    assert.deepEqual(decodeMembers(encodeMembers([odd])), [odd]);
  });

  it("is read without the fields that etcd leaves out for a member that never started", () => {
    assert.deepEqual(decodeMembers('[{"id":5,"peerURLs":["http://a:1"]}]'), [
      { id: 5n, name: "", peerUrls: ["http://a:1"], clientUrls: [], isLearner: false },
    ]);
    assert.deepEqual(decodeMembers('[{"id":5,"peerURLs":null,"clientURLs":null}]')[0]?.peerUrls, []);
  });

  it("is refused with DecodeError when it is something else", () => {
    for (const text of [
      "",
      "{}",
      "[1]",
      "[null]",
      "[{}]",
      '[{"id":"x"}]',
      '[{"id":0}]',
      '[{"id":18446744073709551616}]',
      '[{"id":-1}]',
      '[{"id":1.5}]',
      '[{"id":1,"name":2}]',
      '[{"id":1,"peerURLs":"x"}]',
      '[{"id":1,"peerURLs":[1]}]',
      '[{"id":1,"isLearner":1}]',
      "[".repeat(10_000),
    ]) {
      assert.throws(() => decodeMembers(text), DecodeError, text.slice(0, 60));
    }
  });

  it("is read in time in proportion to its length, whatever it holds", () => {
    for (const text of [
      '"'.repeat(100_001),
      `"${"1".repeat(100_000)}`,
      "\\".repeat(100_000),
      `"${'\\"'.repeat(50_000)}`,
    ]) {
      const startMs = performance.now();
      assert.throws(() => decodeMembers(text), DecodeError);
      assert.ok(performance.now() - startMs < 500);
    }
  });
});
