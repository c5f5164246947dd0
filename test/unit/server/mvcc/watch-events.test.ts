import { strict as assert } from "node:assert";
import { RecordEvents } from "../../../../src/server/mvcc/watch-events.ts";
import { bytes, ModelSource } from "./watch-world.ts";

describe("RecordEvents", () => {
  it("makes each of its two events once", () => {
    const source = new ModelSource();
    source.apply([{ kind: "put", key: "a" }]);
    const [record] = source.apply([{ kind: "put", key: "a" }]);
    const events = new RecordEvents(record!);
    assert.equal(events.plain(), events.plain());
    assert.equal(events.withPrevious(source), events.withPrevious(source));
    assert.equal(events.plain().event.prevKv, undefined);
    assert.equal(events.withPrevious(source).event.prevKv?.modRevision, 2);
    assert.equal(events.plain().encoded, undefined);
  });

  it("uses the same event for both where there is nothing before it", () => {
    const source = new ModelSource();
    const [record] = source.apply([{ kind: "put", key: "a" }]);
    const events = new RecordEvents(record!);
    assert.equal(events.withPrevious(source), events.plain());
  });

  it("gives the last live value before a deletion", () => {
    const source = new ModelSource();
    source.apply([{ kind: "put", key: "a", value: "last" }]);
    const [record] = source.apply([{ kind: "delete", key: "a" }]);
    assert.equal(new RecordEvents(record!).withPrevious(source).event.prevKv?.value, "last");
  });

  it("does not read below the compact revision, even where the records are still there", () => {
    const source = new ModelSource();
    source.apply([{ kind: "put", key: "a" }]);
    const [record] = source.apply([{ kind: "put", key: "a" }]);
    source.compactRevision = 3;
    assert.notEqual(source.at(bytes("a"), 2), undefined);
    assert.equal(new RecordEvents(record!).withPrevious(source).event.prevKv, undefined);
  });
});
