import assert from "node:assert/strict";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { RequestError } from "../../../../src/lib/errors.ts";
import { PeerWorld, type TestMember } from "./peer-world.ts";

async function codeOf(call: Promise<Uint8Array>): Promise<string> {
  const error = await call.then(
    () => "none",
    (each: unknown) => each,
  );
  return error instanceof RequestError ? error.code : String(error);
}

describe("Calls between members", () => {
  const world = new PeerWorld();
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  afterEach(async () => {
    await world.close();
    for (const socket of sockets) socket.destroy();
    for (const server of servers.splice(0)) server.close();
  });

  async function answering(listener: RequestListener): Promise<string> {
    const server = createServer(listener);
    server.on("connection", (socket) => sockets.add(socket));
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async function callerOf(
    peerUrls: readonly string[],
    limits: Record<string, number> = {},
  ): Promise<TestMember> {
    const member = await world.member(1n, { limits });
    member.network.setPeers([{ id: 2n, peerUrls }]);
    member.network.start(member.handler);
    return member;
  }

  const call = (member: TestMember, timeoutMs = 2_000): Promise<Uint8Array> =>
    member.network.call(2n, "ask", Buffer.from("?"), timeoutMs);

  it("try the next URL only when the one before was not reached", async () => {
    let asked = 0;
    const [breaking, good] = [
      await answering((request) => {
        if (request.method === "POST") asked++;
        request.socket.destroy();
      }),
      await answering((_request, response) => response.end("yes")),
    ];
    const first = await callerOf(["http://127.0.0.1:1", "nonsense", good]);
    assert.equal(Buffer.from(await call(first)).toString(), "yes");
    first.network.setPeers([{ id: 2n, peerUrls: [breaking, good] }]);
    assert.equal(await codeOf(call(first)), "timeout");
    assert.equal(asked, 1);
  });

  it("tell a time-out apart by whether the other could have been asked", async () => {
    const silent = await answering(() => {});
    assert.equal(await codeOf(call(await callerOf([silent]), 100)), "timeout");
    const full = await callerOf([silent], { callConnectionsMax: 1 });
    const waiting = call(full, 400);
    assert.equal(await codeOf(call(full, 100)), "timeoutConnectionLost", "it waited for a connection");
    assert.equal(await codeOf(waiting), "timeout");
  });

  it("take only names of errors that exist", async () => {
    const names = ["notLeader", "__proto__", "toString", "nothingOfTheKind", ""];
    const codes: string[] = [];
    for (const name of names) {
      const url = await answering((_request, response) =>
        response.writeHead(500, { "X-Metastore-Error": name }).end(),
      );
      codes.push(await codeOf(call(await callerOf([url]))));
    }
    assert.deepEqual(codes, ["notLeader", "timeout", "timeout", "timeout", "timeout"]);
  });

  it("that the door refuses were surely not received", async () => {
    for (const status of [400, 404, 410, 412, 413, 503]) {
      const url = await answering((_request, response) => response.writeHead(status).end("no"));
      assert.equal(await codeOf(call(await callerOf([url]))), "timeoutConnectionLost", String(status));
    }
  });

  it("do not take an answer beyond callBytesMax, or one that breaks off", async () => {
    const large = await answering((_request, response) => response.end(Buffer.alloc(2_000)));
    assert.equal(await codeOf(call(await callerOf([large], { callBytesMax: 1_000 }))), "timeout");
    const cut = await answering((_request, response) => {
      response.writeHead(200, { "Content-Length": "10" });
      response.write("12345", () => response.destroy());
    });
    assert.equal(await codeOf(call(await callerOf([cut]))), "timeout");
  });

  it("send no body beyond callBytesMax", async () => {
    const member = await callerOf(["http://127.0.0.1:1"], { callBytesMax: 10 });
    assert.equal(await codeOf(member.network.call(2n, "ask", Buffer.alloc(11), 100)), "requestTooLarge");
  });

  it("share connections", async () => {
    const connections = new Set<unknown>();
    const url = await answering((request, response) => {
      if (request.method === "POST") connections.add(request.socket);
      response.end("yes");
    });
    const member = await callerOf([url]);
    for (let i = 0; i < 20; i++) await call(member);
    assert.equal(connections.size, 1);
  });
});
