import assert from "node:assert/strict";
import { parseAutoCompaction } from "../../../src/server/config-retention.ts";
import { saying } from "./config-world.ts";

const parse = (mode: string, text: string) => parseAutoCompaction(mode, { text, source: "--x" });

describe("--auto-compaction-retention", () => {
  it("is hours or a duration in periodic mode", () => {
    assert.deepEqual(parse("periodic", "1"), { kind: "periodic", retentionMs: 3_600_000 });
    assert.deepEqual(parse("periodic", "5m30s"), { kind: "periodic", retentionMs: 330_000 });
  });

  it("is a number of revisions in revision mode", () => {
    assert.deepEqual(parse("revision", "1000"), { kind: "revision", retentionRevisions: 1_000 });
    assert.throws(() => parse("revision", "5m"), saying(/no number of revisions/));
  });

  it("is off at zero", () => {
    for (const [mode, text] of [
      ["periodic", "0"],
      ["periodic", "0s"],
      ["revision", "0"],
    ] as const) {
      assert.deepEqual(parse(mode, text), { kind: "off" });
    }
  });

  it("is never negative, which once made etcd compact in a loop", () => {
    for (const mode of ["periodic", "revision"]) {
      assert.throws(() => parse(mode, "-1"), saying(/whole number/));
    }
    assert.throws(() => parse("periodic", "-5m"), saying(/no duration/));
    assert.throws(() => parse("periodic", "9999999999"), saying(/whole number/));
  });
});
