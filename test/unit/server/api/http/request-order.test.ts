import assert from "node:assert/strict";
import { createDeferred } from "../../../../../src/lib/deferred.ts";
import { limits } from "../../../../../src/lib/limits.ts";
import { HttpWorld } from "./http-world.ts";

describe("Pipelined requests", () => {
  let world: HttpWorld;
  beforeEach(async () => {
    world = await HttpWorld.start();
  });
  afterEach(() => world.stop());

  it("run one after another, so that a read sees the write before it", async () => {
    const answer = await world.raw(
      "PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1" +
        "PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n2" +
        "GET /k HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    assert.match(answer, /^HTTP\/1\.1 204 [\s\S]*HTTP\/1\.1 204 [\s\S]*HTTP\/1\.1 200 [\s\S]*\r\n\r\n2$/);
  });

  it("do not run any more when the client is gone", async () => {
    const barrier = createDeferred<void>();
    world.node.readBarrier = () => barrier.promise;
    const get = "GET /k HTTP/1.1\r\nHost: a\r\n\r\n";
    const put = "PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1";
    const closed = world.raw(get + put + get.repeat(limits.httpPipelinedRequestsMax));
    assert.equal(await closed, "");
    barrier.resolve();
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(world.node.commands.length, 0);
  });

  it("may be as many as httpPipelinedRequestsMax", async () => {
    const get = "GET /version HTTP/1.1\r\nHost: a\r\n\r\n";
    const last = "GET /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const answer = await world.raw(get.repeat(limits.httpPipelinedRequestsMax - 1) + last);
    assert.equal(answer.match(/HTTP\/1\.1 200 /g)?.length, limits.httpPipelinedRequestsMax);
  });
});
