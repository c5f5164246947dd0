import assert from "node:assert/strict";
import { consoleLine } from "../../../src/server/log-console.ts";

describe("The console format", () => {
  it("puts time, level, caller, message and fields in columns", () => {
    assert.equal(
      consoleLine('{"level":"info","ts":"T","caller":"wal","n":1,"msg":"opened"}\n'),
      'T\tinfo\twal\topened\t{"n":1}\n',
    );
    assert.equal(consoleLine('{"level":"info","ts":"T","caller":"wal","msg":"m"}'), "T\tinfo\twal\tm\n");
  });

  it("passes what is no JSON object unchanged", () => {
    for (const line of ["", "text\n", "[1]\n", "3\n", "null\n"]) assert.equal(consoleLine(line), line);
  });
});
