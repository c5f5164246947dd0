import assert from "node:assert/strict";
import fc from "fast-check";
import {
  isDefault,
  parseBoolean,
  parseDurationMs,
  parseInteger,
  parseList,
} from "../../../src/server/config-values.ts";
import type { FlagSpec } from "../../../src/server/flag-spec.ts";
import { saying } from "./config-world.ts";

const raw = (text: string) => ({ text, source: "--x" });

describe("Values of flags", () => {
  it("read Go's words for true and false", () => {
    for (const text of ["true", "TRUE", "True", "t", "T", "1"]) assert.equal(parseBoolean(raw(text)), true);
    for (const text of ["false", "FALSE", "f", "F", "0"]) assert.equal(parseBoolean(raw(text)), false);
    for (const text of ["", "yes", "2", "on"])
      assert.throws(() => parseBoolean(raw(text)), saying(/neither/));
  });

  it("read Go's durations", () => {
    for (const [text, milliseconds] of [
      ["0", 0],
      ["0s", 0],
      ["5s", 5_000],
      ["1h30m", 5_400_000],
      ["1.5s", 1_500],
      [".5s", 500],
      ["100us", 0.1],
      ["100µs", 0.1],
      ["1000000ns", 1],
      ["2h0m0s", 7_200_000],
    ] as const) {
      assert.equal(parseDurationMs(raw(text)), milliseconds, text);
    }
    for (const text of ["", "5", "s", "-5s", "5 s", "1d", "1h-5m", "1e3s", "9999999999999h", "."]) {
      assert.throws(() => parseDurationMs(raw(text)), saying(/no duration/), text);
    }
  });

  it("read what they print", () => {
    fc.assert(
      fc.property(fc.nat({ max: 1_000 }), fc.nat({ max: 59 }), fc.nat({ max: 999 }), (h, m, ms) => {
        assert.equal(parseDurationMs(raw(`${h}h${m}m${ms}ms`)), h * 3_600_000 + m * 60_000 + ms);
      }),
    );
  });

  it("read whole numbers within their bounds, and no other text", () => {
    assert.equal(parseInteger(raw("-5"), { min: -5, max: 5 }), -5);
    assert.equal(parseInteger(raw("+5"), { min: -5, max: 5 }), 5);
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          const number = parseInteger(raw(text), { min: 0, max: 100 });
          assert.ok(Number.isInteger(number) && number >= 0 && number <= 100);
        } catch (error) {
          assert.ok(saying(/whole number/)(error));
        }
      }),
    );
  });

  it("read lists without empty items", () => {
    assert.deepEqual(parseList(raw(" a, b,,c ")), ["a", "b", "c"]);
    assert.deepEqual(parseList(raw("")), []);
  });

  it("are the default in any notation", () => {
    const spec = (type: FlagSpec["type"], fallback: string): FlagSpec => ({
      name: "x",
      family: "etcd",
      type,
      default: fallback,
      help: "x",
      group: "LIMITS",
      support: "inert",
    });
    assert.equal(isDefault(raw("F"), spec("boolean", "false")), true);
    assert.equal(isDefault(raw("60s"), spec("duration", "1m")), true);
    assert.equal(isDefault(raw("010"), spec("integer", "10")), true);
    assert.equal(isDefault(raw("a, b"), spec("list", "a,b")), true);
    assert.equal(isDefault(raw("A"), spec("string", "a")), false);
  });
});
