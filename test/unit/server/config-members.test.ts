import assert from "node:assert/strict";
import { load, saying } from "./config-world.ts";

const cluster = "http://127.0.0.1:9021,http://127.0.0.1:9022,http://127.0.0.1:9023";

describe("The members that the flags name", () => {
  it("are by number the URLs of --cluster, this one being --id", () => {
    const { peers, name, dataDir } = load({
      flags: { id: 2, cluster, port: "9122", "grpc-addr": "127.0.0.1:1" },
    });
    assert.deepEqual(peers.members, [
      { name: "1", peerUrls: ["http://127.0.0.1:9021"] },
      { name: "2", peerUrls: ["http://127.0.0.1:9022"] },
      { name: "3", peerUrls: ["http://127.0.0.1:9023"] },
    ]);
    assert.deepEqual([name, dataDir, peers.self, peers.state], ["2", "2.metastore", peers.members[1], "new"]);
    assert.deepEqual(peers.listeners, [
      { host: "127.0.0.1", port: 9022, isTls: false, url: "http://127.0.0.1:9022" },
    ]);
    const named = load({ flags: { id: 2, name: "n", cluster } });
    assert.deepEqual(
      named.peers.members.map((member) => member.name),
      ["1", "n", "3"],
    );
  });

  it("must say which one this is", () => {
    assert.throws(() => load({ flags: { cluster } }), saying(/names 3 members, and nothing says which one/));
    assert.throws(
      () => load({ flags: { id: 4, cluster } }),
      saying(/--id=4 is not in --cluster, which has 3 URLs/),
    );
    assert.throws(
      () => load({ flags: { id: 2, cluster: "http://a:1" } }),
      saying(/--id=2 is not in --cluster, which has 1 URL$/),
    );
    assert.deepEqual(load({ flags: { cluster: "http://a:1" } }).peers.members, [
      { name: "default", peerUrls: ["http://a:1"] },
    ]);
  });

  it("may be told by its URL where numbers no longer fit", () => {
    const flags = {
      id: 4,
      cluster,
      join: true,
      "initial-advertise-peer-urls": "http://127.0.0.1:9023",
    };
    const { peers } = load({ flags });
    assert.deepEqual(peers.self, { name: "4", peerUrls: ["http://127.0.0.1:9023"] });
    assert.equal(peers.members[2], peers.self);
    for (const wrong of ["http://127.0.0.1:9024", "http://127.0.0.1:9022,http://127.0.0.1:9023"]) {
      assert.throws(
        () => load({ flags: { ...flags, "initial-advertise-peer-urls": wrong } }),
        saying(/^--initial-advertise-peer-urls has .* but missing from --cluster=/),
      );
    }
  });

  it("are by name those of --initial-cluster, a name with several URLs once", () => {
    const { peers } = load({
      flags: {
        name: "b",
        "initial-cluster": "a=http://h:1,b=http://h:2,a=http://h:3,b=http://h:4",
        "initial-advertise-peer-urls": "http://H:4,http://h:2",
        "initial-cluster-token": "t",
      },
    });
    assert.deepEqual(peers.members, [
      { name: "a", peerUrls: ["http://h:1", "http://h:3"] },
      { name: "b", peerUrls: ["http://h:2", "http://h:4"] },
    ]);
    assert.equal(peers.self, peers.members[1]);
    assert.equal(peers.token, "t");
  });

  it("hold this one, with the URLs that it advertises", () => {
    const given = (name: string, initialCluster: string, advertised?: string) => () =>
      load({
        flags: {
          name,
          "initial-cluster": initialCluster,
          ...(advertised === undefined ? {} : { "initial-advertise-peer-urls": advertised }),
        },
      });
    assert.throws(
      given("n", "m=http://h:1,o=http://h:2"),
      saying(/couldn't find local name "n" in the initial cluster configuration/),
    );
    assert.throws(
      given("n", "n=http://h:1,m=http://h:2"),
      saying(
        /^--initial-cluster has n=http:\/\/h:1 but missing from --initial-advertise-peer-urls=http:\/\/localhost:2380$/,
      ),
    );
    assert.throws(
      given("n", "n=http://h:1,m=http://h:2", "http://h:1,http://h:3"),
      saying(
        /^--initial-advertise-peer-urls has http:\/\/h:3 but missing from --initial-cluster=n=http:\/\/h:1$/,
      ),
    );
    assert.throws(
      given("n", "n=http://h:1,m=http://H:1", "http://h:1"),
      saying(/has duplicated url http:\/\/h:1/),
    );
    assert.throws(given("n", "http://h:1"), saying(/has no member name/));
    assert.throws(
      () => load({ flags: { "initial-advertise-peer-urls": "," } }),
      saying(/--initial-advertise-peer-urls names no URL/),
    );
  });

  it("are this one alone without flags", () => {
    const { peers } = load({ flags: { name: "n", "initial-advertise-peer-urls": "http://h:1" } });
    assert.deepEqual(peers.members, [{ name: "n", peerUrls: ["http://h:1"] }]);
  });

  it("exist already for a member that joins", () => {
    assert.equal(load({ flags: { id: 3, cluster, join: true } }).peers.state, "existing");
    assert.equal(
      load({ flags: { id: 3, cluster, "initial-cluster-state": "existing" } }).peers.state,
      "existing",
    );
    assert.equal(
      load({
        flags: { join: true, name: "a", "initial-cluster": "a=http://localhost:2380,b=http://b:1" },
      }).peers.state,
      "existing",
    );
    assert.throws(() => load({ flags: { join: true } }), saying(/does not say which cluster to join/));
    assert.throws(
      () => load({ flags: { id: 3, cluster, join: true, "initial-cluster-state": "new" } }),
      saying(/--join and --initial-cluster-state=new contradict each other/),
    );
  });

  it("are told in one way only", () => {
    assert.throws(
      () => load({ flags: { id: 1, cluster, "initial-cluster": "default=http://localhost:2380" } }),
      saying(/--cluster and --initial-cluster say the same thing twice/),
    );
  });
});
