import assert from "node:assert/strict";
import { grpcCode, StatusError } from "../../../../src/lib/errors.ts";
import { createMethodTable, rpcTable } from "../../../../src/server/api/index.ts";
import { FakeContext, FakeStream, tableOptions } from "./fake-call.ts";
import { FakeNode } from "./fake-node.ts";

describe("The method table", () => {
  const node = new FakeNode();
  const table = createMethodTable(node, tableOptions);

  after(() => node.watchHub.close());

  it("has a handler of the right kind for every row of the RPC table, and no other", () => {
    assert.deepEqual([...table.keys()].sort(), rpcTable.map(({ path }) => path).sort());
    for (const { path, kind } of rpcTable) assert.equal(table.get(path)?.kind, kind, path);
  });

  it("answers UNIMPLEMENTED, naming the method, to all that is not served, whatever its kind", async () => {
    const unserved = rpcTable.filter(({ isServed }) => !isServed);
    assert.ok(unserved.length > 0);
    for (const { path } of unserved) {
      const handler = table.get(path);
      assert.ok(handler !== undefined);
      let refusal: unknown;
      if (handler.kind === "unary") {
        refusal = await Promise.resolve(handler.handle(Buffer.alloc(0), new FakeContext())).catch(
          (error: unknown) => error,
        );
      } else {
        const stream = new FakeStream();
        if (handler.kind === "duplex") handler.handle(stream);
        else handler.handle(Buffer.alloc(0), stream);
        refusal = stream.ended;
      }
      assert.ok(refusal instanceof StatusError, path);
      assert.equal(refusal.grpc, grpcCode.unimplemented);
      const [service = "", method = ""] = path.slice(1).split("/");
      assert.ok(
        refusal.message.includes(`${service.split(".").pop()}.${method} is not served`),
        refusal.message,
      );
    }
  });
});
