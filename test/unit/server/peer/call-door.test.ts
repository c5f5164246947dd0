import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { DecodeError, RequestError } from "../../../../src/lib/errors.ts";
import { introduce, memberHeaders, PeerWorld, rawConnection, rawRequest, until } from "./peer-world.ts";

async function codeOf(call: Promise<Uint8Array>): Promise<string> {
  const error = await call.then(
    () => "none",
    (each: unknown) => each,
  );
  return error instanceof RequestError ? error.code : String(error);
}

describe("The door for calls", () => {
  const world = new PeerWorld();
  afterEach(() => world.close());

  it("answers peers, when the method is a name", async () => {
    const b = await world.member(2n);
    b.network.setPeers([{ id: 1n, peerUrls: ["http://127.0.0.1:1"] }]);
    b.network.start(b.handler);
    const post = (path: string): string =>
      `POST /raft/call/${path} HTTP/1.1\r\n${memberHeaders(1n, 2n, { "Content-Length": "2" })}\r\nhi`;
    assert.match(await rawRequest(b.url, post("greet")), /^HTTP\/1\.1 200 [\s\S]*greet:hi$/);
    for (const path of ["", "a/b", "a%20b", "..", `${"a".repeat(65)}`, "a?b"]) {
      assert.match(await rawRequest(b.url, post(path)), /^HTTP\/1\.1 404 /, path);
    }
  });

  it("refuses bodies that are too long or too slow: callBodyTimeoutMs", async () => {
    const b = await world.member(2n, { limits: { callBytesMax: 100, callBodyTimeoutMs: 80 } });
    b.network.setPeers([{ id: 1n, peerUrls: ["http://127.0.0.1:1"] }]);
    b.network.start(b.handler);
    let isAsked = false;
    b.handler.onCall = async () => {
      isAsked = true;
      return Buffer.alloc(0);
    };
    const long = `POST /raft/call/x HTTP/1.1\r\n${memberHeaders(1n, 2n, { "Content-Length": "200" })}\r\n${"x".repeat(200)}`;
    assert.match(await rawRequest(b.url, long), /^HTTP\/1\.1 413 /);
    const slow = await rawConnection(b.url);
    slow.socket.write(
      `POST /raft/call/x HTTP/1.1\r\n${memberHeaders(1n, 2n, { "Content-Length": "9" })}\r\nx`,
    );
    await until(() => slow.isClosed, "closed");
    assert.ok(!isAsked);
  });

  it("answers callsInFlightMax of one peer at a time", async () => {
    const options = { limits: { callsInFlightMax: 2, callConnectionsMax: 8 } };
    const [a, b] = [await world.member(1n, options), await world.member(2n, options)];
    introduce(a, [a, b]);
    introduce(b, [a, b]);
    let goOn: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    b.handler.onCall = async () => {
      await held;
      return Buffer.from("done");
    };
    const calls = Array.from({ length: 4 }, () => codeOf(a.network.call(2n, "x", Buffer.alloc(0), 2_000)));
    await delay(100);
    goOn();
    assert.deepEqual((await Promise.all(calls)).sort(), [
      "none",
      "none",
      "tooManyRequests",
      "tooManyRequests",
    ]);
    assert.equal(await codeOf(a.network.call(2n, "x", Buffer.alloc(0), 2_000)), "none");
  });

  it("says 400 when the member cannot read the body, and the caller knows that nothing was done", async () => {
    const [a, b] = await world.cluster(2);
    b!.handler.onCall = async () => {
      throw new DecodeError("no such field");
    };
    assert.equal(await codeOf(a!.network.call(2n, "x", Buffer.alloc(0), 2_000)), "timeoutConnectionLost");
    assert.equal(b!.log.count("answering a call of a peer failed"), 0);
  });

  it("says nothing of a bug but that there was one, and logs it", async () => {
    const [, b] = await world.cluster(2);
    b!.handler.onCall = async () => {
      throw new Error("secret");
    };
    const post = `POST /raft/call/x HTTP/1.1\r\n${memberHeaders(1n, 2n, { "Content-Length": "0" })}\r\n`;
    const answer = await rawRequest(b!.url, post);
    assert.match(answer, /^HTTP\/1\.1 500 [\s\S]*the call failed\n$/);
    assert.equal(b!.log.count("answering a call of a peer failed"), 1);
  });
});
