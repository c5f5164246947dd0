import assert from "node:assert/strict";
import { AssertionError } from "../../../../../src/lib/assert.ts";
import { reservedPaths } from "../../../../../src/server/api/http/app.ts";
import { HttpWorld } from "./http-world.ts";

describe("The HTTP app", () => {
  const worlds: HttpWorld[] = [];
  const start = async (options?: Parameters<typeof HttpWorld.start>[0]): Promise<HttpWorld> => {
    const world = await HttpWorld.start(options);
    worlds.push(world);
    return world;
  };
  afterEach(async () => {
    await Promise.all(worlds.splice(0).map((world) => world.stop()));
  });

  it("answers /version with etcd's three fields in order", async () => {
    const world = await start({ surface: "client" });
    const answer = await world.call("GET", "/version");
    assert.equal(answer.status, 200);
    assert.equal(answer.headers["content-type"], "application/json");
    assert.equal(answer.text, '{"etcdserver":"3.6.0","etcdcluster":"3.6.0","storage":"3.6.0"}');
    assert.equal((await world.call("PUT", "/version")).status, 405);
  });

  it("answers /metrics with the exposition text, whatever the method", async () => {
    const world = await start({ surface: "metrics" });
    for (const method of ["GET", "POST"]) {
      const answer = await world.call(method, "/metrics");
      assert.equal(answer.status, 200);
      assert.equal(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
      assert.equal(answer.text, "up 1\n");
    }
  });

  it("answers 500 without details when the metrics cannot be had", async () => {
    const world = await start({ renderMetrics: () => Promise.reject(new Error("secret detail")) });
    const answer = await world.call("GET", "/metrics");
    assert.equal(answer.status, 500);
    assert.ok(!answer.text.includes("secret detail"));
    assert.ok(world.lines.some(({ level, fields }) => level === "error" && fields["error"] instanceof Error));
  });

  it("answers unknown paths as Go does", async () => {
    const world = await start({ surface: "client" });
    for (const path of ["/", "/nope", "/health/", "/Health", "//health", "/%68ealth", "/debug/vars"]) {
      const answer = await world.call("GET", path);
      assert.equal(answer.status, 404, path);
      assert.equal(answer.text, "404 page not found\n");
      assert.equal(answer.headers["x-content-type-options"], "nosniff");
    }
  });

  it("says that the JSON gateway is not served", async () => {
    const world = await start({ surface: "client" });
    for (const path of ["/v3/kv/range", "/v3beta/kv/put", "/v3"]) {
      const answer = await world.call("POST", path, { body: "{}" });
      assert.equal(answer.status, 501, path);
      assert.equal((JSON.parse(answer.text) as { code: number }).code, 12);
    }
  });

  it("serves health and metrics alone on a metrics listener", async () => {
    const world = await start({ surface: "metrics" });
    assert.equal((await world.call("GET", "/health")).status, 200);
    assert.equal((await world.call("GET", "/version")).status, 404);
    assert.equal((await world.call("PUT", "/key", { body: "v" })).status, 404);
  });

  it("does not serve keys on the client port", async () => {
    const world = await start({ surface: "client" });
    assert.equal((await world.call("PUT", "/key", { body: "v" })).status, 404);
    assert.equal(world.node.commands.length, 0);
  });

  it("tells nobody what it is made of", async () => {
    const world = await start();
    const answer = await world.call("GET", "/health");
    assert.equal(answer.headers["x-powered-by"], undefined);
    assert.equal(answer.headers["server"], undefined);
  });

  it("keeps the documented paths from the key API, and no others", async () => {
    const world = await start();
    for (const path of reservedPaths) {
      const probe = path.replace("*", "x");
      if (path === "/v1/keys/*") continue;
      const answer = await world.call("PUT", probe, { body: "v" });
      assert.notEqual(answer.status, 204, probe);
    }
    assert.equal(world.node.commands.length, 0);
    for (const path of ["/healthy", "/v3x", "/v1/key", "/livezz", "/metrics/x"]) {
      assert.equal((await world.call("PUT", path, { body: "v" })).status, 204, path);
    }
  });

  it("answers 400 to targets that are no path, and survives all of them", async () => {
    const world = await start();
    for (const target of ["*", "nonsense", "/a#b", "ftp://host/x", "http://", "%"]) {
      const answer = await world.raw(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 400 /, target);
    }
    assert.equal((await world.call("GET", "/health")).status, 200);
  });

  it("understands the absolute form of a proxy and OPTIONS *", async () => {
    const world = await start({ surface: "client", corsOrigins: ["*"] });
    const absolute = await world.raw(
      "GET http://127.0.0.1/version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    assert.match(absolute, /^HTTP\/1\.1 200 /);
    const options = await world.raw("OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert.match(options, /^HTTP\/1\.1 200 /);
  });

  it("lets a broken invariant end the process instead of answering it", async () => {
    const world = await start();
    world.node.proposeError = new AssertionError("impossible");
    const listeners = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    const thrown = new Promise<Error>((resolve) => process.once("uncaughtException", resolve));
    try {
      await assert.rejects(world.call("PUT", "/k", { body: "v" }));
      assert.ok((await thrown) instanceof AssertionError);
    } finally {
      for (const listener of listeners) process.on("uncaughtException", listener);
    }
  });
});
