import assert from "node:assert/strict";
import { limits } from "../../../src/lib/limits.ts";
import { serveFlags } from "../../../src/server/config-flags.ts";
import { load, saying } from "./config-world.ts";

describe("The configuration", () => {
  it("without any flag serves 127.0.0.1:2379 with data in default.metastore", () => {
    const config = load();
    assert.deepEqual(config.clientListeners, [
      { host: "localhost", port: 2379, isTls: false, url: "http://localhost:2379" },
    ]);
    assert.deepEqual(config.advertiseClientUrls, ["http://localhost:2379"]);
    assert.equal(config.name, "default");
    assert.equal(config.dataDir, "default.metastore");
    assert.equal(config.keyApiListener, undefined);
    assert.deepEqual(config.warnings, []);
    assert.deepEqual(config.peers.self, { name: "default", peerUrls: ["http://localhost:2380"] });
  });

  it("has etcd's defaults", () => {
    const config = load();
    assert.equal(config.snapshotCount, 10_000);
    assert.equal(config.slowApplyMs, 100);
    assert.equal(config.heartbeatIntervalMs, 100);
    assert.equal(config.electionTimeoutMs, 1_000);
    assert.equal(config.quotaBytes, limits.quotaBytes);
    assert.equal(config.txnOpsMax, limits.txnOpsMax);
    assert.equal(config.requestSizeBytesMax, limits.requestSizeBytesMax);
    assert.deepEqual(config.keepalive, { minTimeMs: 5_000, intervalMs: 7_200_000, timeoutMs: 20_000 });
    assert.deepEqual(config.autoCompaction, { kind: "off" });
    assert.equal(config.watchProgressIntervalMs, 600_000);
    assert.equal(config.isMetricsExtensive, false);
    assert.equal(config.tls, undefined);
    assert.deepEqual(config.log, { level: "info", format: "json", outputs: ["stderr"] });
  });

  it("has a finite number of streams per connection", () => {
    assert.equal(load().concurrentStreamsMax, 65_536);
  });

  it("understands the short flags of the README", () => {
    const config = load({
      flags: {
        id: 1,
        cluster: "http://127.0.0.1:9021",
        port: "9121",
        "grpc-addr": ":2379",
        storage: "memory",
      },
    });
    assert.equal(config.name, "1");
    assert.equal(config.dataDir, "1.metastore");
    assert.deepEqual(config.keyApiListener, {
      host: "127.0.0.1",
      port: 9121,
      isTls: false,
      url: "http://127.0.0.1:9121",
    });
    assert.deepEqual(config.clientListeners, [
      { host: "0.0.0.0", port: 2379, isTls: false, url: "http://0.0.0.0:2379" },
    ]);
    assert.deepEqual(config.peers.members, [{ name: "1", peerUrls: ["http://127.0.0.1:9021"] }]);
    assert.deepEqual(config.advertiseClientUrls, ["http://localhost:2379"]);
    assert.equal(config.warnings.length, 1);
  });

  it("derives the data directory from the name, and never outside the working directory", () => {
    assert.equal(load({ flags: { name: "n1" } }).dataDir, "n1.metastore");
    assert.equal(load({ flags: { name: "n1", "data-dir": "/var/lib/x" } }).dataDir, "/var/lib/x");
    for (const name of ["../up", "a/b", "..", "a\\b"]) {
      assert.throws(() => load({ flags: { name } }), saying(/cannot name a data directory/), name);
      assert.equal(load({ flags: { name, "data-dir": "d" } }).dataDir, "d");
    }
  });

  it("reads every number with its bounds", () => {
    const bounded: [string, keyof ReturnType<typeof load>, string, string[]][] = [
      ["snapshot-count", "snapshotCount", "7", ["0", "-1"]],
      ["heartbeat-interval", "heartbeatIntervalMs", "10", ["0", "-1", "10001"]],
      ["election-timeout", "electionTimeoutMs", "500", ["0", "50001", "-5"]],
      ["max-txn-ops", "txnOpsMax", "1", ["0", "-1", "1000001"]],
      ["max-request-bytes", "requestSizeBytesMax", "2000000", ["0", "-1", "1023"]],
      ["max-concurrent-streams", "concurrentStreamsMax", "1", ["0", "-1", "4294967296"]],
    ];
    for (const [flag, field, good, bad] of bounded) {
      assert.equal(load({ flags: { [flag]: good } })[field], Number(good), flag);
      for (const text of [...bad, "NaN", "1e99", "1.5", "0x10", "many", "99999999999999999999"]) {
        const wrong = saying(/whole number/);
        assert.throws(() => load({ flags: { [flag]: text } }), wrong, `${flag}=${text}`);
      }
    }
  });

  it("reads the quota as etcd does: 0 is the default, negative is none", () => {
    assert.equal(load({ flags: { "quota-backend-bytes": 0 } }).quotaBytes, limits.quotaBytes);
    assert.equal(load({ flags: { "quota-backend-bytes": -1 } }).quotaBytes, Number.MAX_SAFE_INTEGER);
    assert.equal(load({ flags: { "quota-backend-bytes": "8589934592" } }).quotaBytes, 8_589_934_592);
    assert.deepEqual([load().engine, load({ flags: { storage: "rocksdb" } }).engine], ["memory", "rocksdb"]);
    assert.equal(load().cacheSizeBytes, limits.storageCacheBytes);
    assert.throws(
      () => load({ flags: { "storage-cache-bytes": limits.storageCacheBytesMin - 1 } }),
      /storage-cache-bytes/,
    );
    assert.throws(() => load({ flags: { "quota-backend-bytes": "8GB" } }), saying(/whole number/));
  });

  it("keeps the election time-out at five heartbeats or more", () => {
    assert.throws(
      () => load({ flags: { "heartbeat-interval": 300 } }),
      saying(/--election-timeout\[1000ms\] should be at least as 5 times as --heartbeat-interval\[300ms\]/),
    );
    assert.equal(load({ flags: { "heartbeat-interval": 200 } }).heartbeatIntervalMs, 200);
  });

  it("reads the durations of keep-alive and progress notices", () => {
    const config = load({
      flags: {
        "grpc-keepalive-min-time": "1s",
        "grpc-keepalive-interval": "1m30s",
        "grpc-keepalive-timeout": "500ms",
        "watch-progress-notify-interval": "100ms",
      },
    });
    assert.deepEqual(config.keepalive, { minTimeMs: 1_000, intervalMs: 90_000, timeoutMs: 500 });
    assert.equal(config.watchProgressIntervalMs, 100);
    assert.throws(() => load({ flags: { "watch-progress-notify-interval": "99ms" } }), saying(/below 100ms/));
    assert.throws(() => load({ flags: { "grpc-keepalive-timeout": "20" } }), saying(/no duration/));
  });

  it("syncs whatever it is told", () => {
    assert.match(load({ flags: { "unsafe-no-fsync": true } }).warnings.join(), /writes are always synced/);
  });

  it("wants certificates for https, and https for certificates", () => {
    const https = { "listen-client-urls": "https://127.0.0.1:2379" };
    assert.throws(
      () => load({ flags: https }),
      saying(/TLS key\/cert .* must be provided for client url https/),
    );
    assert.throws(
      () => load({ flags: { "listen-metrics-urls": "https://127.0.0.1:9000" } }),
      saying(/client TLS key\/cert .* must be provided for metrics secure url/),
    );
    const files = { "cert-file": "c.pem", "key-file": "k.pem" };
    assert.deepEqual(load({ flags: { ...https, ...files } }).tls, {
      certFile: "c.pem",
      keyFile: "k.pem",
      trustedCaFile: undefined,
    });
    assert.deepEqual(load({ flags: { ...https, ...files } }).advertiseClientUrls, ["https://127.0.0.1:2379"]);
    assert.equal(load({ flags: { ...https, ...files, "trusted-ca-file": "ca" } }).tls?.trustedCaFile, "ca");
    const plain = load({ flags: files });
    assert.equal(plain.tls, undefined);
    assert.match(plain.warnings.join(), /not encrypted/);
    assert.throws(() => load({ flags: { ...https, "cert-file": "c" } }), saying(/belong together/));
    assert.throws(() => load({ flags: { ...https, "key-file": "k" } }), saying(/belong together/));
    assert.throws(() => load({ flags: { "client-cert-auth": true } }), saying(/needs the CA/));
  });

  it("makes --grpc-addr serve TLS when there is a certificate", () => {
    const config = load({ flags: { "grpc-addr": "127.0.0.1:1", "cert-file": "c", "key-file": "k" } });
    assert.deepEqual(config.clientListeners, [
      { host: "127.0.0.1", port: 1, isTls: true, url: "https://127.0.0.1:1" },
    ]);
  });

  it("sends CORS headers for the key API only when they were asked for", () => {
    assert.deepEqual([load().corsOrigins, load().keyApiCorsOrigins], [["*"], []]);
    const config = load({ flags: { cors: "http://a,http://b" } });
    assert.deepEqual(config.keyApiCorsOrigins, ["http://a", "http://b"]);
    assert.deepEqual(load({ flags: { "host-whitelist": "a, b" } }).hostWhitelist, ["a", "b"]);
  });

  it("maps etcd's log levels and outputs to ours", () => {
    assert.equal(load({ flags: { "log-level": "fatal" } }).log.level, "error");
    assert.equal(load({ flags: { "log-level": "debug" } }).log.level, "debug");
    assert.equal(load({ flags: { "log-format": "console" } }).log.format, "console");
    assert.deepEqual(load({ flags: { "log-outputs": "default,stdout,stdout,/x.log" } }).log.outputs, [
      "stderr",
      "stdout",
      "/x.log",
    ]);
    assert.throws(() => load({ flags: { "log-level": "loud" } }), saying(/not one of its values/));
  });

  it("takes extensive metrics and refuses other words", () => {
    assert.equal(load({ flags: { metrics: "extensive" } }).isMetricsExtensive, true);
    assert.throws(() => load({ flags: { metrics: "some" } }), saying(/not one of its values/));
  });

  it("refuses every served flag a nonsensical value, and none crashes", () => {
    for (const flag of serveFlags) {
      for (const text of ["\0", "%%%", "-", "=", "http://", "{", "💥".repeat(100)]) {
        try {
          load({ flags: { [flag.name]: text } });
        } catch (error) {
          assert.ok(saying(/./)(error), `--${flag.name}=${text}: ${String(error)}`);
        }
      }
    }
  });
});
