import assert from "node:assert/strict";
import { load, saying } from "./config-world.ts";

const loadFile = (text: string) => load({ flags: { "config-file": "c.yml" }, files: { "c.yml": text } });

describe("The configuration file", () => {
  it("has etcd's keys, with lists as text or YAML lists", () => {
    const config = loadFile(`
name: n1
data-dir: /data
listen-client-urls: http://127.0.0.1:1,http://127.0.0.1:2
listen-metrics-urls:
  - http://127.0.0.1:3
  - http://127.0.0.1:4
heartbeat-interval: 50
warning-apply-duration: 5000000
auto-compaction-mode: revision
auto-compaction-retention: "1000"
log-outputs: [stderr]
`);
    assert.equal(config.name, "n1");
    assert.equal(config.dataDir, "/data");
    assert.deepEqual(
      config.clientListeners.map(({ port }) => port),
      [1, 2],
    );
    assert.deepEqual(
      config.metricsListeners.map(({ port }) => port),
      [3, 4],
    );
    assert.equal(config.heartbeatIntervalMs, 50);
    assert.equal(config.slowApplyMs, 5);
    assert.deepEqual(config.autoCompaction, { kind: "revision", retentionRevisions: 1_000 });
  });

  it("has durations as whole nanoseconds, as etcd writes them, or as text", () => {
    assert.equal(loadFile("grpc-keepalive-timeout: 10000000000").keepalive.timeoutMs, 10_000);
    assert.equal(loadFile("grpc-keepalive-timeout: 10s").keepalive.timeoutMs, 10_000);
  });

  it("has TLS in a section of its own", () => {
    const config = loadFile(`
listen-client-urls: https://127.0.0.1:1
client-transport-security:
  cert-file: c.pem
  key-file: k.pem
  client-cert-auth: true
  trusted-ca-file: ca.pem
  auto-tls: false
peer-transport-security:
  cert-file:
`);
    assert.deepEqual(config.tls, { certFile: "c.pem", keyFile: "k.pem", trustedCaFile: "ca.pem" });
    assert.deepEqual(config.warnings, []);
  });

  it("refuses in a section what it refuses as a flag", () => {
    assert.throws(
      () => loadFile("client-transport-security:\n  auto-tls: true\n"),
      saying(
        /^auto-tls in c\.yml is not supported|client-transport-security\.auto-tls in c\.yml is not supported/,
      ),
    );
  });

  it("leaves empty values at their default and warns of unknown keys", () => {
    const config = loadFile("name: ''\ndata-dir:\nnonsense: 1\nclient-transport-security:\n  oops: 2\n");
    assert.equal(config.name, "default");
    assert.deepEqual(config.warnings, [
      "c.yml: the key nonsense is not known and ignored",
      "c.yml: the key client-transport-security.oops is not known and ignored",
    ]);
  });

  it("may be empty", () => {
    for (const text of ["", "# nothing\n", "---\n"]) assert.equal(loadFile(text).name, "default");
  });

  it("starts with etcd's own sample", () => {
    const config = loadFile(`
name: 'default'
data-dir:
wal-dir:
snapshot-count: 10000
heartbeat-interval: 100
election-timeout: 1000
quota-backend-bytes: 0
listen-peer-urls: http://localhost:2380
listen-client-urls: http://localhost:2379
max-wals: 5
cors:
initial-advertise-peer-urls: http://localhost:2380
advertise-client-urls: http://localhost:2379
discovery-fallback: 'proxy'
initial-cluster:
initial-cluster-token: 'etcd-cluster'
initial-cluster-state: 'new'
strict-reconfig-check: false
enable-pprof: true
log-level: debug
logger: zap
log-outputs: [stderr]
force-new-cluster: false
auto-compaction-mode: periodic
auto-compaction-retention: "1"
`);
    assert.deepEqual(config.autoCompaction, { kind: "periodic", retentionMs: 3_600_000 });
    assert.equal(config.log.level, "debug");
  });

  it("is refused with the line when it is no YAML, and with the key when a shape is wrong", () => {
    assert.throws(() => loadFile("name: [unclosed"), saying(/c\.yml is no valid YAML: .*line 1/));
    assert.throws(() => loadFile("a: 1\na: 2"), saying(/no valid YAML/));
    assert.throws(() => loadFile("- a\n- b"), saying(/holds no keys/));
    assert.throws(() => loadFile("client-transport-security: 3"), saying(/holds no keys/));
    assert.throws(
      () => loadFile("name:\n  first: x"),
      saying(/name in c\.yml has a value of the wrong shape/),
    );
  });

  it("cannot be blown up by aliases", () => {
    const bomb = `a: &a [x, x, x]\n${"bcdefghij"
      .split("")
      .map((name, i) => `${name}: &${name} [${Array(9).fill(`*${"abcdefghi"[i]}`).join(",")}]`)
      .join("\n")}`;
    assert.throws(() => loadFile(bomb), saying(/c\.yml/));
  });
});
