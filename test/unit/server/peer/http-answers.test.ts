import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Duplex } from "node:stream";
import { SystemClock } from "../../../../src/lib/clock.ts";
import { jsonAnswer, send, sendRaw, textAnswer } from "../../../../src/server/peer/http-answers.ts";
import { rawConnection, rawRequest, until } from "./peer-world.ts";

describe("Answers to other members", () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  async function answering(answer: Parameters<typeof send>[2]): Promise<string> {
    const opened = createServer((request, response) => {
      request.on("error", () => {});
      send(request, response, answer, new SystemClock());
      // A second answer is one too many, and passed over.
      send(request, response, textAnswer(500, "again"), new SystemClock());
    });
    server = opened;
    await new Promise<void>((resolve) => opened.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(opened.address() as AddressInfo).port}`;
  }

  it("carry their type and length, and leave the connection open for the next request", async () => {
    const url = await answering(jsonAnswer(200, '{"ä":1}', { "X-More": "yes" }));
    const connection = await rawConnection(url);
    for (let i = 1; i <= 2; i++) {
      connection.socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      await until(
        () => connection.received.toString().split("HTTP/1.1 200 OK").length === i + 1,
        "an answer",
      );
    }
    const text = connection.received.toString();
    assert.match(text, /Content-Type: application\/json\r\n/);
    assert.match(text, /X-More: yes\r\nContent-Type: application\/json\r\nContent-Length: 8\r\n/);
    connection.socket.destroy();
  });

  it("of 204 have no body", async () => {
    const url = await answering({ status: 204, headers: {}, body: "" });
    const answer = await rawRequest(url, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    assert.match(answer, /^HTTP\/1\.1 204 No Content\r\n/);
    assert.ok(answer.endsWith("\r\n\r\n") && !/content-length/i.test(answer));
  });

  it("reach a sender that is still sending, who is then cut off", async () => {
    const url = await answering(textAnswer(412, "not here"));
    const connection = await rawConnection(url);
    connection.socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n");
    const feeding = setInterval(() => connection.socket.write(Buffer.alloc(10_000)), 20);
    try {
      await until(() => connection.isClosed, "cut off");
    } finally {
      clearInterval(feeding);
    }
    assert.match(connection.received.toString(), /^HTTP\/1\.1 412 [\s\S]*not here\n$/);
  });

  it("go out on a bare socket as HTTP too", async () => {
    const written: Buffer[] = [];
    const socket = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        written.push(chunk);
        done();
      },
    });
    sendRaw(socket, textAnswer(404, "gone", { Allow: "GET" }));
    await until(() => socket.destroyed, "closed");
    assert.equal(
      Buffer.concat(written).toString(),
      "HTTP/1.1 404 Not Found\r\nAllow: GET\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n" +
        "Connection: close\r\n\r\ngone\n",
    );
  });
});
