import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StorageFailure } from "../../../src/lib/errors.ts";
import { limits } from "../../../src/lib/limits.ts";
import { rocksSkipReason } from "../../suites/rocks-module.ts";
import { saying } from "./config-world.ts";
import { ServerWorld, tlsFile } from "./server-world.ts";

describe("A server", () => {
  let world: ServerWorld;

  beforeEach(() => {
    world = new ServerWorld();
  });

  afterEach(() => world.end());

  it("stores and gives back over gRPC, and answers HTTP on the same port", async () => {
    const server = await world.start();
    const client = world.connect(server);
    await client.kv.put("a", "1");
    assert.equal((await client.kv.get("a"))?.value.toString(), "1");
    const health = await fetch(`http://${server.addresses.client[0]}/health`);
    assert.deepEqual(await health.json(), { health: "true", reason: "" });
  });

  it("refuses a request above requestSizeBytesMax in etcd's words, and one above grpcOverheadBytes more in gRPC's", async () => {
    const client = world.connect(await world.start());
    await assert.rejects(
      client.kv.put("a", "x".repeat(limits.requestSizeBytesMax + 64)),
      /etcdserver: request is too large/,
    );
    await assert.rejects(
      client.kv.put("a", "x".repeat(limits.requestSizeBytesMax + limits.grpcOverheadBytes)),
      /received message larger than max/,
    );
    await client.kv.put("a", "x".repeat(limits.requestSizeBytesMax - 100));
  });

  it("has etcd's ids when it is started without flags, and tells clients the port it has", async () => {
    const server = await world.start();
    assert.equal(server.memberId.toString(16), "8e9e05c52164694d");
    assert.equal(server.clusterId.toString(16), "cdf818194e3a8c32");
    const { members } = await world.connect(server).cluster.memberList();
    assert.deepEqual(
      members.map(({ id, name, clientUrls, peerUrls }) => ({ id, name, clientUrls, peerUrls })),
      [
        {
          id: server.memberId,
          name: "default",
          clientUrls: [`http://${server.addresses.client[0]}`],
          peerUrls: ["http://localhost:2380"],
        },
      ],
    );
  });

  it("finds its keys and its identity again after a restart, whatever the flags say then", async () => {
    const first = await world.start();
    await world.connect(first).kv.put("a", "1");
    await first.close();
    const second = await world.start({ "initial-cluster-token": "another" });
    assert.equal(second.memberId, first.memberId);
    assert.equal(second.clusterId, first.clusterId);
    assert.equal((await world.connect(second).kv.get("a"))?.value.toString(), "1");
  });

  it("finds its keys again with its records on disk, and refuses to start with the other engine", async function () {
    if (rocksSkipReason !== undefined) {
      console.log(`      ${rocksSkipReason}`);
      this.skip();
    }
    const first = await world.start({ storage: "rocksdb" });
    const client = world.connect(first);
    for (let i = 0; i < 50; i++) await client.kv.put(`k${i}`, `${i}`);
    await client.kv.delete("k1");
    await first.close();
    await assert.rejects(world.start(), (error: Error & { hint?: string }) => {
      assert.match(error.message, /kept by --storage rocksdb, .* started with --storage memory/);
      assert.match(error.hint ?? "", /snapshot save .* snapshot restore .*--storage memory/s);
      return true;
    });
    const again = world.connect(await world.start({ storage: "rocksdb" }));
    assert.equal((await again.kv.get("k49"))?.value.toString(), "49");
    assert.equal(await again.kv.get("k1"), undefined);
    await again.kv.put("k1", "anew");
    assert.equal((await again.kv.get("k1"))?.value.toString(), "anew");
  });

  it("refuses a data directory that another server uses, and does not disturb that one", async () => {
    const server = await world.start();
    await assert.rejects(world.start(), saying(/data/));
    await world.connect(server).kv.put("a", "1");
  });

  it("says which port is in use and what to do, and lets go of its data directory", async () => {
    const server = await world.start();
    const taken = `http://${server.addresses.client[0]}`;
    const other = join(world.folder, "other");
    await assert.rejects(
      world.start({ "data-dir": other, "listen-client-urls": taken }),
      (error: Error & { hint?: string }) => {
        assert.match(error.message, /^cannot listen: .*EADDRINUSE/);
        assert.match(error.hint ?? "", /--listen-client-urls/);
        return true;
      },
    );
    await world.start({ "data-dir": other });
  });

  it("says so when an address is not its own to listen on", async () => {
    await assert.rejects(
      world.start({ "listen-client-urls": "http://192.0.2.1:0" }),
      saying(/^cannot listen: .*EADDRNOTAVAIL/),
    );
  });

  it("names the damage when its data cannot be trusted, and leaves the files as they are", async () => {
    await (await world.start()).close();
    const folder = join(world.folder, "data/member/wal");
    const path = join(folder, readdirSync(folder).sort()[0] ?? "");
    const damaged = readFileSync(path);
    damaged[20]! ^= 1;
    writeFileSync(path, damaged);
    await assert.rejects(world.start(), (error: Error) => {
      assert.ok(error instanceof StorageFailure);
      assert.match(error.message, /wal/);
      assert.notEqual(error.hint, "");
      return true;
    });
    assert.deepEqual(readFileSync(path), damaged);
  });

  it("serves TLS alone where the URL says https", async () => {
    const server = await world.start({
      "listen-client-urls": "https://127.0.0.1:0",
      "cert-file": tlsFile("cert"),
      "key-file": tlsFile("key"),
    });
    const client = world.connect(server, { ca: readFileSync(tlsFile("cert")) });
    await client.kv.put("a", "1");
    assert.equal((await client.kv.get("a"))?.value.toString(), "1");
    await assert.rejects(fetch(`http://${server.addresses.client[0]}/health`));
  });

  it("says which certificate it cannot read or use", async () => {
    const listen = { "listen-client-urls": "https://127.0.0.1:0", "key-file": tlsFile("key") };
    const missing = join(world.folder, "missing.pem");
    await assert.rejects(world.start({ ...listen, "cert-file": missing }), saying(/missing\.pem/));
    const noCertificate = join(world.folder, "no-certificate.pem");
    writeFileSync(noCertificate, "no certificate");
    await assert.rejects(
      world.start({ ...listen, "cert-file": noCertificate }),
      saying(/no-certificate\.pem/),
    );
  });

  it("serves metrics and the plain key API on ports of their own when told to", async () => {
    const server = await world.start({
      "listen-metrics-urls": "http://127.0.0.1:0",
      port: 0,
    });
    const metrics = await (await fetch(`http://${server.addresses.metrics[0]}/metrics`)).text();
    assert.match(metrics, /^etcd_server_has_leader 1$/m);
    const key = `http://${server.addresses.keys}/a`;
    await fetch(key, { method: "PUT", body: "1" });
    assert.equal((await world.connect(server).kv.get("a"))?.value.toString(), "1");
    assert.equal((await fetch(`http://${server.addresses.metrics[0]}/a`)).status, 404);
  });

  it("compacts by itself when told to, and logs what it was started with and has ignored", async () => {
    const server = await world.start({
      "auto-compaction-mode": "periodic",
      "auto-compaction-retention": "1s",
      "unsafe-no-fsync": true,
    });
    const client = world.connect(server);
    for (let i = 0; i < 10; i++) await client.kv.put("a", `${i}`);
    const deadline = Date.now() + 10_000;
    const isCompacted = () => world.logged().includes("completed auto periodic compaction");
    while (!isCompacted() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(isCompacted());
    assert.ok(world.logged().some((message) => message.includes("unsafe-no-fsync")));
    assert.ok(world.logged().includes("ready to serve client requests"));
  });

  it("closes once however often it is told to, and answers nothing afterwards", async () => {
    const server = await world.start();
    const client = world.connect(server);
    await client.kv.put("a", "1");
    await Promise.all([server.close(), server.close()]);
    await server.close();
    await assert.rejects(fetch(`http://${server.addresses.client[0]}/health`));
    assert.equal(world.logged().filter((message) => message === "closed the server").length, 1);
  });
});
