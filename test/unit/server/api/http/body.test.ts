import assert from "node:assert/strict";
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { declaredLength, readBody } from "../../../../../src/server/api/http/body.ts";
import { HttpError } from "../../../../../src/server/api/http/errors.ts";

function exchange(headers: Record<string, string> = {}): { req: IncomingMessage; res: ServerResponse } {
  const req = new IncomingMessage(new Socket());
  req.headers = headers;
  return { req, res: new ServerResponse(req) };
}

const hasStatus =
  (status: number) =>
  (error: unknown): boolean =>
    error instanceof HttpError && error.status === status;

describe("A request's body", () => {
  it("is the concatenation of its chunks", async () => {
    const { req, res } = exchange();
    const body = readBody(req, res, 10);
    req.push("abc");
    req.push("def");
    req.push(null);
    assert.equal((await body).toString(), "abcdef");
  });

  it("is refused by its declared length before a byte is read", async () => {
    const { req, res } = exchange({ "content-length": "11" });
    await assert.rejects(readBody(req, res, 10), hasStatus(413));
    assert.equal(res.getHeader("Connection"), "close");
  });

  it("is refused once it is longer than allowed, however it is declared", async () => {
    const { req, res } = exchange();
    const body = readBody(req, res, 5);
    req.push("abc");
    req.push("def");
    await assert.rejects(body, hasStatus(413));
  });

  it("is not stored when the client goes away or the stream breaks", async () => {
    const gone = exchange();
    const body = readBody(gone.req, gone.res, 10);
    gone.req.push("abc");
    gone.req.destroy();
    await assert.rejects(body, hasStatus(499));
    const broken = exchange();
    const second = readBody(broken.req, broken.res, 10);
    broken.req.destroy(new Error("ECONNRESET"));
    await assert.rejects(second, hasStatus(499));
  });

  it("has length 0 when none is declared", () => {
    assert.equal(declaredLength(exchange().req), 0);
    assert.equal(declaredLength(exchange({ "content-length": "7" }).req), 7);
  });
});
