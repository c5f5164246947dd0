import assert from "node:assert/strict";
import { HttpWorld } from "./http-world.ts";

describe("Cross-origin headers", () => {
  let world: HttpWorld | undefined;
  afterEach(() => world?.stop());

  it("allow every origin by default on the client port, as etcd does", async () => {
    world = await HttpWorld.start({ surface: "client", corsOrigins: ["*"] });
    const answer = await world.call("GET", "/nope", { headers: { origin: "http://a" } });
    assert.equal(answer.headers["access-control-allow-origin"], "*");
    assert.equal(answer.headers["access-control-allow-methods"], "POST, GET, OPTIONS, PUT, DELETE");
    assert.equal(answer.headers["access-control-allow-headers"], "accept, content-type, authorization");
  });

  it("answer preflights with an empty 200", async () => {
    world = await HttpWorld.start({ surface: "client", corsOrigins: ["*"] });
    const answer = await world.call("OPTIONS", "/anything");
    assert.equal(answer.status, 200);
    assert.equal(answer.body.length, 0);
    assert.equal(answer.headers["content-length"], "0");
  });

  it("name a listed origin and leave others out", async () => {
    world = await HttpWorld.start({ corsOrigins: ["http://a"] });
    const listed = await world.call("GET", "/version", { headers: { origin: "http://a" } });
    assert.equal(listed.headers["access-control-allow-origin"], "http://a");
    assert.equal(listed.headers.vary, "Origin");
    const other = await world.call("GET", "/version", { headers: { origin: "http://b" } });
    assert.equal(other.headers["access-control-allow-origin"], undefined);
    assert.equal(other.headers["access-control-allow-methods"], undefined);
  });

  it("are absent when no origin is listed, so that a web page cannot write keys", async () => {
    world = await HttpWorld.start({ corsOrigins: [] });
    const preflight = await world.call("OPTIONS", "/k", { headers: { origin: "http://evil" } });
    assert.equal(preflight.headers["access-control-allow-origin"], undefined);
    assert.equal(preflight.headers["access-control-allow-methods"], undefined);
  });
});

describe("The list of hosts", () => {
  let world: HttpWorld;
  before(async () => {
    world = await HttpWorld.start({ surface: "client", hostWhitelist: ["localhost", "Example.com", "::1"] });
  });
  after(() => world.stop());

  it("lets listed names through, with or without a port, in any case", async () => {
    for (const host of ["localhost", "LOCALHOST:2379", "example.com:80", "[::1]:2379"]) {
      assert.equal((await world.call("GET", "/version", { headers: { host } })).status, 200, host);
    }
  });

  it("refuses other names with 421 and the reason", async () => {
    for (const host of ["evil.example", "127.0.0.1", ""]) {
      const answer = await world.call("GET", "/version", { headers: { host } });
      assert.equal(answer.status, 421, host);
      assert.match(answer.text, /CVE-2018-5702/);
    }
  });
});
