import assert from "node:assert/strict";
import { EarlierRecords } from "../../../../src/server/node/earlier-records.ts";

const chunksOf = (text: string): Buffer[] => [...text].map((letter) => Buffer.from(letter));

/** Chunks in small letters are at hand, those of the earlier snapshot in capitals: as many heads as told, then records. */
async function continued(later: string, headChunks: number, earlier: string, earlierHeads: number) {
  async function* read(): AsyncGenerator<Uint8Array> {
    yield* chunksOf(earlier);
  }
  const records = new EarlierRecords(async () => ({ chunks: read() }), earlierHeads);
  let found = "";
  for await (const chunk of records.continuedBy(chunksOf(later), headChunks)) found += chunk.toString();
  return found;
}

describe("EarlierRecords", () => {
  it("stand behind the first chunks of the later snapshot and leave those of the earlier one out", async () => {
    assert.equal(await continued("abxy", 2, "HIJKLM", 3), "abKLMxy");
    assert.equal(await continued("abxy", 1, "H", 1), "abxy");
  });

  it("stand at the end when nothing has come since", async () => {
    assert.equal(await continued("ab", 2, "HKL", 1), "abKL");
  });

  it("tell what reading them has ended with, at the opening and later", async () => {
    const gone = new Error("gone");
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield* chunksOf("HK");
      throw gone;
    }
    for (const open of [() => Promise.reject(gone), async () => ({ chunks: broken() })]) {
      const records = new EarlierRecords(open, 1);
      const passed: string[] = [];
      const all = async (): Promise<void> => {
        for await (const chunk of records.continuedBy(chunksOf("ax"), 1)) passed.push(chunk.toString());
      };
      assert.equal(records.failure, undefined);
      await assert.rejects(all(), gone);
      assert.equal(records.failure, gone);
      assert.equal(passed.includes("x"), false);
    }
  });
});
