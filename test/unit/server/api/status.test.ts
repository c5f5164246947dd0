import assert from "node:assert/strict";
import { AssertionError } from "../../../../src/lib/assert.ts";
import {
  DecodeError,
  type ErrorName,
  errorTable,
  grpcCode,
  RequestError,
  StatusError,
  StorageFailure,
} from "../../../../src/lib/errors.ts";
import { type Log, silentLog } from "../../../../src/lib/log.ts";
import { toStatus } from "../../../../src/server/api/status.ts";

describe("toStatus", () => {
  it("gives each row of the error table its code and text", () => {
    for (const name of Object.keys(errorTable) as ErrorName[]) {
      assert.deepEqual(toStatus(new RequestError(name), silentLog), {
        code: errorTable[name].grpc,
        text: errorTable[name].text,
      });
    }
  });

  it("keeps the code and text of a StatusError", () => {
    const error = new StatusError(grpcCode.unimplemented, "not here");
    assert.deepEqual(toStatus(error, silentLog), { code: grpcCode.unimplemented, text: "not here" });
  });

  it("words undecodable requests as grpc-go does", () => {
    assert.deepEqual(toStatus(new DecodeError("a varint is cut short"), silentLog), {
      code: grpcCode.internal,
      text: "grpc: error unmarshalling request: a varint is cut short",
    });
  });

  it("answers 'server stopped' when the disk fails, without its details", () => {
    const error = new StorageFailure("fsync of wal 7 failed", "replace the disk");
    assert.deepEqual(toStatus(error, silentLog), {
      code: grpcCode.unavailable,
      text: "etcdserver: server stopped",
    });
  });

  it("gives the first line of anything else, well-formed, and the whole to the log", () => {
    const logged: unknown[] = [];
    const log: Log = { ...silentLog, error: (_message, fields) => logged.push(fields?.["error"]) };
    const error = new TypeError("odd \ud800 thing\n    at secret.ts:1");
    const status = toStatus(error, log);
    assert.deepEqual(status, { code: grpcCode.unknown, text: "odd \ufffd thing" });
    encodeURI(status.text);
    assert.deepEqual(logged, [error]);
    assert.deepEqual(toStatus("text", log), { code: grpcCode.unknown, text: "text" });
  });

  it("does not make an answer of a broken invariant", () => {
    assert.throws(() => toStatus(new AssertionError("W2"), silentLog), AssertionError);
  });
});
