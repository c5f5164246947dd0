import assert from "node:assert/strict";
import { HttpError } from "../../../../../src/server/api/http/errors.ts";
import {
  booleanOption,
  integerOption,
  keyOption,
  refuseUnknownOptions,
} from "../../../../../src/server/api/http/key-options.ts";
import { parseOptions } from "../../../../../src/server/api/http/request-target.ts";

const is400 = (error: unknown): boolean => error instanceof HttpError && error.status === 400;

describe("Options of the key API", () => {
  it("are true by name alone, and false by word or absence", () => {
    const options = parseOptions("a&b=true&c=1&d=false&e=0");
    assert.deepEqual(
      ["a", "b", "c", "d", "e", "f"].map((name) => booleanOption(options, name)),
      [true, true, true, false, false, false],
    );
    assert.throws(() => booleanOption(parseOptions("a=yes"), "a"), is400);
  });

  it("are whole numbers within what JavaScript counts exactly", () => {
    assert.equal(integerOption(parseOptions("n=9007199254740991"), "n", 1, 0), Number.MAX_SAFE_INTEGER);
    assert.equal(integerOption(parseOptions(""), "n", 1, 7), 7);
    for (const text of ["", "0", "-1", "1.5", "1e3", "0x10", "%31", "9007199254740993", "NaN"]) {
      assert.throws(() => integerOption(parseOptions(`n=${text}`), "n", 1, 0), is400, text);
    }
  });

  it("are keys byte by byte", () => {
    assert.equal(keyOption(parseOptions("after=a%00%ff+"), "after"), "a\0\xff+");
    assert.equal(keyOption(parseOptions(""), "after"), undefined);
    assert.throws(() => keyOption(parseOptions("after=%"), "after"), is400);
  });

  it("are refused when they are unknown", () => {
    assert.throws(() => refuseUnknownOptions(parseOptions("prefx"), ["prefix"], "GET"), is400);
    refuseUnknownOptions(parseOptions("prefix"), ["prefix"], "GET");
  });
});
