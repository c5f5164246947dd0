import assert from "node:assert/strict";
import { clientUrlsOf } from "../../../src/server/config-topology.ts";
import { load, saying } from "./config-world.ts";

describe("Who the member is and where it listens", () => {
  it("takes the name from --id unless there is a --name", () => {
    assert.equal(load({ flags: { id: 3 } }).name, "3");
    assert.equal(load({ flags: { id: 3, name: "n" } }).name, "n");
    for (const id of ["0", "-1", "x", "65536"]) {
      assert.throws(() => load({ flags: { id } }), saying(/^--id: /), id);
    }
  });

  it("refuses two flags that say the same thing", () => {
    assert.throws(
      () => load({ flags: { "grpc-addr": ":1", "listen-client-urls": "http://127.0.0.1:1" } }),
      saying(/twice/),
    );
    assert.throws(
      () => load({ flags: { cluster: "http://a:1" }, env: { ETCD_INITIAL_CLUSTER: "default=http://a:1" } }),
      saying(/--cluster and ETCD_INITIAL_CLUSTER say the same thing twice/),
    );
  });

  it("advertises where it listens, and asks when that is everywhere", () => {
    const listening = (url: string) => load({ flags: { "listen-client-urls": url } });
    assert.deepEqual(listening("http://127.0.0.1:5,http://[::1]:5").advertiseClientUrls, [
      "http://127.0.0.1:5",
      "http://[::1]:5",
    ]);
    assert.deepEqual(listening("http://0.0.0.0:5,http://10.0.0.1:5").advertiseClientUrls, [
      "http://10.0.0.1:5",
    ]);
    assert.throws(() => listening("http://0.0.0.0:5"), saying(/--advertise-client-urls is required/));
    assert.throws(() => listening("http://[::]:5"), saying(/--advertise-client-urls is required/));
    assert.throws(() => listening(","), saying(/names no URL/));
    const given = load({
      flags: { "listen-client-urls": "http://0.0.0.0:5", "advertise-client-urls": "http://host.example:5" },
    });
    assert.deepEqual(given.advertiseClientUrls, ["http://host.example:5"]);
  });

  it("says whether URLs were named, since others follow the ports that the system chooses", () => {
    const url = "http://127.0.0.1:0";
    assert.equal(load({ flags: { "listen-client-urls": url } }).isAdvertiseGiven, false);
    const named = { "listen-client-urls": url, "advertise-client-urls": "http://a:1" };
    assert.equal(load({ flags: named }).isAdvertiseGiven, true);
    assert.equal(load({ env: { ETCD_ADVERTISE_CLIENT_URLS: "http://a:1" } }).isAdvertiseGiven, true);
    const bound = load({ flags: { "listen-client-urls": `http://0.0.0.0:0,${url}` } }).clientListeners;
    const ports = bound.map((at, i) => ({ ...at, port: 7_001 + i }));
    assert.deepEqual(clientUrlsOf(ports), ["http://127.0.0.1:7002"]);
  });

  it("tells clients localhost for --grpc-addr on all interfaces, with a warning", () => {
    const config = load({ flags: { "grpc-addr": ":7000" } });
    assert.deepEqual(config.advertiseClientUrls, ["http://localhost:7000"]);
    assert.match(config.warnings.join(), /localhost; add --advertise-client-urls/);
  });

  it("can serve HTTP and metrics on listeners of their own", () => {
    const config = load({
      flags: { "listen-client-http-urls": "http://127.0.0.1:7", "listen-metrics-urls": "http://127.0.0.1:8" },
    });
    assert.equal(config.clientHttpListeners[0]?.port, 7);
    assert.equal(config.metricsListeners[0]?.port, 8);
  });

  it("keeps the state and token of the initial cluster", () => {
    const config = load({ flags: { "initial-cluster-state": "existing", "initial-cluster-token": "t" } });
    assert.equal(config.peers.state, "existing");
    assert.equal(config.peers.token, "t");
    assert.throws(() => load({ flags: { "initial-cluster-state": "old" } }), saying(/not one of its values/));
  });
});
