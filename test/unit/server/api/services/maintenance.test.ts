import assert from "node:assert/strict";
import {
  alarmAction,
  alarmType,
  decodeAlarmResponse,
  decodeHashKvResponse,
  decodeHashResponse,
  decodeHeaderOnlyResponse,
  decodeStatusResponse,
  encodeAlarmRequest,
  encodeHashKvRequest,
  encodeMoveLeaderRequest,
} from "../../../../../src/codec/index.ts";
import { RequestError } from "../../../../../src/lib/errors.ts";
import { ETCD_API_VERSION, STORAGE_VERSION } from "../../../../../src/server/api/index.ts";
import { EMPTY_STORE_BYTES } from "../../../../../src/server/api/services/maintenance.ts";
import { FakeApi } from "../fake-call.ts";
import { FakeNode } from "../fake-node.ts";
import { putRequest } from "../requests.ts";

const MAINTENANCE = "/etcdserverpb.Maintenance";
const empty = Buffer.alloc(0);

describe("Maintenance service", () => {
  let node: FakeNode;
  let api: FakeApi;

  beforeEach(() => {
    node = new FakeNode();
    api = new FakeApi(node);
  });

  const status = async () => decodeStatusResponse(await api.call(`${MAINTENANCE}/Status`, empty));

  it("reports the member's state", async () => {
    node.kv.put(putRequest("a", "1"));
    node.quotaBytes = 12_345;
    const stats = node.kv.stats();
    assert.deepEqual(await status(), {
      header: { clusterId: node.clusterId, memberId: node.memberId, revision: 2, raftTerm: 3 },
      version: ETCD_API_VERSION,
      dbSize: EMPTY_STORE_BYTES + node.kv.storedBytes(),
      leader: node.memberId,
      raftIndex: 7,
      raftTerm: 3,
      raftAppliedIndex: 6,
      errors: [],
      dbSizeInUse: EMPTY_STORE_BYTES + stats.sizeInUseBytes,
      isLearner: false,
      storageVersion: STORAGE_VERSION,
      dbSizeQuota: 12_345,
    });
  });

  it("lists what is wrong: no leader, and the alarms in protobuf's text form", async () => {
    node.leaderId = 0n;
    node.activeAlarms.push({ memberId: 1_234n, alarm: alarmType.noSpace });
    node.activeAlarms.push({ memberId: 0n, alarm: alarmType.corrupt });
    const answer = await status();
    assert.deepEqual(answer.errors, [
      "etcdserver: no leader",
      "memberID:1234 alarm:NOSPACE",
      "alarm:CORRUPT",
    ]);
    assert.equal(answer.leader, 0n);
  });

  it("raises, lists and clears alarms through the log", async () => {
    const alarm = async (action: number, type: number) =>
      decodeAlarmResponse(
        await api.call(
          `${MAINTENANCE}/Alarm`,
          encodeAlarmRequest({ action, memberId: node.memberId, alarm: type }),
        ),
      ).alarms;
    const raised = [{ memberId: node.memberId, alarm: alarmType.noSpace }];
    assert.deepEqual(await alarm(alarmAction.activate, alarmType.noSpace), raised);
    assert.deepEqual(await alarm(alarmAction.get, alarmType.none), raised);
    assert.deepEqual(await alarm(alarmAction.deactivate, alarmType.noSpace), raised);
    assert.deepEqual(await alarm(alarmAction.deactivate, alarmType.noSpace), []);
    assert.equal(node.commands.length, 4);
  });

  it("hashes the keys at a revision, and the whole", async () => {
    node.kv.put(putRequest("a", "1"));
    node.kv.put(putRequest("a", "2"));
    const hash = async (revision: number) =>
      decodeHashKvResponse(await api.call(`${MAINTENANCE}/HashKV`, encodeHashKvRequest({ revision })));
    const current = await hash(0);
    assert.deepEqual([current.hashRevision, current.compactRevision, current.header?.revision], [3, -1, 3]);
    assert.notEqual((await hash(2)).hash, current.hash);
    await api.rejects(`${MAINTENANCE}/HashKV`, encodeHashKvRequest({ revision: 9 }), "futureRevision");
    const whole = decodeHashResponse(await api.call(`${MAINTENANCE}/Hash`, empty));
    assert.equal(whole.hash, current.hash);
    assert.equal(whole.header?.raftTerm, 3);
  });

  it("defragments, and answers without a header", async () => {
    assert.deepEqual(await api.call(`${MAINTENANCE}/Defragment`, empty), empty);
    assert.equal(node.defragments, 1);
  });

  it("hands leadership over, and answers without a header", async () => {
    const answer = await api.call(`${MAINTENANCE}/MoveLeader`, encodeMoveLeaderRequest({ targetId: 9n }));
    assert.deepEqual(decodeHeaderOnlyResponse(answer), { header: undefined });
    assert.deepEqual(node.changes, [["moveLeader", 9n]]);
    assert.equal(node.leaderId, 9n);
  });

  it("moves the leader only as the leader", async () => {
    const request = encodeMoveLeaderRequest({ targetId: 9n });
    for (const leaderId of [0n, 9n]) {
      node.leaderId = leaderId;
      await api.rejects(`${MAINTENANCE}/MoveLeader`, request, "notLeader");
    }
    assert.deepEqual(node.changes, []);
    node.leaderId = node.memberId;
    for (const code of ["badLeaderTransferee", "leaderTransferTimeout"] as const) {
      node.changeError = new RequestError(code);
      await api.rejects(`${MAINTENANCE}/MoveLeader`, request, code);
    }
    node.isLearner = true;
    await api.rejects(`${MAINTENANCE}/MoveLeader`, request, "learner");
  });
});
