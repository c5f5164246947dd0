import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SystemClock } from "../../../src/lib/clock.ts";
import { createServerLog, type ServerLog, type ServerLogOptions } from "../../../src/server/server-log.ts";

function recorded(options: Partial<ServerLogOptions> = {}): { log: ServerLog; lines: string[] } {
  const lines: string[] = [];
  const log = createServerLog({
    level: "info",
    format: "json",
    outputs: [],
    clock: new SystemClock(),
    destination: { write: (line) => lines.push(line) },
    ...options,
  });
  return { log, lines };
}

describe("The server's log", () => {
  it("writes JSON lines with etcd's keys", () => {
    const { log, lines } = recorded();
    log.info("ready to serve client requests", { address: "127.0.0.1:2379" });
    assert.equal(lines.length, 1);
    assert.ok(lines[0]!.endsWith("}\n"));
    const line = JSON.parse(lines[0]!) as Record<string, unknown>;
    assert.deepEqual(Object.keys(line).sort(), ["address", "caller", "level", "msg", "ts"]);
    assert.equal(line["level"], "info");
    assert.equal(line["caller"], "server");
    assert.equal(line["msg"], "ready to serve client requests");
    assert.match(String(line["ts"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(?:Z|[+-]\d{4})$/);
  });

  it("names the module as the caller", () => {
    const { log, lines } = recorded();
    log.forModule("wal").warn("slow fdatasync");
    assert.match(lines[0]!, /"caller":"wal"/);
    assert.match(lines[0]!, /"level":"warn"/);
  });

  it("leaves out what is below its level", () => {
    const { log, lines } = recorded({ level: "warn" });
    log.debug("d");
    log.info("i");
    log.warn("w");
    log.error("e");
    assert.equal(lines.length, 2);
    const { log: verbose, lines: all } = recorded({ level: "debug" });
    verbose.debug("d");
    assert.equal(all.length, 1);
  });

  it("never takes a percent sign in a message for a format", () => {
    const { log, lines } = recorded();
    log.info("100%s of %d", { n: 1 });
    assert.equal((JSON.parse(lines[0]!) as { msg: string }).msg, "100%s of %d");
  });

  it("keeps secrets out and one line per event, whatever the fields", () => {
    const { log, lines } = recorded();
    log.error("failed\nbadly", { error: new Error("a\nb"), password: "hunter2", id: 5n });
    assert.equal(lines[0]!.trimEnd().split("\n").length, 1);
    assert.ok(!lines[0]!.includes("hunter2"));
    const line = JSON.parse(lines[0]!) as Record<string, unknown>;
    assert.equal(line["error"], "a\nb");
    assert.equal(line["id"], "5");
  });

  it("writes columns in console format", () => {
    const { log, lines } = recorded({ format: "console" });
    log.info("hello", { n: 1 });
    assert.match(lines[0]!, /\tinfo\tserver\thello\t\{"n":1\}\n$/);
  });

  it("has written its files when a call returns, and appends to them", () => {
    const folder = mkdtempSync(join(tmpdir(), "metastore-log-"));
    try {
      const path = join(folder, "deep", "server.log");
      for (const message of ["one", "two"]) {
        const { log } = fileLog(path);
        log.info(message);
        assert.match(readFileSync(path, "utf8"), new RegExp(`"msg":"${message}"`));
        assert.equal(log.linesLost, 0);
        log.close();
      }
      assert.equal(readFileSync(path, "utf8").trimEnd().split("\n").length, 2);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("says when a file cannot be opened", () => {
    assert.throws(() => fileLog(tmpdir()), /EISDIR|illegal operation/i);
  });
});

function fileLog(path: string): { log: ServerLog } {
  return {
    log: createServerLog({ level: "info", format: "json", outputs: [path], clock: new SystemClock() }),
  };
}
