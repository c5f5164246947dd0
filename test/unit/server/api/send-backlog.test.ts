import assert from "node:assert/strict";
import { SendBacklog } from "../../../../src/server/api/send-backlog.ts";
import { sendQueueLimits } from "../../../../src/server/api/transport.ts";

const { bytesMax, messagesMax } = sendQueueLimits;

function backlog(): { backlog: SendBacklog; drains: () => number } {
  let drains = 0;
  const made = new SendBacklog();
  made.onDrain = () => {
    drains++;
  };
  return { backlog: made, drains: () => drains };
}

describe("SendBacklog", () => {
  it("has room until it holds bytesMax or messagesMax", () => {
    const { backlog: byBytes } = backlog();
    byBytes.add(bytesMax - 1);
    assert.equal(byBytes.hasRoom(), true);
    byBytes.add(1);
    assert.equal(byBytes.hasRoom(), false);
    const { backlog: byMessages } = backlog();
    for (let i = 0; i < messagesMax; i++) byMessages.add(0);
    assert.equal(byMessages.hasRoom(), false);
  });

  it("calls back once when it is half empty again, and only after it had no room", () => {
    const { backlog: queue, drains } = backlog();
    queue.add(bytesMax / 2);
    queue.remove(bytesMax / 2, false);
    assert.equal(drains(), 0);
    for (let i = 0; i < 4; i++) queue.add(bytesMax / 4);
    assert.equal(queue.hasRoom(), false);
    queue.remove(bytesMax / 4, false);
    assert.equal(drains(), 0);
    queue.remove(bytesMax / 4, false);
    queue.remove(bytesMax / 4, false);
    assert.equal(drains(), 1);
    assert.deepEqual([queue.bytes, queue.messages], [bytesMax / 4, 1]);
  });

  it("calls nobody back when the stream is over", () => {
    const { backlog: queue, drains } = backlog();
    queue.add(bytesMax);
    assert.equal(queue.hasRoom(), false);
    queue.remove(bytesMax, true);
    assert.equal(drains(), 0);
    assert.deepEqual([queue.bytes, queue.messages], [0, 0]);
  });
});
