import assert from "node:assert/strict";
import { timeoutMsOf } from "../../../../../src/server/api/wire/grpc-timeout.ts";

describe("timeoutMsOf", () => {
  it("knows all six units", () => {
    assert.equal(timeoutMsOf("2H"), 7_200_000);
    assert.equal(timeoutMsOf("3M"), 180_000);
    assert.equal(timeoutMsOf("4S"), 4_000);
    assert.equal(timeoutMsOf("5m"), 5);
    assert.ok(Math.abs(Number(timeoutMsOf("6000u")) - 6) < 1e-9);
    assert.ok(Math.abs(Number(timeoutMsOf("7000000n")) - 7) < 1e-9);
    assert.equal(timeoutMsOf("0n"), 0);
    assert.equal(timeoutMsOf("00000001m"), 1);
  });

  it("takes a timeout longer than a timer as none", () => {
    assert.equal(timeoutMsOf("99999999H"), undefined);
    assert.equal(timeoutMsOf("2147483S"), 2_147_483_000);
    assert.equal(timeoutMsOf("2147484S"), undefined);
    assert.equal(timeoutMsOf("99999999m"), 99_999_999);
  });

  it("tells what is no timeout", () => {
    for (const text of [
      "",
      "S",
      "1",
      "1s",
      "1h",
      "-1S",
      "1.5S",
      " 1S",
      "1S ",
      "123456789S",
      "1SS",
      "1 S",
      "xS",
    ])
      assert.equal(timeoutMsOf(text), "malformed", text);
  });
});
