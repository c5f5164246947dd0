import assert from "node:assert/strict";
import type { ResponseHeader } from "../../../../src/codec/index.ts";
import { completeHeader, headerAt } from "../../../../src/server/api/response-header.ts";
import { FakeNode } from "./fake-node.ts";
import { putRequest } from "./requests.ts";

describe("Response headers", () => {
  const node = new FakeNode();
  const member = { clusterId: node.clusterId, memberId: node.memberId, raftTerm: 3 };

  it("name the member that answers, and keep the revision they have", () => {
    const header: ResponseHeader = { clusterId: 0n, memberId: 0n, revision: 42, raftTerm: 0 };
    completeHeader({ header }, node);
    assert.deepEqual(header, { ...member, revision: 42 });
    assert.deepEqual(headerAt(0, node), { ...member, revision: 0 });
  });

  it("are made at the current revision where there is none", () => {
    node.kv.put(putRequest("a", "1"));
    const response = { header: undefined };
    completeHeader(response, node);
    assert.deepEqual(response.header, { ...member, revision: 2 });
  });
});
