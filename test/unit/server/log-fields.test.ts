import assert from "node:assert/strict";
import { loggable } from "../../../src/server/log-fields.ts";

describe("Fields of a log line", () => {
  it("hide secrets by name at any depth", () => {
    const logged = JSON.stringify(
      loggable({
        password: "hunter2",
        user: { name: "a", "client-password": "hunter2", nested: [{ secret: "hunter2" }] },
        headers: new Map([["x", { authorization: "hunter2", Cookie: "hunter2" }]]),
        authToken: "hunter2",
        token: "hunter2",
        privateKey: "hunter2",
      }),
    );
    assert.ok(!logged.includes("hunter2"), logged);
    assert.equal(logged.match(/\[redacted\]/g)?.length, 8);
  });

  it("keep what only sounds secret", () => {
    assert.deepEqual(loggable({ "initial-cluster-token": "etcd-cluster", keys: 3, tokens: 4 }), {
      "initial-cluster-token": "etcd-cluster",
      keys: 3,
      tokens: 4,
    });
  });

  it("give errors as their message and their stack with causes", () => {
    const logged = loggable({ error: new Error("outer", { cause: new Error("inner") }) });
    assert.equal(logged["error"], "outer");
    assert.match(String(logged["stacktrace"]), /Error: outer[\s\S]*caused by: Error: inner/);
    assert.deepEqual(loggable({ list: [new Error("x")] }), { list: ["x"] });
  });

  it("give ids in hexadecimal and bytes by their number", () => {
    assert.deepEqual(loggable({ id: 0xabcn, lease: -1n, data: Buffer.from("abc") }), {
      id: "abc",
      lease: "ffffffffffffffff",
      data: "3 bytes",
    });
  });

  it("rename fields that the line itself has", () => {
    assert.deepEqual(loggable({ msg: 1, ts: 2, level: 3, caller: 4 }), {
      _msg: 1,
      _ts: 2,
      _level: 3,
      _caller: 4,
    });
  });

  it("end structures that contain themselves", () => {
    const loop: Record<string, unknown> = {};
    loop["self"] = loop;
    assert.match(JSON.stringify(loggable({ loop, fn: () => 1, set: new Set([1]) })), /\[nested\]/);
  });
});
