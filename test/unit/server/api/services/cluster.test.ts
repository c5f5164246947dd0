import assert from "node:assert/strict";
import {
  decodeMemberAddResponse,
  decodeMemberListResponse,
  decodeMembersResponse,
  encodeMemberAddRequest,
  encodeMemberIdRequest,
  encodeMemberListRequest,
  encodeMemberUpdateRequest,
} from "../../../../../src/codec/index.ts";
import { RequestError } from "../../../../../src/lib/errors.ts";
import { FakeApi } from "../fake-call.ts";
import { FakeNode } from "../fake-node.ts";

const PATH = "/etcdserverpb.Cluster/MemberList";

describe("Cluster service", () => {
  it("lists the members by id, with a header that has no revision", async () => {
    const node = new FakeNode();
    const answer = decodeMemberListResponse(
      await new FakeApi(node).call(PATH, encodeMemberListRequest({ linearizable: false })),
    );
    assert.deepEqual(
      answer.members.map((member) => member.id),
      [2n, 9n, node.memberId],
    );
    assert.deepEqual(answer.header, {
      clusterId: node.clusterId,
      memberId: node.memberId,
      revision: 0,
      raftTerm: 3,
    });
    assert.equal(node.barriers, 0);
  });

  it("reads after a barrier when it is asked to be linearizable", async () => {
    const node = new FakeNode();
    const api = new FakeApi(node);
    await api.call(PATH, encodeMemberListRequest({ linearizable: true }));
    assert.equal(node.barriers, 1);
    node.barrierError = new RequestError("leaderChanged");
    await api.rejects(PATH, encodeMemberListRequest({ linearizable: true }), "leaderChanged");
  });

  const newMember = { peerUrls: ["http://127.0.0.1:4380"], isLearner: true };
  const changes: [string, Buffer][] = [
    ["/etcdserverpb.Cluster/MemberAdd", encodeMemberAddRequest(newMember)],
    ["/etcdserverpb.Cluster/MemberRemove", encodeMemberIdRequest({ id: 2n })],
    ["/etcdserverpb.Cluster/MemberUpdate", encodeMemberUpdateRequest({ id: 2n, peerUrls: ["http://a:1"] })],
    ["/etcdserverpb.Cluster/MemberPromote", encodeMemberIdRequest({ id: 2n })],
  ];

  it("adds a member and answers with it and with all", async () => {
    const node = new FakeNode();
    const answer = decodeMemberAddResponse(await new FakeApi(node).call(...changes[0]!));
    assert.deepEqual(node.changes, [["add", newMember.peerUrls, true]]);
    assert.deepEqual(answer.member, { id: 77n, name: "", clientUrls: [], ...newMember });
    assert.deepEqual(
      answer.members.map((member) => member.id),
      [2n, 9n, 77n, node.memberId],
    );
    assert.equal(answer.header?.revision, 0);
  });

  it("removes, updates and promotes a member and answers with all that are then", async () => {
    const node = new FakeNode();
    const api = new FakeApi(node);
    for (const [path, request] of changes.slice(1).reverse()) {
      const { members, header } = decodeMembersResponse(await api.call(path, request));
      assert.deepEqual(
        members.map((member) => member.id),
        path.endsWith("Remove") ? [9n, node.memberId] : [2n, 9n, node.memberId],
        path,
      );
      assert.deepEqual([header?.revision, header?.raftTerm], [0, 3]);
      if (path.endsWith("Update")) assert.deepEqual(members[0]?.peerUrls, ["http://a:1"]);
    }
    assert.deepEqual(node.changes, [
      ["promote", 2n],
      ["update", 2n, ["http://a:1"]],
      ["remove", 2n],
    ]);
  });

  it("asks the member for nothing when a URL is none", async () => {
    const node = new FakeNode();
    const api = new FakeApi(node);
    for (const peerUrls of [[], ["localhost:2380"], ["http://a"], ["http://a:1/x"]]) {
      const add = encodeMemberAddRequest({ peerUrls, isLearner: false });
      await api.rejects("/etcdserverpb.Cluster/MemberAdd", add, "memberUrlsInvalid");
      const update = encodeMemberUpdateRequest({ id: 2n, peerUrls });
      await api.rejects("/etcdserverpb.Cluster/MemberUpdate", update, "memberUrlsInvalid");
    }
    assert.deepEqual(node.changes, []);
  });

  it("passes on why the cluster refuses a change", async () => {
    const node = new FakeNode();
    for (const code of ["unhealthy", "memberNotEnoughStarted", "peerUrlExists", "learnerTooMany"] as const) {
      node.changeError = new RequestError(code);
      for (const [path, request] of changes) await new FakeApi(node).rejects(path, request, code);
    }
  });

  it("changes nothing on a learner, and does not list there either", async () => {
    const node = new FakeNode();
    node.isLearner = true;
    const api = new FakeApi(node);
    for (const [path, request] of changes) await api.rejects(path, request, "learner");
    await api.rejects(PATH, encodeMemberListRequest({ linearizable: false }), "learner");
    assert.deepEqual(node.changes, []);
  });
});
