import assert from "node:assert/strict";
import { heapGrowthPercentMax } from "../../../src/lib/heap-growth.ts";
import { cleanUp, metastore, temporaryFolder } from "./cli-process.ts";

/** Ends the process as soon as it gives V8 a flag, which it prints. */
const planted = `import { syncBuiltinESMExports } from "node:module";
import v8 from "node:v8";
v8.setFlagsFromString = (flag) => {
  process.stderr.write("given to V8: " + flag + "\\n");
  process.exit(0);
};
syncBuiltinESMExports();`;
const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(planted)}` };

describe("serve", function () {
  this.timeout(60_000);
  after(cleanUp);

  it("limits how far its heap grows", async () => {
    const listen = ["--listen-client-urls", "http://127.0.0.1:0", "--listen-peer-urls", "http://127.0.0.1:0"];
    const { stderr } = await metastore(["serve", "--data-dir", temporaryFolder(), ...listen], { env });
    assert.match(stderr, new RegExp(`^given to V8: --heap-growing-percent=${heapGrowthPercentMax}$`, "m"));
  });
});
