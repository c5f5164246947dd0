import assert from "node:assert/strict";
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import {
  type ErrorName,
  errorTable,
  grpcCode,
  RequestError,
  StatusError,
} from "../../../../../src/lib/errors.ts";
import { silentLog } from "../../../../../src/lib/log.ts";
import { badRequest, sendError, toHttpError } from "../../../../../src/server/api/http/errors.ts";

describe("An error within an answer", () => {
  it("cuts the connection, since the status is out", () => {
    const req = new IncomingMessage(new Socket());
    const res = new ServerResponse(req);
    res.assignSocket(new Socket());
    res.writeHead(200);
    res.write("half");
    sendError(req, res, badRequest("message", "hint"));
    assert.equal(res.destroyed, true);
    assert.equal(res.statusCode, 200);
  });
});

describe("HTTP statuses", () => {
  it("exist for every error a client can see, with etcd's text", () => {
    for (const name of Object.keys(errorTable) as ErrorName[]) {
      const error = toHttpError(new RequestError(name), silentLog);
      assert.ok(error.status >= 400 && error.status < 600, name);
      assert.equal(error.message, errorTable[name].text);
      assert.notEqual(error.hint, "");
      assert.match(error.code, /^[A-Z_]+$/);
    }
  });

  it("follow the gateway's table", () => {
    const expected: Record<number, number> = {
      [grpcCode.canceled]: 499,
      [grpcCode.unknown]: 500,
      [grpcCode.invalidArgument]: 400,
      [grpcCode.deadlineExceeded]: 504,
      [grpcCode.notFound]: 404,
      [grpcCode.alreadyExists]: 409,
      [grpcCode.permissionDenied]: 403,
      [grpcCode.resourceExhausted]: 429,
      [grpcCode.failedPrecondition]: 400,
      [grpcCode.aborted]: 409,
      [grpcCode.outOfRange]: 400,
      [grpcCode.unimplemented]: 501,
      [grpcCode.internal]: 500,
      [grpcCode.unavailable]: 503,
      [grpcCode.dataLoss]: 500,
      [grpcCode.unauthenticated]: 401,
    };
    for (const code of Object.values(grpcCode)) {
      if (code === grpcCode.ok) continue;
      assert.equal(toHttpError(new StatusError(code, "text"), silentLog).status, expected[code]);
    }
  });

  it("name the code in the words of gRPC", () => {
    assert.equal(toHttpError(new RequestError("noSpace"), silentLog).code, "RESOURCE_EXHAUSTED");
    assert.equal(toHttpError(new RequestError("tooManyRequests"), silentLog).code, "UNAVAILABLE");
  });
});
