import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { decodeSnapshotResponse, type SnapshotResponse } from "../../../../../src/codec/index.ts";
import { StatusError } from "../../../../../src/lib/errors.ts";
import { limits } from "../../../../../src/lib/limits.ts";
import { STORAGE_VERSION } from "../../../../../src/server/api/index.ts";
import { inspectBackup } from "../../../../../src/server/backup-reader.ts";
import { SimClock } from "../../../../sim/clock.ts";
import { blocksOf } from "../../backup-world.ts";
import { FakeApi, type FakeStream, until } from "../fake-call.ts";
import { FakeNode } from "../fake-node.ts";
import { putRequest } from "../requests.ts";

const PATH = "/etcdserverpb.Maintenance/Snapshot";
const empty = Buffer.alloc(0);

describe("Maintenance.Snapshot", () => {
  let node: FakeNode;
  let clock: SimClock;
  let api: FakeApi;

  beforeEach(() => {
    node = new FakeNode();
    clock = new SimClock();
    api = new FakeApi(node, { clock });
  });

  function fill(count: number, valueBytes: number): void {
    for (let i = 0; i < count; i++) node.kv.put(putRequest(`k${i}`, "v".repeat(valueBytes)));
  }

  function messagesOf(stream: FakeStream): SnapshotResponse[] {
    return stream.sent.map((message) => decodeSnapshotResponse(message));
  }

  async function read(): Promise<SnapshotResponse[]> {
    const stream = api.stream(PATH, empty);
    await until(() => stream.ended !== undefined);
    assert.equal(stream.ended, "ok");
    return messagesOf(stream);
  }

  const contentOf = (messages: readonly SnapshotResponse[]): Buffer =>
    Buffer.concat(messages.map(({ blob }) => blob));

  it("is what etcdctl takes for whole: its size modulo 512 is 32, and it ends with the SHA-256 of all before", async () => {
    for (const count of [0, 1, 2, 3, 50, 400]) {
      fill(count, 7 * count);
      const content = contentOf(await read());
      assert.equal(content.length % 512, 32);
      const digest = createHash("sha256").update(content.subarray(0, -32)).digest();
      assert.deepEqual(content.subarray(-32), digest);
    }
  });

  it("comes in messages of backupMessageBytes at most, the digest alone in the last, as from etcd", async () => {
    fill(40, 20_000);
    const messages = await read();
    assert.ok(messages.length > 20);
    for (const { blob, header, version } of messages) {
      assert.ok(blob.length <= limits.backupMessageBytes);
      assert.equal(header, undefined);
      assert.equal(version, STORAGE_VERSION);
    }
    assert.ok(messages.slice(0, -2).every(({ blob }) => blob.length === limits.backupMessageBytes));
    assert.equal(messages.at(-1)?.blob.length, 32);
  });

  it("says how much is left: never more than before, about right at the beginning, 0 at the end only", async () => {
    fill(300, 5_000);
    const messages = await read();
    const left = messages.map(({ remainingBytes }) => remainingBytes);
    assert.equal(left.at(-1), 0);
    assert.ok(left.slice(0, -1).every((bytes) => bytes >= 32));
    assert.ok(left.every((bytes, i) => i === 0 || bytes <= left[i - 1]!));
    const total = contentOf(messages).length;
    const said = left[0]! + messages[0]!.blob.length;
    assert.ok(Math.abs(said - total) < total / 20, `${said} of ${total}`);
  });

  it("holds the state at the moment of the call, whatever is written and compacted while it is read", async () => {
    fill(200, 2_000);
    const revision = node.kv.currentRevision;
    const stream = api.stream(PATH, empty, false);
    await until(() => stream.queuedMessages > 0);
    fill(200, 10);
    node.kv.compact(node.kv.currentRevision);
    await new Promise((resolve) => setTimeout(resolve, 20));
    stream.take();
    await until(() => stream.ended !== undefined);
    const report = await inspectBackup(blocksOf(contentOf(messagesOf(stream))), "live");
    assert.deepEqual([report.revision, report.records, report.keys], [revision, 200, 200]);
    assert.deepEqual([report.clusterId, report.memberId], [node.clusterId, node.memberId]);
    assert.deepEqual([report.index, report.term], [node.appliedIndex, node.term]);
    assert.deepEqual(report.note, {
      storageVersion: STORAGE_VERSION,
      productVersion: report.note?.productVersion,
      takenAtMs: clock.wallMs(),
      memberName: "fake",
    });
  });

  it("waits for a peer that is slow, with two messages on the way", async () => {
    fill(100, 20_000);
    const stream = api.stream(PATH, empty, false);
    await until(() => stream.queuedMessages >= 2);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(stream.queuedBytes < 3 * limits.backupMessageBytes, `${stream.queuedBytes} bytes wait`);
    assert.equal(node.openSnapshots, 1);
    stream.take();
    await until(() => stream.ended === "ok");
    assert.equal(node.openSnapshots, 0);
  });

  it("lets go of the state when the call is cancelled", async () => {
    fill(100, 20_000);
    const stream = api.stream(PATH, empty, false);
    await until(() => stream.queuedMessages >= 2);
    stream.context.cancel();
    await until(() => stream.ended !== undefined);
    assert.equal(node.openSnapshots, 0);
  });

  it("is given up when its peer takes nothing for backupStallMsMax, since it keeps space from being freed", async () => {
    fill(100, 20_000);
    const stream = api.stream(PATH, empty, false);
    await until(() => stream.queuedMessages >= 2);
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(limits.backupStallMsMax - 1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.ok(!stream.ended);
    clock.advance(1);
    await until(() => stream.ended !== undefined);
    const end: unknown = stream.ended;
    assert.ok(end instanceof StatusError);
    assert.match(end.message, /not read for 60 s/);
    assert.equal(node.openSnapshots, 0);
  });

  it("is refused beyond backupsMax at a time, and given again when one has ended", async () => {
    fill(100, 20_000);
    const streams = Array.from({ length: limits.backupsMax }, () => api.stream(PATH, empty, false));
    const further = api.stream(PATH, empty);
    await until(() => further.ended !== undefined);
    assert.ok(further.ended instanceof StatusError);
    assert.match(further.ended.message, /8 snapshots are being sent already/);
    streams[3]!.context.cancel();
    await until(() => node.openSnapshots === limits.backupsMax - 1);
    await read();
    for (const stream of streams) stream.context.cancel();
    await until(() => node.openSnapshots === 0);
  });

  it("is given by a learner, and by a member without a leader: it may be all that is left", async () => {
    node.isLearner = true;
    node.leaderId = 0n;
    fill(3, 3);
    const report = await inspectBackup(blocksOf(contentOf(await read())), "lone");
    assert.equal(report.keys, 3);
  });

  it("ends with the error of a state that is replaced while it is read", async () => {
    fill(100, 20_000);
    const stream = api.stream(PATH, empty, false);
    await until(() => stream.queuedMessages >= 2);
    const restore = node.kv.restore({ currentRevision: 5, compactRevision: -1, finishedCompactRevision: -1 });
    await restore.prepare();
    restore.finish();
    stream.take();
    await until(() => stream.ended !== undefined);
    assert.match(String(stream.ended), /leader changed/);
    assert.equal(node.openSnapshots, 0);
  });
});
