import assert from "node:assert/strict";
import { parseEndpoint, parseEndpoints } from "../../../src/client/endpoint.ts";
import { outcomeOfWrite } from "../../../src/client/errors.ts";
import { allKeys, between, compare, fromKey, op, prefix, TxnBuilder } from "../../../src/client/index.ts";
import { isReadOnlyTxn } from "../../../src/client/txn.ts";
import { UsageError } from "../../../src/lib/errors.ts";

describe("endpoints", () => {
  it("are host and port, with or without a scheme", () => {
    const dns = (name: string, secure?: boolean) => ({ name, target: `dns:${name}`, secure });
    assert.deepEqual(parseEndpoint("127.0.0.1:2379"), dns("127.0.0.1:2379", undefined));
    assert.deepEqual(parseEndpoint("n1"), dns("n1:2379", undefined));
    assert.deepEqual(parseEndpoint("https://n1:1/"), dns("n1:1", true));
    assert.deepEqual(parseEndpoint("http://[::1]:5"), dns("[::1]:5", false));
    assert.equal(parseEndpoint("unix:///run/x.sock").target, "unix:/run/x.sock");
    assert.deepEqual(
      parseEndpoints("a:1, b:2,").map(({ name }) => name),
      ["a:1", "b:2"],
    );
  });

  it("are refused when they are no address", () => {
    for (const text of ["ftp://a:1", "a:0", "a:99999", "a:b", "http://", "a b"]) {
      assert.throws(() => parseEndpoint(text), UsageError, text);
    }
    assert.throws(() => parseEndpoints(" , "), UsageError);
  });
});

describe("key ranges", () => {
  it("are intervals in etcd's notation", () => {
    const interval = ({ start, end }: { start: string; end: string }) => [start, end];
    assert.deepEqual(interval(prefix("a/")), ["a/", "a0"]);
    assert.deepEqual(interval(prefix(Buffer.from([0x61, 0xff]))), ["a\xff", "b"]);
    assert.equal(prefix(""), allKeys);
    assert.deepEqual(interval(fromKey("")), ["\0", "\0"]);
    assert.deepEqual(interval(fromKey("k")), ["k", "\0"]);
    assert.deepEqual(interval(between("a", "c")), ["a", "c"]);
  });
});

describe("a transaction builder", () => {
  const builder = () => new TxnBuilder(() => Promise.reject(new Error("not sent")));

  it("makes the message it describes", () => {
    const request = builder()
      .if(compare.version("k").equals(0), compare.value(prefix("p")).notEquals("x"))
      .do(op.put("k", "v", { lease: 3n }))
      .else(op.range("k"), op.txn(builder().do(op.delete(prefix("p")))))
      .request();
    assert.deepEqual(request.compare[0], {
      result: 0,
      target: 0,
      key: "k",
      rangeEnd: "",
      union: { case: "version", value: 0 },
    });
    assert.equal(request.compare[1]?.rangeEnd, "q");
    assert.deepEqual(
      [...request.success, ...request.failure].map((operation) => operation.case),
      ["put", "range", "txn"],
    );
    assert.equal(isReadOnlyTxn(request), false);
    assert.equal(
      isReadOnlyTxn(
        builder()
          .do(op.range("a"), op.txn(builder().do(op.range("b"))))
          .request(),
      ),
      true,
    );
  });
});

describe("the outcome of a failed write", () => {
  it("is unknown unless the server surely refused it", () => {
    assert.equal(outcomeOfWrite(14, "etcdserver: request timed out"), "unknown");
    assert.equal(outcomeOfWrite(4, "Deadline exceeded"), "unknown");
    assert.equal(outcomeOfWrite(8, "Bandwidth exhausted or memory limit exceeded"), "unknown");
    assert.equal(outcomeOfWrite(13, "anything"), "unknown");
    assert.equal(outcomeOfWrite(8, "etcdserver: mvcc: database space exceeded"), "not-applied");
    assert.equal(outcomeOfWrite(8, "grpc: received message larger than max (2 vs. 1)"), "not-applied");
    assert.equal(outcomeOfWrite(2, "etcdserver: too many requests"), "not-applied");
    assert.equal(outcomeOfWrite(3, "etcdserver: request is too large"), "not-applied");
  });
});
