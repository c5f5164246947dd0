import assert from "node:assert/strict";
import { limits } from "../../../src/lib/limits.ts";
import type { CounterCell } from "../../../src/lib/metrics.ts";
import { ClientVersionCounts } from "../../../src/server/client-version-counts.ts";

describe("Calls by client version", () => {
  function setUp(): { counts: ClientVersionCounts; cells: Map<string, CounterCell> } {
    const cells = new Map<string, CounterCell>();
    const counts = new ClientVersionCounts((version) => {
      assert.ok(!cells.has(version), `${version} is made once`);
      const cell = { value: 0 };
      cells.set(version, cell);
      return cell;
    });
    return { counts, cells };
  }

  it("have a cell for each version, and unknown from the start for those that send none", () => {
    const { counts, cells } = setUp();
    assert.deepEqual([...cells.keys()], ["unknown"]);
    for (const version of ["3.5", "3.6.1", "3.8.0-alpha.0", undefined, "3.5"]) counts.cell(version).value++;
    assert.deepEqual(
      [...cells].map(([version, { value }]) => `${version}: ${value}`),
      ["unknown: 1", "3.5: 2", "3.6.1: 1", "3.8.0-alpha.0: 1"],
    );
  });

  it("are other when they name no version", () => {
    const { counts, cells } = setUp();
    for (const odd of ["", "3", "latest", "3.5\n", "3.5".padEnd(10_000, "0"), "1.2.3.4", "\u00e9"]) {
      counts.cell(odd).value++;
    }
    assert.deepEqual([...cells.keys()], ["unknown", "other"]);
    assert.equal(cells.get("other")?.value, 7);
  });

  it("are other beyond clientVersionsMax versions, and the first stay", () => {
    const { counts, cells } = setUp();
    for (let round = 0; round < 2; round++) {
      for (let minor = 0; minor < limits.clientVersionsMax + 5; minor++) counts.cell(`3.${minor}`).value++;
    }
    assert.equal(cells.size, limits.clientVersionsMax + 2);
    assert.equal(cells.get("3.0")?.value, 2);
    assert.equal(cells.get("other")?.value, 10);
  });
});
