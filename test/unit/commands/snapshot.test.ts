import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type MetaStoreClient, op, prefix } from "../../../src/client/index.ts";
import { encodeSnapshotResponse } from "../../../src/codec/index.ts";
import { createPrng } from "../../../src/lib/prng.ts";
import { findProgram } from "../../harness/index.ts";
import { startFakeServer, stopFakeServers } from "../client/fake-server.ts";
import { buildCli } from "./cli-build.ts";
import {
  cleanUp,
  freePort,
  metastore,
  shell,
  startTestServer,
  type TestServer,
  temporaryFolder,
} from "./cli-process.ts";

interface Ran {
  readonly exitCode: number | null;
  readonly out: string;
  readonly err: string;
}

async function run(args: readonly string[], endpoint = "", stdin: Buffer | string = ""): Promise<Ran> {
  const { exitCode, stdout, stderr } = await metastore(args, {
    stdin,
    env: endpoint === "" ? {} : { METASTORE_ENDPOINTS: endpoint },
  });
  return { exitCode, out: stdout.toString("utf8"), err: stderr };
}

async function succeeds(...args: Parameters<typeof run>): Promise<string> {
  const { exitCode, out, err } = await run(...args);
  assert.equal(exitCode, 0, `${args[0].join(" ")}: ${err}`);
  return out;
}

