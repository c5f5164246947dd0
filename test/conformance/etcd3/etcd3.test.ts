import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  Etcd3,
  EtcdLeaseInvalidError,
  EtcdLockFailedError,
  type IKeyValue,
  type Lease,
  Range,
  type Watcher,
} from "etcd3";
import { ServerProcess } from "../../harness/index.ts";

// METASTORE_TEST_SERVER=etcd runs the same cases against the etcd on the PATH.
const kind = process.env["METASTORE_TEST_SERVER"] === "etcd" ? "etcd" : "metastore";

/** The events of a watcher, each as "put key=value" or "delete key". */
class Recorder {
  readonly seen: string[] = [];

  constructor(watcher: Watcher) {
    watcher.on("put", (kv: IKeyValue) => this.seen.push(`put ${kv.key}=${kv.value}`));
    watcher.on("delete", (kv: IKeyValue) => this.seen.push(`delete ${kv.key}`));
  }

  async until(count: number): Promise<string[]> {
    await eventually(`${count} events, saw ${this.seen.join(", ")}`, () => this.seen.length >= count);
    return this.seen;
  }
}

async function eventually(what: string, condition: () => boolean | Promise<boolean>, limitMs = 15_000) {
  const deadline = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > deadline) assert.fail(`not within ${limitMs} ms: ${what}`);
    await sleep(20);
  }
}

