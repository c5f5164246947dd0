import assert from "node:assert/strict";
import { join } from "node:path";
import { buildCli } from "../commands/cli-build.ts";
import { cleanUp, freePort, startTestServer, type TestServer } from "../commands/cli-process.ts";
import { PseudoTerminal, type TerminalEnd } from "./pty.ts";

const enters = "\u001b[?1049h\u001b[?25l";
const leaves = "\u001b[?7h\u001b[?25h\u001b[?1049l";

/** The terminal is as it was: the last mode of each kind is the usual one. */
function assertRestored({ output, areModesSame }: TerminalEnd): void {
  assert.ok(output.includes(enters), "the alternate screen was entered");
  assert.ok(
    output.lastIndexOf(leaves) > output.lastIndexOf(enters),
    `left after entering: ${output.slice(-400)}`,
  );
  assert.ok(output.lastIndexOf("\u001b[?25h") > output.lastIndexOf("\u001b[?25l"), "the cursor is visible");
  assert.ok(areModesSame, "raw mode is off and echo is on");
}

describe("The live screen in a terminal", function () {
  this.timeout(40_000);
  let server: TestServer;
  let root: string;
  const open: PseudoTerminal[] = [];

  function status(
    args: readonly string[] = [],
    env: Record<string, string> = {},
    endpoint = server.endpoint,
  ) {
    const command = [
      process.execPath,
      join(root, "bin/run.js"),
      "cluster",
      "status",
      "--endpoints",
      endpoint,
    ];
    const terminal = PseudoTerminal.run([...command, ...args], { env });
    open.push(terminal);
    return terminal;
  }

  before(async function () {
    if (!PseudoTerminal.isPossible) {
      // Said and not hidden: without Python nothing here was tested.
      process.stderr.write("skipped: python3 is missing, which makes the terminals for these tests\n");
      this.skip();
    }
    root = await buildCli();
    server = await startTestServer();
  });
  after(() => {
    for (const terminal of open) terminal.kill();
    cleanUp();
  });

  it("shows the members, survives any size, and leaves with q and exit code 0", async () => {
    const terminal = status();
    await terminal.shows(/default.*leader.*healthy/);
    for (const [rows, columns] of [
      [40, 120],
      [5, 20],
      [1, 1],
      [24, 80],
    ] as const) {
      const from = terminal.output.length;
      terminal.resize(rows, columns);
      // Its own clearing of the screen: it has seen the new size.
      await terminal.shows("\u001b[2J", from);
    }
    await terminal.shows(/q .*quit/, terminal.output.lastIndexOf("\u001b[2J"));
    const from = terminal.output.length;
    terminal.type("?");
    await terminal.shows(/select a member/, from);
    terminal.type("q");
    const end = await terminal.end();
    assert.equal(end.code, 0);
    assertRestored(end);
  });

  it("leaves with Ctrl-C and exit code 130", async () => {
    const terminal = status();
    await terminal.shows(/healthy/);
    terminal.type("\u0003");
    const end = await terminal.end();
    assert.equal(end.code, 130);
    assertRestored(end);
  });

  for (const [signal, code] of [
    ["SIGTERM", -15],
    ["SIGHUP", -1],
    ["SIGALRM", -14],
    ["SIGINT", 130],
  ] as const) {
    it(`restores the terminal on ${signal}`, async () => {
      const terminal = status();
      await terminal.shows(/healthy/);
      process.kill(terminal.pid, signal);
      const end = await terminal.end();
      assert.equal(end.code, code);
      assertRestored(end);
    });
  }

  it("gives the terminal back while it is stopped, and takes it again when it goes on", async () => {
    const terminal = status();
    await terminal.shows(/healthy/);
    process.kill(terminal.pid, "SIGTSTP");
    await terminal.shows("\u001b[?1049l");
    await terminal.stops();
    const from = terminal.output.length;
    process.kill(terminal.pid, "SIGCONT");
    await terminal.shows("\u001b[?1049h", from);
    await terminal.shows(/healthy/, from);
    terminal.type("q");
    const end = await terminal.end();
    assert.equal(end.code, 0);
    assertRestored(end);
  });

  for (const [what, crash] of [
    ["an error nobody catches", "throw new Error('planted')"],
    ["a rejection nobody handles", "Promise.reject(new Error('planted'))"],
  ] as const) {
    it(`restores the terminal on ${what}, and prints it on the usual screen`, async () => {
      const planted = `process.once("SIGURG", () => { ${crash} })`;
      const terminal = status([], {
        NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(planted)}`,
      });
      await terminal.shows(/healthy/);
      process.kill(terminal.pid, "SIGURG");
      const end = await terminal.end();
      assert.notEqual(end.code, 0);
      assertRestored(end);
      assert.ok(end.output.slice(end.output.lastIndexOf(leaves)).includes("planted"));
    });
  }

  it("waits for a cluster that is not there, and says so", async () => {
    const terminal = status([], {}, `127.0.0.1:${await freePort()}`);
    await terminal.shows(/UNREACHABLE[\s\S]*connection refused; next try in/);
    terminal.type("q");
    const end = await terminal.end();
    assert.equal(end.code, 0);
    assertRestored(end);
  });

  it("sends no colour with NO_COLOR, and prints a table on a dumb terminal", async () => {
    const plain = status([], { NO_COLOR: "1" });
    await plain.shows(/healthy/);
    plain.type("q");
    const { output } = await plain.end();
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control sequences
    assert.doesNotMatch(output, /\u001b\[[1-9]\d*m/);
    const dumb = await status([], { TERM: "dumb" }).end();
    assert.equal(dumb.code, 0);
    assert.ok(!dumb.output.includes("\u001b"));
    assert.match(dumb.output, /^NAME +ID +ENDPOINT/);
  });
});
