import assert from "node:assert/strict";
import { load, saying } from "./config-world.ts";

describe("How a member speaks with the others", () => {
  it("has etcd's defaults", () => {
    const { peers, warnings } = load();
    assert.deepEqual(peers, {
      self: { name: "default", peerUrls: ["http://localhost:2380"] },
      members: [{ name: "default", peerUrls: ["http://localhost:2380"] }],
      state: "new",
      token: "etcd-cluster",
      listeners: [{ host: "localhost", port: 2380, isTls: false, url: "http://localhost:2380" }],
      tls: undefined,
      isStrictReconfig: true,
      learnersMax: 1,
      isPreVote: true,
      isElectionTickAdvanced: true,
      snapshotCatchUpEntries: 5_000,
    });
    assert.deepEqual(warnings, []);
  });

  it("reads the flags of consensus and of member changes", () => {
    const { peers, warnings } = load({
      flags: {
        "strict-reconfig-check": false,
        "max-learners": "2",
        "pre-vote": "false",
        "initial-election-tick-advance": false,
        "snapshot-catchup-entries": "0",
      },
    });
    assert.deepEqual(
      [
        peers.isStrictReconfig,
        peers.learnersMax,
        peers.isPreVote,
        peers.isElectionTickAdvanced,
        peers.snapshotCatchUpEntries,
      ],
      [false, 2, false, false, 0],
    );
    assert.deepEqual(warnings, []);
    assert.throws(() => load({ flags: { "max-learners": "0" } }), saying(/whole number/));
    assert.throws(() => load({ flags: { "snapshot-catchup-entries": "-1" } }), saying(/whole number/));
  });

  it("listens where it says it is: on an address itself, for a name on all interfaces", () => {
    const listening = (urls: string) =>
      load({ flags: { "initial-advertise-peer-urls": urls } }).peers.listeners.map(({ url }) => url);
    assert.deepEqual(listening("http://127.0.0.1:5"), ["http://127.0.0.1:5"]);
    assert.deepEqual(listening("http://[::1]:5"), ["http://[::1]:5"]);
    assert.deepEqual(listening("http://host.example:5"), ["http://0.0.0.0:5"]);
    assert.deepEqual(listening("http://a.example:5,http://b.example:5"), ["http://0.0.0.0:5"]);
    const cluster = "http://a.example:5,http://b.example:6";
    assert.deepEqual(
      load({ flags: { id: 2, cluster } }).peers.listeners.map(({ host, port }) => [host, port]),
      [["0.0.0.0", 6]],
    );
  });

  it("listens where it is told, and warns when others would not find it there", () => {
    const flags = { "listen-peer-urls": "http://0.0.0.0:7" };
    assert.deepEqual(load({ flags }).peers.listeners, [
      { host: "0.0.0.0", port: 7, isTls: false, url: "http://0.0.0.0:7" },
    ]);
    assert.match(
      load({ flags }).warnings.join(),
      /told to find this one at http:\/\/localhost:2380, where it does/,
    );
    const advertised = { ...flags, "initial-advertise-peer-urls": "http://host.example:7" };
    assert.deepEqual(load({ flags: advertised }).warnings, []);
    assert.throws(
      () => load({ flags: { "listen-peer-urls": "http://host.example:7" } }),
      saying(/IP address/),
    );
    assert.throws(() => load({ flags: { "listen-peer-urls": "," } }), saying(/names no URL/));
  });

  it("wants a certificate for https, both its parts, and https for a certificate", () => {
    const https = { "initial-advertise-peer-urls": "https://127.0.0.1:5" };
    const pair = { "peer-cert-file": "c.pem", "peer-key-file": "k.pem" };
    assert.throws(
      () => load({ flags: https }),
      saying(
        /^TLS key\/cert \(--peer-cert-file, --peer-key-file\) must be provided for peer url https:\/\/127.0.0.1:5 with HTTPS scheme$/,
      ),
    );
    assert.throws(() => load({ flags: { ...https, "peer-cert-file": "c" } }), saying(/belong together/));
    assert.throws(() => load({ flags: { ...https, "peer-key-file": "k" } }), saying(/belong together/));
    assert.deepEqual(load({ flags: { ...https, ...pair } }).peers.tls, {
      certFile: "c.pem",
      keyFile: "k.pem",
      trustedCaFile: undefined,
      isClientCertRequired: false,
    });
    const plain = load({ flags: pair });
    assert.equal(plain.peers.tls, undefined);
    assert.match(plain.warnings.join(), /peer traffic is not encrypted/);
  });

  it("asks members for certificates when an authority is given, and needs one to ask", () => {
    const https = {
      "initial-advertise-peer-urls": "https://127.0.0.1:5",
      "peer-cert-file": "c",
      "peer-key-file": "k",
    };
    const tls = load({ flags: { ...https, "peer-trusted-ca-file": "ca" } }).peers.tls;
    assert.deepEqual([tls?.trustedCaFile, tls?.isClientCertRequired], ["ca", true]);
    assert.throws(() => load({ flags: { ...https, "peer-client-cert-auth": true } }), saying(/needs the CA/));
    assert.throws(
      () => load({ flags: { "peer-trusted-ca-file": "ca" } }),
      saying(/without a certificate of this member/),
    );
  });

  it("needs no certificate of its own to dial others by https", () => {
    const flags = { id: 1, cluster: "http://127.0.0.1:1,https://host.example:2" };
    assert.equal(load({ flags }).peers.tls, undefined);
    const pair = { "peer-cert-file": "c", "peer-key-file": "k" };
    assert.equal(load({ flags: { ...flags, ...pair } }).peers.tls?.certFile, "c");
  });
});
