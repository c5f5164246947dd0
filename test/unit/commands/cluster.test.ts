import assert from "node:assert/strict";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "../../harness/index.ts";
import { cleanUp, type Finished, metastore, startTestServer, type TestServer } from "./cli-process.ts";

/** Strict checks want members that have been connected for 5 s. */
const settleMs = 5_500;

describe("The commands about members against three servers, as processes", function () {
  this.timeout(60_000);
  let servers: TestServer[];
  let peerUrls: string[];
  let clientPorts: number[];
  let keyPort: number;
  let endpoints: string;
  let startedMs: number;

  before(async () => {
    const ports = await freePorts(9);
    peerUrls = ports.slice(0, 4).map((port) => `http://127.0.0.1:${port}`);
    clientPorts = ports.slice(4, 8);
    keyPort = ports[8]!;
    endpoints = clientPorts
      .slice(0, 3)
      .map((port) => `127.0.0.1:${port}`)
      .join(",");
    servers = await Promise.all([1, 2, 3].map((id) => start(id, peerUrls.slice(0, 3))));
    startedMs = performance.now();
  });
  after(cleanUp);

  function start(id: number, cluster: readonly string[], ...more: string[]): Promise<TestServer> {
    const key = id === 1 ? [`--port=${keyPort}`] : [];
    const flags = [`--id=${id}`, `--cluster=${cluster.join(",")}`, ...key, ...more];
    return startTestServer({ port: clientPorts[id - 1]!, flags });
  }

  const run = (...args: string[]): Promise<Finished> =>
    metastore(args, { env: { METASTORE_ENDPOINTS: endpoints } });
  const out = async (...args: string[]): Promise<string> => {
    const { stdout, stderr, exitCode } = await run(...args);
    assert.equal(exitCode, 0, `${args.join(" ")}: ${stderr}`);
    return stdout.toString("utf8");
  };
  const names = async (): Promise<string[]> => {
    const lines = (await out("member", "list", "-o", "jsonl")).trim().split("\n");
    return lines
      .map((line) => JSON.parse(line) as { name: string })
      .map(({ name }) => name)
      .sort();
  };

  it("list all members, each healthy and with its own peer URL", async () => {
    const { members } = JSON.parse(await out("member", "list", "-o", "json"));
    const byName = Object.fromEntries(
      members.map((member: { name: string; peerUrls: string[] }) => [member.name, member.peerUrls[0]]),
    );
    assert.deepEqual(byName, { 1: peerUrls[0], 2: peerUrls[1], 3: peerUrls[2] });
    assert.equal((await out("cluster", "health")).trim().split("\n").length, 3);
    assert.equal(
      (await out("cluster", "health", "--cluster", "--endpoints", `127.0.0.1:${clientPorts[1]}`)).split("\n")
        .length,
      4,
    );
  });

  it("move the leader, whatever endpoint is named", async () => {
    for (const [i, name] of ["2", "3"].entries()) {
      const moved = await run("leader", "move", name, "--endpoints", `127.0.0.1:${clientPorts[i % 3]}`);
      assert.equal(moved.exitCode, 0, moved.stderr);
      assert.match(await out("leader", "show"), new RegExp(`^${name} \\(`));
    }
  });

  it("let a learner in, promote it, and remove it, whereupon its server stops", async () => {
    await sleep(startedMs + settleMs - performance.now());
    const added = JSON.parse(
      await out("member", "add", "4", "--peer-urls", peerUrls[3]!, "--learner", "-o", "json"),
    );
    assert.match(added.command, /--initial-cluster-state existing$/);
    const unstarted = await run("member", "promote", added.member.id);
    assert.equal(unstarted.exitCode, 1);
    assert.match(unstarted.stderr, /has not caught up/);
    const fourth = await start(4, peerUrls, "--join");
    const learner = ["--endpoints", fourth.endpoint];
    assert.match(await out("cluster", "health", ...learner), /is healthy: a learner that follows the leader/);
    assert.match((await run("get", "a", ...learner)).stderr, /rpc not supported for learner/);
    await out("put", "a", "1");
    assert.equal(
      await out("member", "promote", "4"),
      `Member ${added.member.id} promoted in cluster ${added.clusterId}\n`,
    );
    assert.equal(await out("get", "a", ...learner), "1");
    assert.deepEqual(await names(), ["1", "2", "3", "4"]);
    const stopped = once(fourth.process, "exit");
    await out("member", "remove", "4");
    assert.notEqual((await stopped)[0], null, "it ended by itself");
    assert.deepEqual(await names(), ["1", "2", "3"]);
  });

  it("take a member in and out over plain HTTP, and tell it from a key", async () => {
    const at = `http://127.0.0.1:${keyPort}`;
    const posted = await fetch(`${at}/4`, {
      method: "POST",
      body: peerUrls[3]!,
      headers: { accept: "application/json" },
    });
    const { id, command } = (await posted.json()) as { id: string; command: string };
    assert.equal(posted.status, 201);
    assert.ok(command.includes(`--id 4 --cluster ${peerUrls.join(",")} --join`), command);
    const fourth = await start(4, peerUrls, "--join");
    assert.deepEqual(await names(), ["1", "2", "3", "4"]);
    await fetch(`${at}/3`, { method: "PUT", body: "a key" });
    assert.equal((await fetch(`${at}/3`, { method: "DELETE" })).status, 204);
    assert.equal((await fetch(`${at}/3`, { method: "DELETE" })).status, 409);
    assert.deepEqual(await names(), ["1", "2", "3", "4"], "the key went, the member stayed");
    const stopped = once(fourth.process, "exit");
    const removed = await fetch(`${at}/4`, { method: "DELETE" });
    assert.deepEqual([removed.status, removed.headers.get("x-metastore-member")], [204, id]);
    await stopped;
    assert.deepEqual(await names(), ["1", "2", "3"]);
  });

  it("refuse a member that comes back without its data, and one that was not added", async () => {
    const wiped = start(3, peerUrls.slice(0, 3));
    // Its address is in use by itself; the refusal comes before it listens.
    await assert.rejects(wiped, /has already been bootstrapped/);
    await assert.rejects(
      start(4, peerUrls, "--join"),
      /member count is unequal: the flags name 4, the cluster has 3/,
    );
    await assert.rejects(start(4, peerUrls), /cluster ID mismatch/);
  });

  it("end with 9 while a member is down, and with 4 when nobody serves", async () => {
    // During an election nobody is healthy.
    await out("leader", "move", "1");
    servers[2]!.process.kill("SIGKILL");
    await once(servers[2]!.process, "exit");
    const some = await run("cluster", "health", "-o", "json");
    assert.equal(some.exitCode, 9);
    const healthy = JSON.parse(some.stdout.toString("utf8")).endpoints.map(
      (each: { healthy: boolean }) => each.healthy,
    );
    assert.deepEqual(healthy, [true, true, false]);
    servers[1]!.process.kill("SIGKILL");
    await once(servers[1]!.process, "exit");
    assert.equal((await run("cluster", "health", "--timeout", "3s")).exitCode, 4);
  });
});
