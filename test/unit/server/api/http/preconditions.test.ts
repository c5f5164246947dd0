import assert from "node:assert/strict";
import { compareResult } from "../../../../../src/codec/index.ts";
import type { ByteString } from "../../../../../src/lib/bytes.ts";
import { HttpError } from "../../../../../src/server/api/http/errors.ts";
import { conditionsOf, entityTag, isUnchanged } from "../../../../../src/server/api/http/preconditions.ts";

const key = "k" as ByteString;
const shape = (headers: Parameters<typeof conditionsOf>[1]): [number, number | undefined][] =>
  conditionsOf(key, headers).map(({ result, union }) => [
    result,
    union.case === "modRevision" ? union.value : undefined,
  ]);

describe("Preconditions", () => {
  it("are none without headers", () => {
    assert.deepEqual(conditionsOf(key, {}), []);
  });

  it("compare the mod revision of the key", () => {
    assert.deepEqual(shape({ "if-match": '"7"' }), [[compareResult.equal, 7]]);
    assert.deepEqual(shape({ "if-match": "*" }), [[compareResult.notEqual, 0]]);
    assert.deepEqual(shape({ "if-none-match": "*" }), [[compareResult.equal, 0]]);
    assert.deepEqual(shape({ "if-none-match": '"7"' }), [[compareResult.notEqual, 7]]);
    assert.deepEqual(shape({ "if-match": " * ", "if-none-match": '"7"' }), [
      [compareResult.notEqual, 0],
      [compareResult.notEqual, 7],
    ]);
  });

  it("hold at once for a foreign tag that must not match", () => {
    assert.deepEqual(shape({ "if-none-match": '"abc"' }), []);
  });

  it("fail at once for a tag that was never issued", () => {
    for (const tag of ['"abc"', '"0"', '"07"', 'W/"7"', '""', '"9007199254740993"']) {
      assert.throws(
        () => conditionsOf(key, { "if-match": tag }),
        (error) => error instanceof HttpError && error.status === 412,
        tag,
      );
    }
  });

  it("are refused when they are no single tag", () => {
    for (const tag of ["7", "", "abc", '"1","2"', '"1']) {
      assert.throws(
        () => conditionsOf(key, { "if-match": tag }),
        (error) => error instanceof HttpError && error.status === 400,
        tag,
      );
    }
  });

  it("know a read whose value the client has", () => {
    assert.equal(isUnchanged(undefined, 7), false);
    assert.equal(isUnchanged(entityTag(7), 7), true);
    assert.equal(isUnchanged('"6", W/"7"', 7), true);
    assert.equal(isUnchanged('"6"', 7), false);
    assert.equal(isUnchanged("*", 7), true);
  });
});
