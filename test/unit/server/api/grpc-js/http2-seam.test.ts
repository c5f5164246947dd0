import assert from "node:assert/strict";
import { Server } from "@grpc/grpc-js";
import { openHttp2Seam } from "../../../../../src/server/api/grpc-js/http2-seam.ts";

const options = {
  maxHeaderListPairs: 100,
  streamResetBurst: 10_000,
  streamResetRate: 1_000,
  maxSessionMemory: 64,
  settings: { maxConcurrentStreams: 10, initialWindowSize: 65_535, maxHeaderListSize: 65_536 },
};

describe("The seam to grpc-js", () => {
  it("takes the one HTTP/2 server of the pinned version, and its stream listener off it", () => {
    const server = new Server();
    const { http2 } = openHttp2Seam(server, options);
    assert.equal(http2.listening, false);
    assert.equal(http2.listenerCount("stream"), 0);
    server.forceShutdown();
  });

  it("says at once when grpc-js is built differently", () => {
    const without = new Server();
    Object.assign(without, { commonServerOptions: undefined });
    assert.throws(() => openHttp2Seam(without, options), /keeps its HTTP\/2 options/);
    const renamed = new Server();
    Object.assign(renamed, { http2Servers: [] });
    assert.throws(() => openHttp2Seam(renamed, options));
  });
});
