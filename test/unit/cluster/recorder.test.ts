import assert from "node:assert/strict";
import { MetaStoreError } from "../../../src/client/index.ts";
import { errorTable, grpcCode } from "../../../src/lib/errors.ts";
import type { EventSeen, ModelRequest } from "../../checkers/index.ts";
import { differenceOf } from "../../cluster/checks/convergence.ts";
import { EventLog } from "../../cluster/checks/event-log.ts";
import { Recorder } from "../../cluster/workload/recorder.ts";

const request: ModelRequest = { kind: "leaseRevoke", lease: "7" };
const failure = (grpc: number, message: string, outcome: "unknown" | "not-applied", retryable = true) =>
  new MetaStoreError({ grpc, message, endpoint: "m1", outcome, retryable });

describe("the recorder of the chaos clients", () => {
  it("writes down an answered operation with both its times", async () => {
    const recorder = new Recorder();
    const answer = { kind: "done", revision: 3 } as const;
    const result = await recorder.perform("leaseRevoke", 1, request, () => Promise.resolve(answer));
    const [operation] = recorder.operations;
    assert.deepEqual(result, { outcome: "ok", response: answer });
    assert.deepEqual(operation?.response, answer);
    assert.ok(operation!.callMs <= operation!.returnMs && operation!.returnMs < Number.POSITIVE_INFINITY);
  });

  it("leaves an operation of unknown outcome open for ever", async () => {
    const recorder = new Recorder();
    const error = failure(grpcCode.deadlineExceeded, "Deadline exceeded", "unknown");
    await recorder.perform("leaseRevoke", 1, request, () => Promise.reject(error));
    assert.equal(recorder.operations[0]?.returnMs, Number.POSITIVE_INFINITY);
    assert.equal(recorder.operations[0]?.response, undefined);
  });

  it("does not write down what surely had no effect", async () => {
    const recorder = new Recorder();
    const error = failure(grpcCode.unavailable, "No connection established", "not-applied");
    await recorder.perform("leaseRevoke", 1, request, () => Promise.reject(error));
    assert.deepEqual(recorder.operations, []);
    assert.equal(recorder.counts.get("leaseRevoke")?.notApplied, 1);
    assert.deepEqual(recorder.finalErrors, []);
  });

  it("writes down a refusal by the state with etcd's text", async () => {
    const recorder = new Recorder();
    const { grpc, text } = errorTable.leaseNotFound;
    const error = failure(grpc, text, "not-applied", false);
    await recorder.perform("leaseRevoke", 1, request, () => Promise.reject(error));
    assert.deepEqual(recorder.operations[0]?.response, { kind: "refused", error: text });
    assert.deepEqual(recorder.finalErrors, []);
  });

  it("keeps the errors that no retry helps against", async () => {
    const recorder = new Recorder();
    const error = failure(grpcCode.internal, "a defect", "unknown", false);
    await recorder.perform("leaseRevoke", 1, request, () => Promise.reject(error));
    assert.deepEqual(recorder.finalErrors, ["INTERNAL: a defect"]);
  });

  it("lets a defect of the test itself through", async () => {
    const defect = new TypeError("undefined is not a function");
    const recorder = new Recorder();
    await assert.rejects(
      recorder.perform("leaseRevoke", 1, request, () => Promise.reject(defect)),
      defect,
    );
  });
});

const put = (key: string, modRevision: number): EventSeen => ({
  type: "put",
  kv: { key, value: `v${modRevision}`, createRevision: modRevision, modRevision, version: 1, lease: "" },
  prev: undefined,
});

describe("the log of revisions that the chaos clients keep", () => {
  it("groups events by revision and takes none twice", () => {
    const log = new EventLog();
    log.append([put("a", 2), put("b", 2), put("c", 3)], 1);
    log.append([put("c", 3), put("d", 4)], 2);
    assert.deepEqual(
      log.revisions.map(({ revision, events }) => [revision, events.length]),
      [
        [2, 2],
        [3, 1],
        [4, 1],
      ],
    );
    assert.equal(log.last, 4);
  });

  it("tells of a deletion once", () => {
    const log = new EventLog();
    const seen: number[] = [];
    log.onDeletion("a", (atMs) => seen.push(atMs));
    const deletion = { ...put("a", 3), type: "delete" as const };
    log.append([put("a", 2), deletion], 5);
    log.append([put("a", 4), { ...put("a", 5), type: "delete" }], 6);
    assert.deepEqual(seen, [5]);
  });

  it("names where the history that a member tells differs", () => {
    const log = [
      { revision: 2, events: [put("a", 2)] },
      { revision: 3, events: [put("b", 3)] },
    ];
    assert.equal(differenceOf(log, log, 1), undefined);
    assert.equal(differenceOf(log, log.slice(1), 2), undefined);
    assert.match(differenceOf(log, log.slice(0, 1), 1) ?? "", /log has revision 3.*nothing more/);
    const other = [log[0]!, { revision: 3, events: [put("c", 3)] }];
    assert.match(differenceOf(log, other, 1) ?? "", /put b=v3.*put c=v3/);
  });
});
