import assert from "node:assert/strict";
import {
  decodeLockOwner,
  encodeLockOwner,
  isOwnerAlive,
  parseProcessStat,
} from "../../../src/lib/lock-owner.ts";

const owner = { pid: 42, bootId: "b1", startTicks: 777 };
const stat = { state: "S", startTicks: 777 };

describe("The owner of a lock", () => {
  it("is read back as written, and not from anything else", () => {
    assert.deepEqual(decodeLockOwner(encodeLockOwner(owner)), owner);
    const wrong = ["", "{", "null", "7", '{"pid":"x"}', '{"pid":0,"bootId":"","startTicks":0}', '{"pid":1}'];
    for (const text of wrong) assert.equal(decodeLockOwner(text), undefined);
  });

  it("lives when its process exists since the same start of the same boot", () => {
    assert.ok(isOwnerAlive(owner, { bootId: "b1", exists: true, stat }));
  });

  it("is gone after a reboot, when there is no such process, and when it has ended but was not waited for", () => {
    assert.ok(!isOwnerAlive(owner, { bootId: "b2", exists: true, stat }));
    assert.ok(!isOwnerAlive(owner, { bootId: "b1", exists: false, stat: undefined }));
    assert.ok(!isOwnerAlive(owner, { bootId: "b1", exists: true, stat: { ...stat, state: "Z" } }));
    assert.ok(!isOwnerAlive(owner, { bootId: "b1", exists: true, stat: { ...stat, state: "X" } }));
  });

  it("is gone when its pid was given to another process", () => {
    assert.ok(!isOwnerAlive(owner, { bootId: "b1", exists: true, stat: { ...stat, startTicks: 778 } }));
  });

  it("counts as alive where only the pid is known", () => {
    assert.ok(isOwnerAlive({ ...owner, bootId: "", startTicks: 0 }, { bootId: "", exists: true, stat }));
    assert.ok(isOwnerAlive(owner, { bootId: "", exists: true, stat: undefined }));
  });

  it("is found in /proc whatever the command is called", () => {
    const fields = Array.from({ length: 30 }, (_, i) => String(i + 4)).join(" ");
    assert.deepEqual(parseProcessStat(`7 (a) b) R) S ${fields}`), { state: "S", startTicks: 22 });
    assert.equal(parseProcessStat("nothing"), undefined);
    assert.equal(parseProcessStat("7 (x) S 1 2"), undefined);
    assert.equal(parseProcessStat("7 (x)"), undefined);
  });
});
