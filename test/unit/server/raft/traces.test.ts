import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describeDifference, runTraceFile, traceFilesBelow } from "../../../traces/trace-file.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const ours = join(root, "test", "scripts", "raft");
const publicTraces = process.env["METASTORE_RAFT_TRACES"] ?? join(root, "..", "shared", "raft", "testdata");

function pass(folder: string): void {
  for (const path of traceFilesBelow(folder)) {
    it(relative(folder, path).replace(/\.txt$/, ""), () => {
      const { difference } = runTraceFile(path);
      assert.ok(difference === undefined, difference && describeDifference(difference));
    });
  }
}

describe("Our own traces pass byte for byte:", () => pass(ours));

describe("The public traces of Raft pass byte for byte:", () => {
  if (existsSync(publicTraces)) pass(publicTraces);
  else it.skip(`there is no folder ${relative(root, publicTraces)}; METASTORE_RAFT_TRACES names another`);
});
