import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type MetaStoreClient } from "../../../src/client/index.ts";
import {
  cleanUp,
  freePort,
  metastore,
  shell,
  startTestServer,
  type TestServer,
  temporaryFolder,
} from "./cli-process.ts";

describe("the CLI against a server of its own, as processes", function () {
  this.timeout(30_000);
  let server: TestServer;
  let env: Record<string, string>;
  /** Puts what a test needs to find, without the cost of a process. */
  let client: MetaStoreClient;
  const run = (args: string[], stdin: string | Buffer = "") => metastore(args, { stdin, env });
  const text = async (args: string[]): Promise<string> => (await run(args)).stdout.toString("utf8");

  before(async () => {
    server = await startTestServer();
    env = { METASTORE_ENDPOINTS: server.endpoint };
    client = connect({ endpoints: server.endpoint });
  });
  after(async () => {
    client.close();
    assert.equal(await server.stop(), 0);
    cleanUp();
  });

  it("stores a megabyte of random bytes from stdin and gives it back unchanged", async () => {
    const file = join(temporaryFolder(), "f");
    writeFileSync(file, randomBytes(1_000_000));
    const { exitCode, stderr } = await shell(
      `metastore put k - < ${file} && metastore get k --raw | cmp - ${file}`,
      env,
    );
    assert.equal(exitCode, 0, stderr);
    const other = await shell(`metastore put k2 --file ${file} && metastore get k2 | cmp - ${file}`, env);
    assert.equal(other.exitCode, 0, other.stderr);
  });

  it("waits for stdin to end and stores every byte of it", async () => {
    assert.equal((await shell("(sleep 1; echo v) | metastore put slow -", env)).exitCode, 0);
    assert.equal(await text(["get", "slow"]), "v\n");
  });

  it("ends get of a missing key with 3, silent on stdout", async () => {
    const { exitCode, stdout, stderr } = await run(["get", "nokey"]);
    assert.equal(exitCode, 3);
    assert.equal(stdout.length, 0);
    assert.equal(stderr, 'Error: key "nokey" does not exist\n');
  });

  it("ends a watch with 0 when its reader has gone, without waiting for another change", async () => {
    const { revision } = (await client.kv.put("ab", "1")).header;
    const { exitCode, stdout, tookMs } = await shell(
      `metastore watch a --prefix --rev ${revision} -o jsonl | head -1`,
      env,
    );
    assert.equal(exitCode, 0);
    const record = JSON.parse(stdout.toString("utf8"));
    assert.equal(record.type, "put");
    assert.equal(record.key, "ab");
    assert.equal(record.value, "1");
    assert.ok(tookMs < 8_000, `${tookMs} ms`);
  });

  it("says what to do when the server is stopped, and exits 4 within the timeout", async () => {
    const endpoint = `127.0.0.1:${await freePort()}`;
    const { exitCode, stderr, stdout, tookMs } = await metastore(["get", "a", "--timeout", "2s"], {
      env: { METASTORE_ENDPOINTS: endpoint },
    });
    assert.equal(exitCode, 4);
    assert.equal(stdout.length, 0);
    assert.match(
      stderr,
      new RegExp(`^Error: cannot reach ${endpoint}\nWhy: .*refused.*\nTry: .*metastore serve`),
    );
    assert.ok(tookMs < 2_500, `${tookMs} ms`);
    const json = await metastore(["watch", "a", "-o", "json"], { env: { ETCDCTL_ENDPOINTS: endpoint } });
    assert.equal(json.exitCode, 4);
    const { error } = JSON.parse(json.stdout.toString("utf8"));
    assert.equal(error.code, "UNAVAILABLE");
    assert.equal(error.endpoint, endpoint);
    assert.equal(error.retryable, true);
  });

  it("tells usage errors from others: 2, and JSON only where JSON was asked for", async () => {
    const flag = await run(["get", "a", "--bogus"]);
    assert.deepEqual([flag.exitCode, flag.stdout.length], [2, 0]);
    assert.match(flag.stderr, /^Error: Nonexistent flag: --bogus\nTry: /);
    const json = await run(["get", "-o", "json"]);
    assert.equal(json.exitCode, 2);
    assert.equal(json.stderr, "");
    assert.equal(JSON.parse(json.stdout.toString("utf8")).error.code, "USAGE");
    const command = await run(["gett", "a"]);
    assert.equal(command.exitCode, 2);
    assert.match(command.stderr, /Try: +metastore get\n/);
    const missing = await run(["put", "k"], "not read");
    assert.equal(missing.exitCode, 2);
  });

  it("prints a range as lines that can be taken apart, and as records", async () => {
    await client.kv.put("r/1", "a\tb\nc");
    await client.kv.put("r/2", Buffer.from([0xff, 0x00]));
    assert.equal(await text(["get", "r/", "--prefix"]), "r/1\ta\\tb\\nc\nr/2\t\\xff\\0\n");
    const records = (await text(["get", "r/", "--prefix", "-o", "jsonl"]))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.equal(records[0].value, "a\tb\nc");
    assert.equal(records[1].valueB64, "/wA=");
    assert.equal(records[1].lease, "0");
    assert.equal(typeof records[1].modRevision, "number");
    assert.equal(await text(["get", "r/", "--prefix", "--count"]), "2\n");
    assert.equal(await text(["get", "r/", "--prefix", "--keys", "--sort", "key:desc"]), "r/2\nr/1\n");
    assert.equal(await text(["get", "r/", "r/2"]), "r/1\ta\\tb\\nc\n");
  });

  it("reads the past by revision and says 8 when it is compacted", async () => {
    const first = (await client.kv.put("h", "1")).header.revision;
    const second = JSON.parse(await text(["put", "h", "2", "--json"])).revision;
    assert.equal(await text(["get", "h", "--rev", String(first)]), "1");
    assert.equal((await run(["compact", String(second)])).exitCode, 0);
    const { exitCode, stderr } = await run(["get", "h", "--rev", String(first)]);
    assert.equal(exitCode, 8);
    assert.match(stderr, /compacted/);
    assert.equal((await run(["watch", "h", "--rev", String(first)])).exitCode, 8);
  });

  it("stores under a condition or says 6 and stores nothing", async () => {
    assert.equal((await run(["put", "c", "1", "--if-absent"])).exitCode, 0);
    const refused = await run(["put", "c", "2", "--if-absent"]);
    assert.equal(refused.exitCode, 6);
    assert.match(refused.stderr, /nothing was stored/);
    assert.equal((await run(["put", "c", "2", "--if-value", "1"])).exitCode, 0);
    assert.equal((await run(["put", "c", "3", "--if-rev", "1"])).exitCode, 6);
    assert.equal((await client.kv.get("c"))?.string(), "2");
  });

  it("deletes several keys as keys, never as a range, and 3 for one that is not there", async () => {
    for (const key of ["d1", "d2", "d3"]) await client.kv.put(key, "x");
    assert.equal(await text(["del", "d1", "d3", "--prev"]), "2\nd1\tx\nd3\tx\n");
    assert.equal((await client.kv.get("d2"))?.string(), "x");
    assert.equal((await run(["del", "d1"])).exitCode, 3);
    assert.equal(await text(["del", "d", "--prefix", "--dry-run"]), "1\nd2\tx\n");
    assert.equal((await run(["del", "", "--prefix"])).exitCode, 2);
    assert.equal((await client.kv.get("d2"))?.string(), "x");
  });

  it("runs transactions in all three notations", async () => {
    const etcdText = 'create("t") = "0"\n\nput t "1 2"\nget t\n\nget t\n';
    const first = await run(["txn"], etcdText);
    assert.equal(first.stdout.toString("utf8"), "SUCCESS\n\nOK\n\nt\t1 2\n", first.stderr);
    assert.equal((await run(["txn", "-"], etcdText)).stdout.toString("utf8"), "FAILURE\n\nt\t1 2\n");
    const yaml = "if:\n  - {key: t, value: 1 2}\nthen:\n  - put: {key: t, value: 3}\n";
    const second = await run(["txn", "-o", "json"], yaml);
    assert.equal(JSON.parse(second.stdout.toString("utf8")).succeeded, true, second.stderr);
    const json = '{"if":[{"key":"t","version":99}],"then":["del t"]}';
    assert.equal((await run(["txn"], json)).exitCode, 6);
    assert.equal((await client.kv.get("t"))?.string(), "3");
  });

  it("grants, shows, renews and revokes leases, and deletes their keys", async () => {
    const { id, ttl } = JSON.parse(await text(["lease", "grant", "60", "-o", "json"]));
    assert.equal(ttl, 60);
    assert.equal((await run(["put", "leased", "x", "--lease", id])).exitCode, 0);
    assert.match(
      await text(["lease", "timetolive", id, "--keys"]),
      new RegExp(`^lease ${id} granted with TTL\\(60s\\), remaining\\(5\\ds\\)\nleased\n$`),
    );
    assert.equal(await text(["lease", "keep-alive", id, "--once"]), `lease ${id} keepalived with TTL(60)\n`);
    assert.ok((await text(["lease", "list"])).split("\n").includes(id));
    assert.equal((await run(["lease", "revoke", id])).exitCode, 0);
    assert.equal(await client.kv.get("leased"), undefined);
    assert.equal((await run(["lease", "show", id])).exitCode, 3);
    assert.equal((await run(["lease", "keep-alive", id, "--once"])).exitCode, 3);
    const put = JSON.parse(await text(["put", "with-ttl", "x", "--ttl", "30s", "-o", "json"]));
    assert.match(await text(["lease", "show", put.lease]), /TTL\(30s\)/);
  });

  it("prints what is there, then what changes, up to a revision", async () => {
    await client.kv.put("w/a", "1");
    const last = (await client.kv.put("w/b", "2")).header.revision;
    const lines = await text([
      "watch",
      "w/",
      "--prefix",
      "--rev",
      String(last - 1),
      "--until-rev",
      String(last),
    ]);
    assert.equal(lines, "PUT\tw/a\t1\nPUT\tw/b\t2\n");
    const initial = await text([
      ...["watch", "w/", "--prefix", "--initial", "--control", "-o", "jsonl"],
      ...["--until-rev", String(last)],
    ]);
    const types = initial
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).type);
    assert.deepEqual(types.slice(0, 3), ["put", "put", "sync"]);
  });

  it("shows the members with their health", async () => {
    const { members } = JSON.parse(await text(["cluster", "status", "--once", "--json"]));
    assert.equal(members.length, 1);
    assert.equal(members[0].healthy, true);
    assert.equal(members[0].role, "leader");
    assert.match(members[0].id, /^[0-9a-f]+$/);
    assert.match(await text(["endpoint", "status"]), /^NAME +ID +ENDPOINT +ROLE +HEALTH .*\n.* leader +ok /);
  });

  it("prints its own version and the server's", async () => {
    const version = JSON.parse(await text(["version", "-w", "json"]));
    assert.match(version.client, /^\d+\.\d+\.\d+/);
    assert.match(version.server, /^3\./);
  });

  it("opens every help with examples, and lists the exit codes", async () => {
    const help = await run(["lease", "grant", "--help"]);
    assert.equal(help.exitCode, 0);
    assert.match(help.stdout.toString("utf8"), /^Create a lease\.\n\nEXAMPLES\n/);
    assert.match(await text(["help", "exit-codes"]), /\n8 +the revision asked for has been compacted\n/);
    assert.match(await text(["serve", "--help"]), /--listen-client-urls/);
  });
});