describe("The snapshot commands, as processes", function () {
  this.timeout(60_000);
  const clients: MetaStoreClient[] = [];
  const clientOf = (endpoint: string): MetaStoreClient => {
    const client = connect({ endpoints: endpoint });
    clients.push(client);
    return client;
  };
  let server: TestServer;
  let folder: string;
  /** A backup of the server's first keys. */
  let backup: string;

  before(async () => {
    folder = temporaryFolder();
    backup = join(folder, "first.snap");
    server = await startTestServer();
    const { kv, lease } = clientOf(server.endpoint);
    for (let i = 0; i < 40; i++) await kv.put(`key/${i % 25}`, `value ${i}`.padEnd(900, "."));
    await kv.delete("key/3");
    const leased = await lease.grant(3_600);
    await kv.put("leased", "x", { lease: leased.id });
    await succeeds(["snapshot", "save", backup], server.endpoint);
  });
  after(() => {
    for (const client of clients) client.close();
    stopFakeServers();
    cleanUp();
  });

  it("save what etcdutl's columns, a table and a record tell of", async () => {
    const { kv } = clientOf(server.endpoint);
    const { revision } = (await kv.range("none")).header;
    const path = join(folder, "told.snap");
    const lines = (await succeeds(["snapshot", "save", path], server.endpoint)).split("\n");
    assert.equal(lines[0], `Snapshot saved at ${path}`);
    const [hash, ...columns] = lines[1]!.split(", ");
    assert.match(hash!, /^[0-9a-f]{8}$/);
    assert.deepEqual(columns.slice(0, 2), [String(revision), "25"]);
    assert.equal(columns[3], "3.6.0");
    assert.equal(await succeeds(["snapshot", "status", path]), `${lines[1]}\n`);
    const record = JSON.parse(await succeeds(["snapshot", "status", path, "-o", "json"]));
    assert.equal(record.hash, Number.parseInt(hash!, 16));
    assert.deepEqual(
      [record.revision, record.totalKey, record.records, record.leases],
      [revision, 25, 42, 1],
    );
    assert.deepEqual([record.version, record.totalSize % 512], ["3.6.0", 32]);
    assert.ok(Math.abs(Date.parse(record.takenAt) - Date.now()) < 60_000);
    const table = await succeeds(["snapshot", "status", path, "-o", "table"]);
    assert.match(table, new RegExp(`\\nrevision +${revision}\\n[\\s\\S]*\\nsha256 +${record.sha256}\\n`));
    const saved = JSON.parse(await succeeds(["snapshot", "save", path, "-o", "json"], server.endpoint));
    assert.deepEqual([saved.file, saved.endpoint, saved.hash], [path, server.endpoint, record.hash]);
  });

  it("stream through pipes, with the remarks on stderr", async () => {
    const env = { METASTORE_ENDPOINTS: server.endpoint };
    const piped = await shell("metastore snapshot save - | gzip | gunzip | metastore snapshot status -", env);
    assert.equal(piped.exitCode, 0, piped.stderr);
    assert.match(piped.stderr, /^snapshot of 127\.0\.0\.1:\d+: [0-9a-f]{8}, /);
    assert.match(piped.stdout.toString(), /^[0-9a-f]{8}, \d+, 25, /);
    const dataDir = join(temporaryFolder(), "data");
    const restored = await shell(`metastore snapshot restore - --data-dir ${dataDir} < ${backup}`);
    assert.match(restored.stdout.toString(), /^Restored revision \d+ with 25 keys into /);
    assert.deepEqual(readdirSync(dataDir), ["member"]);
  });

  it("are what etcdctl saves too", async function () {
    const etcdctl = findProgram("etcdctl");
    if (etcdctl === undefined) {
      console.log("      there is no etcdctl on the PATH: skipped");
      this.skip();
    }
    const path = join(folder, "etcdctl.snap");
    const env = { ETCDCTL_API: "3", ETCDCTL_ENDPOINTS: server.endpoint };
    const saved = await shell(`${etcdctl} snapshot save ${path}`, env);
    assert.equal(saved.exitCode, 0, saved.stderr);
    assert.match(saved.stdout.toString(), /Snapshot saved at /);
    const [hash] = (await succeeds(["snapshot", "status", path])).split(",");
    assert.match(hash!, /^[0-9a-f]{8}$/);
    const dataDir = join(temporaryFolder(), "data");
    await succeeds(["snapshot", "restore", path, "--data-dir", dataDir]);
  });

  it("save a consistent state under load, which a restored server has, revision by revision", async () => {
    const client = clientOf(server.endpoint);
    let isOver = false;
    let writes = 0;
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      while (!isOver) {
        // Both keys in one revision: a backup has both or none.
        await client.kv
          .txn()
          .do(
            op.put(`load/a/${writer}/${writes % 200}`, `${writes}`),
            op.put(`load/b/${writer}/${writes % 200}`, `${writes}`),
          )
          .commit();
        writes++;
      }
    });
    const paths = [1, 2].map((i) => join(folder, `load-${i}.snap`));
    const before = writes;
    for (const path of paths) await succeeds(["snapshot", "save", path], server.endpoint);
    assert.ok(writes > before, "writes went on");
    isOver = true;
    await Promise.all(writers);
    for (const path of paths) {
      const { revision } = JSON.parse(await succeeds(["snapshot", "status", path, "-o", "json"]));
      const dataDir = temporaryFolder();
      await succeeds(["snapshot", "restore", path, "--data-dir", join(dataDir, "data")]);
      const restored = await startTestServer({ dataDir });
      const other = clientOf(restored.endpoint);
      const hashes = await Promise.all(
        [client, other].map(async ({ maintenance }) => (await maintenance.hashKv(revision)).hash),
      );
      assert.equal(hashes[0], hashes[1], `revision ${revision}`);
      const valuesOf = async (side: string) =>
        (await other.kv.range(prefix(`load/${side}/`))).kvs.map((kv) => kv.string());
      assert.deepEqual(await valuesOf("a"), await valuesOf("b"));
      assert.equal((await other.kv.put("after", "1")).header.revision, revision + 1);
      await restored.stop();
    }
  });

  it("make a cluster of three members that are restored from one backup", async () => {
    const peers = [await freePort(), await freePort(), await freePort()].map(
      (port) => `http://127.0.0.1:${port}`,
    );
    const cluster = peers.map((url, i) => `n${i + 1}=${url}`).join(",");
    const folders = peers.map(() => temporaryFolder());
    const records: { clusterId: string; memberId: string; command: string }[] = [];
    for (const [i, url] of peers.entries()) {
      const flags = [
        "--name",
        `n${i + 1}`,
        "--initial-cluster",
        cluster,
        "--initial-advertise-peer-urls",
        url,
      ];
      const args = ["snapshot", "restore", backup, "--data-dir", join(folders[i]!, "data"), ...flags];
      records.push(JSON.parse(await succeeds([...args, "-o", "json"])));
    }
    assert.equal(new Set(records.map(({ clusterId }) => clusterId)).size, 1);
    assert.equal(new Set(records.map(({ memberId }) => memberId)).size, 3);
    assert.match(records[1]!.command, new RegExp(`--name n2 --initial-advertise-peer-urls ${peers[1]} `));
    const flagsOf = (i: number, name: string) => [
      `--name=${name}`,
      `--initial-cluster=${cluster}`,
      `--initial-advertise-peer-urls=${peers[i]}`,
    ];
    // The data of n2 under the flags of n1.
    await assert.rejects(
      startTestServer({ dataDir: folders[1]!, flags: flagsOf(0, "n1") }),
      /serve ended with 2:[\s\S]*was restored as the member at[\s\S]*Try: /,
    );
    await assert.rejects(
      startTestServer({ dataDir: folders[1]!, flags: [`--listen-peer-urls=${peers[1]}`] }),
      /serve ended with 2:[\s\S]*was restored as the member at/,
    );
    const servers = await Promise.all(
      folders.map((dataDir, i) => startTestServer({ dataDir, flags: flagsOf(i, `n${i + 1}`) })),
    );
    const endpoints = servers.map(({ endpoint }) => endpoint);
    const { members } = await clientOf(endpoints[2]!).cluster.memberList();
    assert.deepEqual(members.map(({ name }) => name).sort(), ["n1", "n2", "n3"]);
    await clientOf(endpoints[0]!).kv.put("after", "restore");
    const { revision } = JSON.parse(await succeeds(["snapshot", "status", backup, "-o", "json"]));
    for (const endpoint of endpoints) {
      const { kv, maintenance, lease } = clientOf(endpoint);
      assert.equal((await kv.get("after"))?.string(), "restore");
      assert.equal((await kv.get("key/7"))?.string().trimEnd().startsWith("value 32"), true);
      const hash = (await clientOf(server.endpoint).maintenance.hashKv(revision)).hash;
      assert.equal((await maintenance.hashKv(revision)).hash, hash);
      assert.equal((await lease.list()).length, 1);
    }
    await servers[0]!.stop();
    await clientOf(endpoints.slice(1).join(",")).kv.put("with", "two of three");
    await Promise.all(servers.slice(1).map((each) => each.stop()));
  });

  it("refuse a backup with one wrong byte, cut off, or that is none, with 74, and leave all as it was", async () => {
    const whole = readFileSync(backup);
    const prng = createPrng(7);
    const damaged = join(folder, "damaged.snap");
    const target = join(folder, "never");
    const cases = [
      ...[0, 300, prng.below(whole.length), whole.length - 1].map((at) => {
        const bytes = Buffer.from(whole);
        bytes[at] = bytes[at]! ^ 0x10;
        return bytes;
      }),
      whole.subarray(0, whole.length - 1),
      Buffer.from("no snapshot at all, but a text"),
    ];
    for (const bytes of cases) {
      writeFileSync(damaged, bytes);
      const status = await run(["snapshot", "status", damaged]);
      assert.equal(status.exitCode, 74, status.err);
      assert.match(status.err, /^Error: .*damaged\.snap[\s\S]*\nTry: {3}/);
      const piped = await run(["snapshot", "restore", "-", "--data-dir", target], "", bytes);
      assert.equal(piped.exitCode, 74, piped.err);
      const restored = await run(["snapshot", "restore", damaged, "--data-dir", target]);
      assert.equal(restored.exitCode, 74, restored.err);
      assert.equal(existsSync(target), false);
    }
  });

  it("refuse what nobody can have meant with 2", async () => {
    const used = join(folder, "used");
    mkdirSync(used);
    writeFileSync(join(used, "mine"), "");
    const target = join(folder, "never");
    const restore = ["snapshot", "restore", backup, "--data-dir"];
    const cases: [string[], RegExp][] = [
      [[...restore, used], /not empty/],
      [["snapshot", "restore", join(folder, "none"), "--data-dir", target], /cannot read .*none/],
      [["snapshot", "restore", backup], /data-dir/],
      [[...restore, target, "--bump-revision", "5"], /belong together/],
      [[...restore, target, "--mark-compacted"], /belong together/],
      [
        [...restore, target, "--name", "x", "--initial-cluster", "y=http://h:1"],
        /couldn't find local name "x"/,
      ],
      [["snapshot", "status", join(folder, "none")], /cannot read .*none/],
      [["snapshot", "save", folder], /is a directory/],
      [["snapshot", "save", join(folder, "none", "b.snap")], /cannot create/],
    ];
    for (const [args, pattern] of cases) {
      const { exitCode, err } = await run(args, server.endpoint);
      assert.equal(exitCode, 2, `${args.join(" ")}: ${err}`);
      assert.match(err, pattern);
    }
    assert.deepEqual(readdirSync(used), ["mine"]);
    assert.equal(existsSync(target), false);
  });

  it("leave revisions out when told to, so that watches of earlier ones end", async () => {
    const dataDir = temporaryFolder();
    const bumped = ["--bump-revision", "1000000", "--mark-compacted"];
    const args = [
      "snapshot",
      "restore",
      backup,
      "--data-dir",
      join(dataDir, "data"),
      ...bumped,
      "-o",
      "json",
    ];
    const record = JSON.parse(await succeeds(args));
    const { revision } = JSON.parse(await succeeds(["snapshot", "status", backup, "-o", "json"]));
    assert.deepEqual([record.revision, record.compactRevision], [revision + 1_000_000, revision + 1_000_000]);
    const restored = await startTestServer({ dataDir });
    const { kv } = clientOf(restored.endpoint);
    assert.equal((await kv.put("k", "v")).header.revision, revision + 1_000_001);
    await assert.rejects(kv.get("k", { revision }), /compacted/);
    const again = await run(["watch", "k", "--rev", String(revision)], restored.endpoint);
    assert.equal(again.exitCode, 8, again.err);
    await restored.stop();
  });

  it("leave no draft and the older backup when the server goes silent, breaks off or Ctrl-C comes", async () => {
    const half = readFileSync(backup).subarray(0, 3_000);
    const message = encodeSnapshotResponse({ header: undefined, remainingBytes: 9, blob: half, version: "" });
    const silent = await startFakeServer({
      read: { "Maintenance/Snapshot": (call) => void call.write(message) },
    });
    const ending = await startFakeServer({
      read: {
        "Maintenance/Snapshot": (call) => {
          call.write(message);
          call.end();
        },
      },
    });
    const drafts = temporaryFolder();
    const path = join(drafts, "b.snap");
    writeFileSync(path, "an older backup");
    const timedOut = await run(["snapshot", "save", path, "--timeout", "300ms"], silent.endpoint);
    assert.equal(timedOut.exitCode, 4, timedOut.err);
    const cutOff = await run(["snapshot", "save", path], ending.endpoint);
    assert.equal(cutOff.exitCode, 74, cutOff.err);
    const root = await buildCli();
    const child = spawn(
      process.execPath,
      [join(root, "bin/run.js"), "snapshot", "save", path, "--endpoints", silent.endpoint, "--timeout", "1m"],
      { stdio: "ignore" },
    );
    const ended = once(child, "exit");
    while (readdirSync(drafts).length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    child.kill("SIGINT");
    assert.deepEqual(await ended, [130, null]);
    assert.deepEqual(readdirSync(drafts), ["b.snap"]);
    assert.equal(readFileSync(path, "utf8"), "an older backup");
  });

  it("end with 4 when no server answers", async () => {
    const { exitCode } = await run(
      ["snapshot", "save", join(folder, "nobody.snap")],
      `127.0.0.1:${await freePort()}`,
    );
    assert.equal(exitCode, 4);
    assert.equal(existsSync(join(folder, "nobody.snap")), false);
  });
});
