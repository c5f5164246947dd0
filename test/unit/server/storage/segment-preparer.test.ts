import assert from "node:assert/strict";
import { type Log, silentLog } from "../../../../src/lib/log.ts";
import { SegmentPreparer } from "../../../../src/server/storage/segment-preparer.ts";
import { SimFs } from "../../../sim/disk.ts";

const SIZE_BYTES = 600_000;

async function setUp(options: { failAtOperation?: number; log?: Log } = {}) {
  const at = options.failAtOperation;
  const fs = new SimFs(
    at === undefined ? { seed: 1 } : { seed: 1, failAt: { operation: at + 1, code: "ENOSPC" } },
  );
  await fs.createDirectory("/wal");
  return { fs, preparer: new SegmentPreparer(fs, options.log ?? silentLog, "/wal", SIZE_BYTES) };
}

describe("SegmentPreparer", () => {
  it("hands out a file of real zeros that it made ahead, and makes one at a time", async () => {
    const { fs, preparer } = await setUp();
    preparer.begin();
    preparer.begin();
    const { file, path } = await preparer.take(SIZE_BYTES);
    assert.deepEqual(await fs.readDirectory("/wal"), [path.slice("/wal/".length)]);
    assert.ok(fs.contentOf(path).equals(Buffer.alloc(SIZE_BYTES)));
    await file.close();
  });

  it("makes a file on the spot when none is prepared, or none of that size", async () => {
    const { fs, preparer } = await setUp();
    const first = await preparer.take(SIZE_BYTES);
    preparer.begin();
    const larger = await preparer.take(2 * SIZE_BYTES);
    assert.equal(fs.contentOf(larger.path).length, 2 * SIZE_BYTES);
    const prepared = await preparer.take(SIZE_BYTES);
    assert.equal(new Set([first.path, larger.path, prepared.path]).size, 3);
  });

  it("tries again on a new file when the first could not be made, and leaves nothing of that one", async () => {
    for (const failAtOperation of [1, 2, 3]) {
      const warnings: string[] = [];
      const log = { ...silentLog, warn: (message: string) => warnings.push(message) };
      const { fs, preparer } = await setUp({ failAtOperation, log });
      preparer.begin();
      const { path } = await preparer.take(SIZE_BYTES);
      assert.equal(warnings.length, 1, `operation ${failAtOperation}`);
      assert.deepEqual(await fs.readDirectory("/wal"), [path.slice("/wal/".length)]);
    }
  });

  it("fails when the file that is needed now cannot be made", async () => {
    const { preparer } = await setUp({ failAtOperation: 2 });
    await assert.rejects(preparer.take(SIZE_BYTES), { code: "ENOSPC" });
  });

  it("removes what nobody took", async () => {
    const { fs, preparer } = await setUp();
    await preparer.discard();
    preparer.begin();
    await preparer.discard();
    await preparer.discard();
    assert.deepEqual(await fs.readDirectory("/wal"), []);
  });
});
