import assert from "node:assert/strict";
import { clusterIdOf, memberIdOf } from "../../../src/server/identity.ts";

describe("The ids of members and clusters", () => {
  it("are etcd's for a member that was started without flags", () => {
    const member = memberIdOf(["http://localhost:2380"], "etcd-cluster");
    assert.equal(member.toString(16), "8e9e05c52164694d");
    assert.equal(clusterIdOf([member]).toString(16), "cdf818194e3a8c32");
  });

  it("do not depend on the order of URLs or members", () => {
    assert.equal(
      memberIdOf(["http://a:1", "http://b:2"], "t"),
      memberIdOf(["http://b:2", "http://a:1"], "t"),
    );
    assert.equal(clusterIdOf([1n, 2n, 3n]), clusterIdOf([3n, 1n, 2n]));
  });

  it("differ for other URLs, another token and other members", () => {
    const ids = [
      memberIdOf(["http://a:1"], "t"),
      memberIdOf(["http://a:2"], "t"),
      memberIdOf(["http://a:1"], "u"),
      clusterIdOf([1n]),
      clusterIdOf([2n]),
      clusterIdOf([1n, 2n]),
    ];
    assert.equal(new Set(ids).size, ids.length);
  });

  it("leave the list they are given as it was", () => {
    const urls = ["http://b:2", "http://a:1"];
    memberIdOf(urls, "t");
    assert.deepEqual(urls, ["http://b:2", "http://a:1"]);
  });
});
