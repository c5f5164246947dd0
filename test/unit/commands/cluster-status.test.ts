import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { freePorts } from "../../harness/index.ts";
import { buildCli } from "./cli-build.ts";
import { cleanUp, freePort, metastore, shell } from "./cli-process.ts";

describe("metastore cluster status of three members", function () {
  this.timeout(60_000);
  let playground: ChildProcess;
  let endpoints: string[];
  let pids: number[];
  const run = (args: string[], endpoint = endpoints.join(",")) =>
    metastore(["cluster", "status", ...args], { env: { METASTORE_ENDPOINTS: endpoint } });

  before(async () => {
    const root = await buildCli();
    const [port] = await freePorts(1);
    const args = ["playground", "--members", "3", "--port", String(port), "-o", "json"];
    playground = spawn(process.execPath, [join(root, "bin/run.js"), ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(playground.stdout!, "data")) as [Buffer];
    playground.stdout!.resume();
    const ready = JSON.parse(line.toString("utf8"));
    endpoints = ready.endpoints.split(",");
    pids = ready.members.map(({ pid }: { pid: number }) => pid);
  });
  after(async () => {
    playground.kill("SIGTERM");
    const [code] = await once(playground, "exit");
    cleanUp();
    assert.equal(code, 0);
    for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
  });

  it("finds all of them through one endpoint, healthy, with exactly one leader", async () => {
    const { exitCode, stdout, stderr } = await run(["-o", "json"], endpoints[1]);
    assert.equal(exitCode, 0, stderr);
    const status = JSON.parse(stdout.toString("utf8"));
    assert.deepEqual([status.health, status.voters, status.votersReady], ["healthy", 3, 3]);
    assert.ok(status.members.every(({ healthy }: { healthy: boolean }) => healthy));
    const leaders = status.members.filter(({ role }: { role: string }) => role === "leader");
    assert.deepEqual(
      leaders.map(({ id }: { id: string }) => id),
      [status.leader],
    );
    assert.match(status.clusterId, /^[0-9a-f]+$/);
  });

  it("prints one row per member in a pipe", async () => {
    const { exitCode, stdout } = await run([]);
    assert.equal(exitCode, 0);
    const [head, ...rows] = stdout.toString("utf8").trimEnd().split("\n");
    assert.match(
      head!,
      /^NAME +ID +ENDPOINT +ROLE +HEALTH +TERM +INDEX +APPLIED +LAG +DB SIZE +IN USE +FSYNC P99 +VERSION$/,
    );
    assert.deepEqual(
      rows.map((row) => row.split(/ +/)[0]),
      ["n1", "n2", "n3"],
    );
  });

  it("prints a document at every interval with --watch, until nobody reads any more", async () => {
    const { exitCode, stdout } = await shell(
      "metastore cluster status --watch --interval 300ms -o jsonl | head -3",
      { METASTORE_ENDPOINTS: endpoints.join(",") },
    );
    assert.equal(exitCode, 0);
    const lines = stdout.toString("utf8").trim().split("\n");
    assert.equal(lines.length, 3);
    for (const line of lines) assert.equal(JSON.parse(line).members.length, 3);
  });

  it("refuses what it cannot do: a live screen in a pipe, an interval that is no rest", async () => {
    for (const args of [["--tui"], ["--interval", "10ms"], ["--once", "--watch"]]) {
      assert.equal((await run(args)).exitCode, 2, args.join(" "));
    }
  });

  it("exits 4 with a reason when nobody answers", async () => {
    const { exitCode, stderr } = await run(["--once", "--timeout", "1s"], `127.0.0.1:${await freePort()}`);
    assert.equal(exitCode, 4);
    assert.match(stderr, /refused/);
  });

  it("exits 9 when a member is gone, and says which and why", async () => {
    process.kill(pids[2]!, "SIGKILL");
    // Its address refuses connections from the moment the process is gone.
    const { exitCode, stdout, stderr } = await run(["--once", "-o", "json"], endpoints.slice(0, 2).join(","));
    assert.equal(exitCode, 9);
    assert.match(stderr, /^n3 \(127\.0\.0\.1:\d+\): connection refused$/m);
    const status = JSON.parse(stdout.toString("utf8"));
    assert.equal(status.votersReady, 2);
    const [lost] = status.members.filter(({ healthy }: { healthy: boolean }) => !healthy);
    assert.deepEqual([lost.name, lost.health, lost.role], ["n3", "unreachable", "-"]);
  });
});
