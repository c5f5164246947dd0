import assert from "node:assert/strict";
import type { ByteString } from "../../../../src/lib/bytes.ts";
import { KeyHistory } from "../../../../src/server/storage/key-history.ts";
import { KeyTable } from "../../../../src/server/storage/key-table.ts";
import { put } from "../../../suites/engine-suite.ts";

describe("KeyTable", () => {
  it("holds and forgets keys of every length and byte", () => {
    const table = new KeyTable();
    const keys = ["", "a", "\0", "\xff", "ab", "abc", "abcd", "abcde", "a".repeat(5_000)];
    for (let i = 0; i < 2_000; i++) keys.push(`/registry/pods/${i}`);
    const histories = new Map(keys.map((key) => [key as ByteString, new KeyHistory(put(key, 2, 0))]));
    for (const [key, history] of histories) table.set(key, history);
    for (const [key, history] of histories) assert.equal(table.get(key), history);
    table.delete("abc" as ByteString);
    assert.equal(table.get("abc" as ByteString), undefined);
    assert.equal(table.get("abcd" as ByteString)?.latest.key, "abcd");
  });
});
