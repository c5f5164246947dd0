import assert from "node:assert/strict";
import fc from "fast-check";
import { parseTxn } from "../../../src/cli/txn-document.ts";
import { parseCompare, parseOperation, parseTxnText, splitWords } from "../../../src/cli/txn-text.ts";

describe("the text of a transaction", () => {
  it("has comparisons, success and failure operations, each block ended by an empty line", () => {
    const spec = parseTxnText('mod("k 1") > "0"\nver(k)="3"\n\nput k "v v"\n\nget k --prefix\ndel a c\n\n');
    assert.deepEqual(spec.compare, [
      { target: "mod", key: "k 1", op: ">", operand: "0" },
      { target: "version", key: "k", op: "=", operand: "3" },
    ]);
    assert.equal(spec.success.length, 1);
    assert.deepEqual(
      spec.failure.map((operation) => operation.kind),
      ["get", "delete"],
    );
  });

  it("may leave out comparisons and blocks", () => {
    assert.deepEqual(parseTxnText("\nput a 1\n").success.length, 1);
    assert.deepEqual(parseTxnText(""), { compare: [], success: [], failure: [] });
    assert.throws(() => parseTxnText("\nput a 1\n\n\n\nput b 2\n"), /line 6: .*three blocks/);
  });

  it("names the line of what it cannot read", () => {
    assert.throws(() => parseTxnText('mod("a") ~ "1"\n'), /line 1: not a comparison/);
    assert.throws(() => parseTxnText("\nput a\n"), /line 2: no value/);
    assert.throws(() => parseTxnText("\nmove a b\n"), /line 2: not an operation/);
    assert.throws(() => parseTxnText('\nput a "b\n'), /line 2: a quote is not closed/);
  });

  it("knows etcdctl's short names of what is compared", () => {
    for (const [short, target] of [
      ["c", "create"],
      ["create", "create"],
      ["m", "mod"],
      ["ver", "version"],
      ["val", "value"],
      ["lease", "lease"],
    ]) {
      assert.equal(parseCompare(`${short}("k") != "1"`).target, target);
    }
  });

  it("takes flags with their value after a space or an equals sign, and -- before dashes", () => {
    const put = parseOperation("put k v --lease=1f --prev-kv");
    assert.deepEqual(put.kind === "put" && [put.lease, put.previous], ["1f", true]);
    const get = parseOperation("get --limit 3 -- --k");
    assert.deepEqual(get.kind === "get" && [get.key, get.limit], ["--k", "3"]);
    assert.throws(() => parseOperation("get k --bogus"), /no flag --bogus/);
    assert.throws(() => parseOperation("get k --limit"), /no value/);
  });

  it("gives back every text that was put in double quotes", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 0, maxLength: 12 }), { maxLength: 5 }), (words) => {
        const quoted = words.map((word) => `"${word.replace(/[\\"]/g, "\\$&")}"`);
        assert.deepEqual(splitWords(quoted.join(" ")), words);
      }),
    );
  });

  it("never fails with anything but a usage error", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (text) => {
        try {
          parseTxnText(text);
        } catch (error) {
          assert.equal((error as Error).name, "UsageError");
        }
      }),
    );
  });
});

describe("a transaction as YAML or JSON", () => {
  it("is told from text by its first line", async () => {
    const yaml = await parseTxn(
      "# change\nif:\n  - {key: a, mod: 3, op: '>'}\nthen:\n  - put: {key: a, value: 7}\n",
      undefined,
    );
    const json = await parseTxn('{"if":["mod(a) > 3"],"then":[{"put":{"key":"a","value":"7"}}]}', undefined);
    assert.deepEqual(yaml, json);
    assert.equal((await parseTxn("\nput a 7\n", undefined)).success.length, 1);
  });

  it("nests", async () => {
    const spec = await parseTxn('{"then":[{"txn":{"then":["get a"]}}]}', "json");
    const [inner] = spec.success;
    assert.equal(inner?.kind === "txn" && inner.txn.success.length, 1);
  });

  it("names the place of what it cannot read", async () => {
    await assert.rejects(
      parseTxn('{"then":[{"put":{"key":"a"}}]}', "json"),
      /then\[0\]\.put\.value is missing/,
    );
    await assert.rejects(parseTxn('{"then":[{"put":{},"get":{}}]}', "json"), /then\[0\] holds 2 operations/);
    await assert.rejects(parseTxn('{"when":[]}', "json"), /when is not known/);
    await assert.rejects(parseTxn('{"if":[{"key":"a"}]}', "json"), /if\[0\] compares 0 things/);
    await assert.rejects(parseTxn("if: [", "yaml"), /not YAML/);
    await assert.rejects(parseTxn("{", "json"), /not JSON/);
  });
});
