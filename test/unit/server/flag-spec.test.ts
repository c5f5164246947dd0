import assert from "node:assert/strict";
import { environmentNames, type FlagSpec } from "../../../src/server/flag-spec.ts";

describe("A flag", () => {
  const flag = (family: FlagSpec["family"]): FlagSpec => ({
    name: "grpc-addr",
    family,
    type: "string",
    default: "",
    help: "x",
    group: "MEMBER",
    support: "served",
  });

  it("of ours has one variable, etcd's has two, ours first", () => {
    assert.deepEqual(environmentNames(flag("metastore")), ["METASTORE_GRPC_ADDR"]);
    assert.deepEqual(environmentNames(flag("etcd")), ["METASTORE_GRPC_ADDR", "ETCD_GRPC_ADDR"]);
  });
});
