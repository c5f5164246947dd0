import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { connect } from "../../../src/client/index.ts";
import { cleanUp, metastore, startTestServer, type TestServer, temporaryFolder } from "./cli-process.ts";

/** Makes the module of RocksDB one that cannot be found. */
const resolve = `export async function resolve(name, context, next) {
  if (name === "rocksdb-native") throw new Error("it is not installed");
  return next(name, context);
}`;
const moduleOf = (source: string): string => `data:text/javascript,${encodeURIComponent(source)}`;
const hooks = `import { register } from "node:module"; register(${JSON.stringify(moduleOf(resolve))});`;
const env = { NODE_OPTIONS: `--import ${moduleOf(hooks)}` };

describe("without the module of RocksDB", function () {
  this.timeout(60_000);
  let server: TestServer | undefined;

  after(async () => {
    await server?.stop();
    cleanUp();
  });

  it("a start on it says how to get it and makes nothing, so that a start on memory finds a free place", async () => {
    const folder = temporaryFolder();
    const dataDir = join(folder, "data");
    const listen = ["--listen-client-urls", "http://127.0.0.1:0", "--listen-peer-urls", "http://127.0.0.1:0"];
    const flags = ["serve", "--storage", "rocksdb", "--data-dir", dataDir, ...listen];
    const { exitCode, stderr } = await metastore(flags, { env });
    assert.match(
      stderr,
      /--storage rocksdb needs the module rocksdb-native.*\n.*npm install rocksdb-native@/,
    );
    assert.equal(exitCode, 2);
    assert.equal(existsSync(join(dataDir, "member")), false);
    server = await startTestServer({ dataDir: folder });
    const client = connect({ endpoints: server.endpoint });
    await client.kv.put("a", "b");
    client.close();
  });
});
