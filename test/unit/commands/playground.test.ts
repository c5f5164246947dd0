import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { connect } from "../../../src/client/index.ts";
import { freePorts } from "../../harness/index.ts";
import { PseudoTerminal } from "../tui/pty.ts";
import { buildCli } from "./cli-build.ts";
import { cleanUp, temporaryFolder } from "./cli-process.ts";

interface Ready {
  readonly endpoints: string;
  readonly dataDir: string;
  readonly members: readonly { readonly name: string; readonly pid: number; readonly clientUrl: string }[];
}

/** A playground as a process, with what it printed when it was ready. */
interface Running {
  readonly child: ChildProcess;
  readonly ready: Ready;
  /** Everything printed so far. */
  readonly printed: () => string;
}

const open: ChildProcess[] = [];

async function play(members: number): Promise<Running> {
  const root = await buildCli();
  const [port] = await freePorts(1);
  const args = ["playground", "--members", String(members), "--port", String(port), "-o", "json"];
  const child = spawn(process.execPath, [join(root, "bin/run.js"), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  open.push(child);
  let stdout = "";
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ready = await new Promise<Ready>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      const end = stdout.indexOf("\n");
      if (end >= 0) resolve(JSON.parse(stdout.slice(0, end)) as Ready);
    });
    child.once("exit", (code) => reject(new Error(`it ended with ${code}: ${stderr}`)));
  });
  return { child, ready, printed: () => stdout + stderr };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Waits until it holds, for at most `timeoutMs`. */
async function eventually(what: string, holds: () => boolean, timeoutMs = 10_000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!holds()) {
    assert.ok(performance.now() < endMs, `${what}: not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

async function nothingIsLeft({ dataDir, members }: Ready): Promise<void> {
  await eventually("no process is left", () => members.every(({ pid }) => !isAlive(pid)));
  await eventually("no file is left", () => !existsSync(dataDir));
}

describe("metastore playground", function () {
  this.timeout(60_000);

  after(() => {
    for (const child of open) child.kill("SIGKILL");
    cleanUp();
  });

  it("serves, and on SIGTERM ends its members in order and removes the data", async () => {
    const { child, ready, printed } = await play(1);
    const client = connect({ endpoints: ready.endpoints });
    await client.kv.put("greeting", "hello");
    assert.equal((await client.kv.get("greeting"))?.string(), "hello");
    client.close();
    assert.ok(existsSync(join(ready.dataDir, "n1")));
    child.kill("SIGTERM");
    assert.deepEqual(await once(child, "exit"), [0, null], printed());
    assert.ok(ready.members.every(({ pid }) => !isAlive(pid)));
    assert.ok(!existsSync(ready.dataDir));
  });

  it("leaves nothing of three members behind when it is killed with kill -9", async () => {
    const { child, ready } = await play(3);
    assert.equal(ready.members.length, 3);
    child.kill("SIGKILL");
    await nothingIsLeft(ready);
  });

  it("ends when nobody reads what it prints any more", async () => {
    const { child, ready } = await play(1);
    child.stdout!.destroy();
    // The next event is what it finds out by.
    process.kill(ready.members[0]!.pid, "SIGKILL");
    await once(child, "exit");
    await nothingIsLeft(ready);
  });

  it("says why a member could not start, and leaves nothing behind then", async () => {
    const root = await buildCli();
    const [port] = await freePorts(1);
    const folder = temporaryFolder();
    const planted = 'if (process.argv.includes("serve")) throw new Error("planted")';
    const child = spawn(
      process.execPath,
      [join(root, "bin/run.js"), "playground", "--members", "2", "--port", String(port), "-o", "json"],
      {
        stdio: ["ignore", "pipe", "inherit"],
        env: {
          ...process.env,
          TMPDIR: folder,
          NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(planted)}`,
        },
      },
    );
    open.push(child);
    let stdout = "";
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString("utf8");
    });
    assert.deepEqual(await once(child, "close"), [1, null]);
    assert.match(stdout, /"error":.*n[12] ended with 1 while starting.*planted/);
    assert.deepEqual(readdirSync(folder), []);
  });

  it("takes another port when the first choice is in use", async () => {
    const [port] = await freePorts(1);
    const holder = createServer().listen(port, "127.0.0.1");
    await once(holder, "listening");
    const root = await buildCli();
    const child = spawn(
      process.execPath,
      [join(root, "bin/run.js"), "playground", "--members", "1", "--port", String(port), "-o", "json"],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    open.push(child);
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const ready = JSON.parse(line.toString("utf8")) as Ready;
    assert.equal(ready.endpoints, `127.0.0.1:${port! + 100}`);
    child.kill("SIGINT");
    assert.deepEqual(await once(child, "exit"), [0, null]);
    await nothingIsLeft(ready);
    holder.close();
  });

  it("kills and starts members from the keyboard, and ends with Ctrl-C", async function () {
    if (!PseudoTerminal.isPossible) {
      process.stderr.write("skipped: python3 is missing, which makes the terminals for these tests\n");
      this.skip();
    }
    const root = await buildCli();
    const [port] = await freePorts(1);
    const terminal = PseudoTerminal.run(
      [process.execPath, join(root, "bin/run.js"), "playground", "--members", "1", "--port", String(port)],
      { rows: 40, columns: 120 },
    );
    try {
      await terminal.shows(/1 member ready in/);
      const pid = Number(/pid (\d+)/.exec(terminal.output)![1]);
      const folder = /data in (\S+),/.exec(terminal.output)![1]!;
      terminal.type("kill n1\n");
      await terminal.shows(/n1 was killed/);
      assert.ok(!isAlive(pid));
      terminal.type("start n1\n");
      await terminal.shows(/n1 has started, pid \d+/);
      terminal.type("\u0003");
      const end = await terminal.end();
      assert.equal(end.code, 0);
      assert.ok(!existsSync(folder));
    } finally {
      terminal.kill();
    }
  });

  it("shows the live screen with --tui, with keys to disturb members, and restores the terminal", async function () {
    if (!PseudoTerminal.isPossible) this.skip();
    const root = await buildCli();
    const [port] = await freePorts(1);
    const terminal = PseudoTerminal.run(
      [
        process.execPath,
        join(root, "bin/run.js"),
        "playground",
        "--members",
        "1",
        "--port",
        String(port),
        "--tui",
      ],
      { rows: 30, columns: 100 },
    );
    try {
      await terminal.shows(/n1 .*leader.*healthy/);
      await terminal.shows(/kill\/start/);
      terminal.type("x");
      await terminal.shows(/n1 was killed/);
      terminal.type("x");
      await terminal.shows(/n1 has started/);
      terminal.type("q");
      const end = await terminal.end();
      assert.equal(end.code, 0);
      assert.ok(end.areModesSame);
      assert.ok(end.output.lastIndexOf("\u001b[?1049l") > end.output.lastIndexOf("\u001b[?1049h"));
    } finally {
      terminal.kill();
    }
  });
});
