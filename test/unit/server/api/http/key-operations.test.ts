import assert from "node:assert/strict";
import { compareResult, compareTarget } from "../../../../../src/codec/index.ts";
import { type ByteString, EMPTY } from "../../../../../src/lib/bytes.ts";
import { SystemClock } from "../../../../../src/lib/clock.ts";
import { silentLog } from "../../../../../src/lib/log.ts";
import { createKeyOperations, type KeyOperations } from "../../../../../src/server/api/http/index.ts";
import { createMethodTable } from "../../../../../src/server/api/index.ts";
import { FakeNode } from "../fake-node.ts";

const key = "k" as ByteString;
const put = {
  key,
  value: "v" as ByteString,
  lease: 0n,
  prevKv: false,
  ignoreValue: false,
  ignoreLease: false,
};
const range = {
  key,
  rangeEnd: EMPTY,
  limit: 0,
  revision: 0,
  sortOrder: 0,
  sortTarget: 0,
  serializable: false,
  keysOnly: false,
  countOnly: false,
  minModRevision: 0,
  maxModRevision: 0,
  minCreateRevision: 0,
  maxCreateRevision: 0,
};

describe("Key operations", () => {
  let node: FakeNode;
  let operations: KeyOperations;
  beforeEach(() => {
    node = new FakeNode();
    const options = {
      electionTimeoutMs: 1_000,
      clock: new SystemClock(),
      log: silentLog,
      requestBytesMax: 1_000_000,
      txnOpsMax: 128,
    };
    operations = createKeyOperations(node, createMethodTable(node, options));
  });

  it("write through the KV service and read what was written", async () => {
    assert.equal((await operations.put(put)).header?.revision, 2);
    assert.equal((await operations.range(range)).kvs[0]?.value, "v");
    assert.equal((await operations.deleteRange({ key, rangeEnd: EMPTY, prevKv: false })).deleted, 1);
    const { succeeded, responses } = await operations.txn({
      compare: [
        {
          result: compareResult.equal,
          target: compareTarget.mod,
          key,
          rangeEnd: EMPTY,
          union: { case: "modRevision", value: 0 },
        },
      ],
      success: [{ case: "put", request: put }],
      failure: [],
    });
    assert.equal(succeeded, true);
    assert.equal(responses[0]?.case, "put");
  });

  it("obey the checks of the service", async () => {
    await assert.rejects(operations.put({ ...put, key: EMPTY }), { code: "emptyKey" });
    await assert.rejects(operations.range({ ...range, key: EMPTY }), { code: "emptyKey" });
    assert.equal(node.commands.length, 0);
  });

  it("let a learner serve serializable reads alone", async () => {
    node.isLearner = true;
    await assert.rejects(operations.range(range), { code: "learner" });
    await assert.rejects(operations.put(put), { code: "learner" });
    assert.equal((await operations.range({ ...range, serializable: true })).count, 0);
  });
});
