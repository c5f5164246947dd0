import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { SystemClock } from "../../../../src/lib/clock.ts";
import { Dialer } from "../../../../src/server/peer/dialer.ts";
import { fetchMembers, type PeerTls, peerLimits } from "../../../../src/server/peer/index.ts";
import { messageType } from "../../../../src/server/raft/index.ts";
import {
  introduce,
  isConnected,
  message,
  PeerWorld,
  rawConnection,
  snapshotMessage,
  stateOf,
  until,
} from "./peer-world.ts";

const pem = (name: string): Buffer =>
  readFileSync(fileURLToPath(new URL(`../../../suites/tls/${name}`, import.meta.url)));
const cert = pem("localhost.cert.pem");
const key = pem("localhost.key.pem");
const mutual: PeerTls = { cert, key, trustedCa: cert, isClientCertRequired: true };
const listen = [{ host: "127.0.0.1", port: 0, isTls: true }];

describe("Dialling other members", () => {
  it("refuses URLs that are none: MemberUpdate takes any text", () => {
    const dialer = new Dialer(undefined, peerLimits);
    for (const url of [
      "",
      "http://",
      "http://host",
      "http://host:0",
      "http://host:65536",
      "http://host:1/path",
      "http://user@host:1",
      "http://host:1?x",
      "unix://socket:1",
      "http://ho st:1",
      "http://host:1\r\nX: y",
      `http://${"a".repeat(300)}:1`,
    ]) {
      assert.throws(() => dialer.request({ url, method: "GET", path: "/", headers: {} }), /is no URL/, url);
    }
    dialer.close();
  });

  it("reaches IPv4 and IPv6 addresses, names, and a slash at the end", () => {
    const dialer = new Dialer(undefined, peerLimits);
    for (const url of [
      "http://127.0.0.1:1",
      "http://[::1]:1",
      "http://my-host_1.example:1",
      "http://localhost:1/",
    ]) {
      const request = dialer.request({ url, method: "GET", path: "/", headers: {} });
      request.on("error", () => {});
      request.destroy();
    }
    dialer.close();
  });

  describe("over TLS", () => {
    const world = new PeerWorld();
    afterEach(() => world.close());

    it("carries streams, snapshots, calls and the list of members, each side showing its certificate", async () => {
      const [a, b] = await world.cluster(2, { listen, tls: mutual });
      a!.network.send([message(messageType.heartbeat, 1n, 2n)]);
      a!.network.sendSnapshot(snapshotMessage(1n, 2n), stateOf([Buffer.alloc(400_000)]));
      const answer = await a!.network.call(2n, "hello", Buffer.from("x"), 3_000);
      assert.equal(Buffer.from(answer).toString(), "hello:x");
      await until(
        () => b!.handler.messages.length === 1 && a!.handler.snapshotsSent.length === 1,
        "all arrived",
      );
      assert.ok(a!.handler.snapshotsSent[0]!.succeeded);
      const { members } = await fetchMembers([b!.url], mutual, 2_000, new SystemClock());
      assert.equal(members[0]?.id, 2n);
    });

    it("refuses who shows no certificate, and says so in the log", async () => {
      const [a, b] = [
        await world.member(1n, { listen, tls: mutual }),
        await world.member(2n, { tls: undefined }),
      ];
      b.network.setPeers([{ id: 1n, peerUrls: [a.url] }]);
      b.network.start(b.handler);
      await until(() => a.log.count("rejected connection on peer endpoint") > 0, "refused");
      assert.ok(!isConnected(b, 1n));
      await assert.rejects(
        fetchMembers([a.url], { ...mutual, trustedCa: undefined }, 1_000, new SystemClock()),
      );
    });

    it("refuses a server whose authority is not trusted", async () => {
      const a = await world.member(1n, { listen, tls: { ...mutual, isClientCertRequired: false } });
      const b = await world.member(2n, { listen, tls: { ...mutual, trustedCa: undefined } });
      introduce(a, [a, b]);
      introduce(b, [a, b]);
      await until(() => b.log.count("cannot connect to peer; trying again") > 0, "refused");
      assert.ok(!isConnected(b, 1n));
    });

    it("survives plain text and handshakes that never end on its port", async () => {
      const a = await world.member(1n, { listen, tls: mutual, limits: { headersTimeoutMs: 100 } });
      const plain = new URL(a.url);
      plain.protocol = "http:";
      await assert.rejects(fetch(plain));
      const silent = await rawConnection(a.url);
      const half = await rawConnection(a.url);
      // The header of a record that never comes.
      half.socket.write(Buffer.from("1603010200", "hex"));
      await until(() => silent.isClosed && half.isClosed, "both closed");
      const { members } = await fetchMembers([a.url], mutual, 2_000, new SystemClock());
      assert.equal(members.length, 1);
    });
  });
});