describe(`the npm etcd3 client against ${kind}`, function () {
  this.timeout(60_000);
  let folder: string;
  let server: ServerProcess;
  let root: Etcd3;
  let serial = 0;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "metastore-etcd3-"));
    server = await ServerProcess.start({ kind, folder });
    root = new Etcd3({ hosts: `http://${server.endpoint}` });
  });

  after(async () => {
    root.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const fresh = () => root.namespace(`case-${serial++}/`);

  it("puts and gets strings, numbers, buffers and JSON", async () => {
    const client = fresh();
    await client.put("text").value("héllo");
    await client.put("number").value(42);
    await client.put("bytes").value(Buffer.from([0, 255, 10, 128]));
    await client.put("json").value(JSON.stringify({ a: [1] }));
    assert.equal(await client.get("text").string(), "héllo");
    assert.equal(await client.get("number").number(), 42);
    assert.deepEqual(await client.get("bytes").buffer(), Buffer.from([0, 255, 10, 128]));
    assert.deepEqual(await client.get("json").json(), { a: [1] });
  });

  it("answers null for a missing key", async () => {
    assert.equal(await fresh().get("nothing").string(), null);
  });

  it("tells whether a key exists", async () => {
    const client = fresh();
    await client.put("a").value("1");
    assert.equal(await client.get("a").exists(), true);
    assert.equal(await client.get("b").exists(), false);
  });

  it("returns what a put replaced", async () => {
    const client = fresh();
    await client.put("a").value("old");
    const previous = await client.put("a").value("new").getPrevious();
    assert.equal(previous?.value.toString(), "old");
  });

  it("touches a key: a new revision, the same value", async () => {
    const client = fresh();
    await client.put("a").value("kept");
    await client.put("a").touch();
    const { kvs } = await client.get("a").exec();
    assert.equal(kvs[0]?.value.toString(), "kept");
    assert.equal(kvs[0]?.version, "2");
  });

  it("deletes one key, a prefix and everything in a range, with counts", async () => {
    const client = fresh();
    for (const key of ["a", "b/1", "b/2", "c", "d"]) await client.put(key).value(key);
    assert.equal((await client.delete().key("a").exec()).deleted, "1");
    assert.equal((await client.delete().key("a").exec()).deleted, "0");
    const removed = await client.delete().prefix("b/").getPrevious();
    assert.deepEqual(
      removed.map((kv) => kv.value.toString()),
      ["b/1", "b/2"],
    );
    assert.equal((await client.delete().range(new Range(Buffer.from("c"), Buffer.from("d")))).deleted, "1");
    assert.deepEqual(await client.getAll().keys(), ["d"]);
  });

  it("reads ranges with prefix, limit, sort, count and keys", async () => {
    const client = fresh();
    for (const [key, value] of [
      ["a", "3"],
      ["b", "1"],
      ["c", "2"],
    ] as const) {
      await client.put(key).value(value);
    }
    assert.deepEqual(await client.getAll().strings(), { a: "3", b: "1", c: "2" });
    assert.deepEqual(await client.getAll().numbers(), { a: 3, b: 1, c: 2 });
    assert.deepEqual(await client.getAll().sort("Value", "Descend").limit(2).keys(), ["a", "c"]);
    assert.equal(await client.getAll().count(), 3);
    assert.deepEqual(await client.getAll().prefix("b").keys(), ["b"]);
    assert.deepEqual(await client.getAll().inRange({ start: "b", end: "c" }).keys(), ["b"]);
  });

  it("reads the past by revision", async () => {
    const client = fresh();
    const { header } = await client.put("a").value("1");
    await client.put("a").value("2");
    assert.equal(await client.get("a").revision(header.revision).string(), "1");
    assert.equal(await client.get("a").string(), "2");
  });

  it("runs the branch of a transaction that its compares choose", async () => {
    const client = fresh();
    await client.put("a").value("1");
    const yes = await client
      .if("a", "Value", "==", "1")
      .and("a", "Version", ">", 0)
      .then(client.put("b").value("then"), client.get("a"))
      .else(client.put("b").value("else"))
      .commit();
    assert.equal(yes.succeeded, true);
    assert.equal(yes.responses.length, 2);
    assert.equal(await client.get("b").string(), "then");
    const no = await client.if("a", "Create", "==", 0).then(client.put("b").value("no")).commit();
    assert.equal(no.succeeded, false);
    assert.equal(await client.get("b").string(), "then");
  });

  it("loses no increment of racing software transactions", async () => {
    const client = fresh();
    await client.put("n").value(0);
    const increment = () =>
      client.stm({ retries: 50 }).transact(async (tx) => {
        const value = (await tx.get("n").number()) ?? 0;
        await tx.put("n").value(value + 1);
      });
    await Promise.all(Array.from({ length: 10 }, increment));
    assert.equal(await client.get("n").number(), 10);
  });

  it("watches a key and a prefix", async () => {
    const client = fresh();
    const one = await client.watch().key("a").create();
    const all = await client.watch().prefix("").create();
    const [first, second] = [new Recorder(one), new Recorder(all)];
    await client.put("a").value("1");
    await client.put("b").value("2");
    await client.delete().key("a");
    assert.deepEqual(await first.until(2), ["put a=1", "delete a"]);
    assert.deepEqual(await second.until(3), ["put a=1", "put b=2", "delete a"]);
    await one.cancel();
    await client.put("a").value("3");
    await second.until(4);
    assert.equal(first.seen.length, 2);
    await all.cancel();
  });

  it("watches from a past revision", async () => {
    const client = fresh();
    const { header } = await client.put("a").value("1");
    await client.put("a").value("2");
    const watcher = await client.watch().key("a").startRevision(header.revision).create();
    const recorder = new Recorder(watcher);
    assert.deepEqual(await recorder.until(2), ["put a=1", "put a=2"]);
    await watcher.cancel();
  });

  it("keeps a key while its lease is kept alive and drops it with the lease", async () => {
    const client = fresh();
    const lease = client.lease(2);
    await lease.put("a").value("1");
    await sleep(4_000);
    assert.equal(await client.get("a").string(), "1");
    await lease.revoke();
    assert.equal(await client.get("a").string(), null);
  });

  it("lets a lease expire when nobody keeps it alive", async () => {
    const client = fresh();
    const lease: Lease = client.lease(2, { autoKeepAlive: false });
    await lease.put("a").value("1");
    await eventually("the key is gone", async () => (await client.get("a").string()) === null);
    await assert.rejects(lease.keepaliveOnce(), EtcdLeaseInvalidError);
  });

  it("locks for one holder at a time", async () => {
    const client = fresh();
    const lock = client.lock("mutex").ttl(10);
    await lock.acquire();
    await assert.rejects(client.lock("mutex").ttl(10).acquire(), EtcdLockFailedError);
    await lock.release();
    assert.equal(await client.lock("mutex").do(() => "done"), "done");
  });

  it("elects one leader and passes on when it resigns", async () => {
    const client = fresh();
    const campaign = (name: string) => {
      const running = client.election("seat", 5).campaign(name);
      return new Promise<typeof running>((resolve, reject) => {
        running.on("elected", () => resolve(running));
        running.on("error", reject);
      });
    };
    const first = await campaign("one");
    assert.equal(await client.election("seat").leader(), "one");
    let passed = false;
    const second = campaign("two").then((running) => {
      passed = true;
      return running;
    });
    await sleep(300);
    assert.equal(passed, false);
    await first.resign();
    const running = await second;
    assert.equal(await client.election("seat").leader(), "two");
    await running.resign();
  });

  it("goes on watching over a restart of the server and misses nothing", async () => {
    const client = fresh();
    const watcher = await client.watch().prefix("").create();
    const recorder = new Recorder(watcher);
    await client.put("a").value("before");
    await recorder.until(1);
    await server.stop();
    server.spawn();
    await server.ready(30_000);
    const other = new Etcd3({ hosts: `http://${server.endpoint}` });
    await other
      .namespace(`case-${serial - 1}/`)
      .put("a")
      .value("after");
    await other
      .namespace(`case-${serial - 1}/`)
      .delete()
      .key("a");
    other.close();
    assert.deepEqual(await recorder.until(3), ["put a=before", "put a=after", "delete a"]);
    await watcher.cancel();
  });

  it("finds its keys again after a kill -9", async () => {
    const client = fresh();
    await client.put("a").value("kept");
    await server.kill();
    server.spawn();
    await server.ready(30_000);
    const other = new Etcd3({ hosts: `http://${server.endpoint}` });
    assert.equal(
      await other
        .namespace(`case-${serial - 1}/`)
        .get("a")
        .string(),
      "kept",
    );
    other.close();
  });

  it("reads member list and status", async () => {
    const { members } = await root.cluster.memberList({});
    assert.equal(members.length, 1);
    const status = await root.maintenance.status();
    assert.match(status.version, /^\d+\.\d+\.\d+/);
    assert.notEqual(status.leader, "0");
  });
});
