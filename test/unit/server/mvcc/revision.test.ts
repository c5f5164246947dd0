import assert from "node:assert/strict";
import { assertReadable, headerAt } from "../../../../src/server/mvcc/revision.ts";
import { codeOf } from "./store-fixture.ts";

describe("revisions", () => {
  it("can be read from the compact revision to the current one, both included", () => {
    const codes = [3, 4, 7, 8].map((revision) =>
      codeOf(() => assertReadable(revision, { currentRevision: 7, compactRevision: 4 })),
    );
    assert.deepEqual(codes, ["compacted", "none", "none", "futureRevision"]);
  });

  it("a header made by the store holds the revision only", () => {
    assert.deepEqual(headerAt(5), { clusterId: 0n, memberId: 0n, revision: 5, raftTerm: 0 });
  });
});
