import assert from "node:assert/strict";
import { heapGrowthPercentMax } from "../../../src/lib/heap-marking.ts";
import { cleanUp, metastore, temporaryFolder } from "./cli-process.ts";

/** Prints the flags that the process gives V8, and ends it at the one that it gives last. */
const planted = `import { syncBuiltinESMExports } from "node:module";
import v8 from "node:v8";
v8.setFlagsFromString = (flag) => {
  process.stderr.write("given to V8: " + flag + "\\n");
  if (flag.startsWith("--heap")) process.exit(0);
};
syncBuiltinESMExports();`;
const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(planted)}` };

describe("serve", function () {
  this.timeout(60_000);
  after(cleanUp);

  it("leaves it to V8's helpers to mark its heap, and limits how far that grows", async () => {
    const listen = ["--listen-client-urls", "http://127.0.0.1:0", "--listen-peer-urls", "http://127.0.0.1:0"];
    const { stderr } = await metastore(["serve", "--data-dir", temporaryFolder(), ...listen], { env });
    assert.deepEqual(stderr.match(/(?<=^given to V8: ).*$/gm), [
      "--no-incremental-marking-task",
      `--heap-growing-percent=${heapGrowthPercentMax}`,
    ]);
  });
});
