import { strict as assert } from "node:assert";
import { createWatchOptions, watchVariantCount } from "../../../../src/server/mvcc/watcher.ts";

describe("createWatchOptions", () => {
  it("gives equal variants to those that select the same events, and to no others", () => {
    const seen = new Map<number, string>();
    for (let bits = 0; bits < 16; bits++) {
      const [prevKv, isPutDropped, isDeleteDropped, fragment] = [1, 2, 4, 8].map((bit) => (bits & bit) !== 0);
      const options = createWatchOptions({
        prevKv: prevKv!,
        isPutDropped: isPutDropped!,
        isDeleteDropped: isDeleteDropped!,
        fragment: fragment!,
      });
      const selection = `${prevKv} ${isPutDropped} ${isDeleteDropped}`;
      assert.equal(seen.get(options.variant) ?? selection, selection);
      seen.set(options.variant, selection);
      assert(options.variant < watchVariantCount);
    }
    assert.equal(seen.size, watchVariantCount);
  });
});
