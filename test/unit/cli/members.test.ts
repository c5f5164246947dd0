import assert from "node:assert/strict";
import { findMember, memberLabel, parsePeerUrls, toMemberRecord } from "../../../src/cli/members.ts";
import type { Member } from "../../../src/client/index.ts";
import { UsageError } from "../../../src/lib/errors.ts";

function member(id: bigint, name: string): Member {
  return { id, name, peerUrls: [`http://10.0.0.${id % 200n}:2380`], clientUrls: [], isLearner: false };
}

const members = [
  member(0x62b0a90d1dbf05en, "n1"),
  member(0xaan, "n2"),
  member(0xbbn, ""),
  member(0xccn, "aa"),
];

describe("Which member is meant", () => {
  it("is found by name or by hexadecimal id in any notation", () => {
    assert.equal(findMember(members, "n1"), members[0]);
    for (const text of ["62b0a90d1dbf05e", "062B0A90D1DBF05E", "0x62b0a90d1dbf05e"]) {
      assert.equal(findMember(members, text), members[0], text);
    }
    assert.equal(findMember(members, "bb"), members[2]);
  });

  it("must be one", () => {
    assert.throws(
      () => findMember(members, "aa"),
      (error) => error instanceof UsageError && /aa, cc/.test(error.message),
    );
    for (const text of ["n9", "", "dd", "0x", "11111111111111111"]) {
      assert.throws(() => findMember(members, text), /no member has the id or name/, text);
    }
  });

  it("is named with its id, which is hexadecimal in JSON too", () => {
    assert.equal(memberLabel(members[0]!), "n1 (62b0a90d1dbf05e)");
    assert.equal(memberLabel(members[2]!), "bb");
    assert.deepEqual(toMemberRecord(members[2]!), {
      id: "bb",
      name: "",
      started: false,
      learner: false,
      peerUrls: ["http://10.0.0.187:2380"],
      clientUrls: [],
    });
  });
});

describe("--peer-urls", () => {
  it("takes URLs with host and port, and nothing else", () => {
    assert.deepEqual(parsePeerUrls("http://a:1, https://[::1]:2"), ["http://a:1", "https://[::1]:2"]);
    for (const text of ["", ",", "a:1", "http://a", "http://a:1/x", "ftp://a:1", "http://a:1,b:2"]) {
      assert.throws(() => parsePeerUrls(text), UsageError, text);
    }
  });
});
