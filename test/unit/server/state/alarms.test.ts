import assert from "node:assert/strict";
import { alarmAction, alarmType } from "../../../../src/codec/index.ts";
import { Alarms } from "../../../../src/server/state/alarms.ts";

const raise = { action: alarmAction.activate, memberId: 1n, alarm: alarmType.noSpace };

describe("Alarms", () => {
  it("raises an alarm once and clears it once", () => {
    const alarms = new Alarms();
    assert.equal(alarms.isActive(alarmType.noSpace), false);
    assert.equal(alarms.apply(raise).length, 1);
    assert.equal(alarms.apply(raise).length, 1);
    assert.deepEqual(alarms.list(), [{ memberId: 1n, alarm: alarmType.noSpace }]);
    assert.equal(alarms.isActive(alarmType.noSpace), true);
    const clear = { ...raise, action: alarmAction.deactivate };
    assert.equal(alarms.apply(clear).length, 1);
    assert.equal(alarms.apply(clear).length, 0);
    assert.equal(alarms.isActive(alarmType.noSpace), false);
  });

  it("lists all alarms for NONE and one type otherwise", () => {
    const alarms = new Alarms();
    alarms.apply(raise);
    alarms.apply({ ...raise, memberId: 2n, alarm: alarmType.corrupt });
    const get = { action: alarmAction.get, memberId: 0n, alarm: alarmType.none };
    assert.equal(alarms.apply(get).length, 2);
    assert.equal(alarms.apply({ ...get, alarm: alarmType.corrupt }).length, 1);
  });

  it("does not raise an alarm of type NONE", () => {
    const alarms = new Alarms();
    assert.deepEqual(alarms.apply({ ...raise, alarm: alarmType.none }), []);
    assert.deepEqual(alarms.list(), []);
  });

  it("is restored from what it listed", () => {
    const alarms = new Alarms();
    alarms.apply(raise);
    const copy = new Alarms();
    copy.restore(alarms.list());
    assert.deepEqual(copy.list(), alarms.list());
  });
});
