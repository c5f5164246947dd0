import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { loadSync, type MethodDefinition } from "@grpc/proto-loader";
import { grpcCode, StatusError } from "../../../../src/lib/errors.ts";
import { rpcTable } from "../../../../src/server/api/index.ts";
import { FakeApi, FakeStream } from "./fake-call.ts";
import { FakeNode } from "./fake-node.ts";

const folder = fileURLToPath(new URL("../../../../proto", import.meta.url));

function publishedMethods(): Map<string, MethodDefinition<object, object>> {
  const files = readdirSync(folder).filter((name) => name.endsWith(".proto"));
  const loaded = loadSync(files, { keepCase: true, includeDirs: [folder] });
  const methods = new Map<string, MethodDefinition<object, object>>();
  for (const definition of Object.values(loaded)) {
    if ("format" in definition) continue;
    for (const method of Object.values(definition)) methods.set(method.path, method);
  }
  return methods;
}

describe("The RPC table", () => {
  it("has one row for each method of proto/, of the right kind, and no other", () => {
    const methods = publishedMethods();
    assert.equal(new Set(rpcTable.map((row) => row.path)).size, rpcTable.length);
    assert.deepEqual(rpcTable.map((row) => row.path).toSorted(), [...methods.keys()].toSorted());
    for (const { path, kind } of rpcTable) {
      const method = methods.get(path);
      const expected = method?.requestStream ? "duplex" : method?.responseStream ? "serverStream" : "unary";
      assert.equal(kind, expected, path);
    }
  });

  it("answers what is not served with UNIMPLEMENTED and the name of what is missing", async () => {
    const { methods } = new FakeApi(new FakeNode());
    const texts: string[] = [];
    for (const row of rpcTable.filter((each) => !each.isServed)) {
      const error = await refusalOf(row.path);
      assert.equal(error.grpc, grpcCode.unimplemented, row.path);
      texts.push(error.message);
    }
    assert.ok(texts.includes("etcdserver: Auth.UserAdd is not served by this version of MetaStore"));
    assert.ok(texts.includes("etcdserver: Election.Observe is not served by this version of MetaStore"));
    assert.ok(texts.includes("etcdserver: Maintenance.Downgrade is not served by this version of MetaStore"));
    assert.equal(new Set(texts).size, texts.length);

    async function refusalOf(path: string): Promise<StatusError> {
      const method = methods.get(path);
      assert.ok(method);
      if (method.kind === "unary") {
        const stream = new FakeStream();
        const error: unknown = await Promise.resolve(method.handle(Buffer.alloc(0), stream.context)).catch(
          (thrown: unknown) => thrown,
        );
        assert.ok(error instanceof StatusError, path);
        return error;
      }
      assert.equal(method.kind, "serverStream");
      const stream = new FakeStream();
      if (method.kind === "serverStream") method.handle(Buffer.alloc(0), stream);
      assert.ok(stream.ended instanceof StatusError, path);
      return stream.ended;
    }
  });
});
