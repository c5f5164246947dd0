import assert from "node:assert/strict";
import { exponentialBuckets, MetricsRegistry } from "../../../src/lib/metrics.ts";

describe("The metrics registry", () => {
  let registry: MetricsRegistry;
  beforeEach(() => {
    registry = new MetricsRegistry();
  });

  it("exposes counters from the start and counts what is added to their cells", async () => {
    const { value } = registry.counter({ name: "a_total", help: "A." }).cell();
    assert.equal(value, 0);
    assert.match(await registry.render(), /# HELP a_total A\.\n# TYPE a_total counter\na_total 0\n/);
    registry.counter({ name: "b_total", help: "B." }).cell().value += 3;
    assert.match(await registry.render(), /\nb_total 3\n/);
    assert.match(await registry.render(), /\nb_total 3\n/);
  });

  it("gives the same cell for the same labels in any order", () => {
    const family = registry.counter({ name: "a_total", help: "A.", labelNames: ["x", "y"] });
    assert.equal(family.cell({ x: "1", y: "2" }), family.cell({ y: "2", x: "1" }));
    assert.notEqual(family.cell({ x: "1", y: "2" }), family.cell({ x: "2", y: "1" }));
  });

  it("writes labels in alphabetical order and escapes them", async () => {
    const family = registry.counter({ name: "a_total", help: "A.", labelNames: ["z", "a"] });
    family.cell({ z: 'q"\n', a: "1" }).value = 7;
    assert.match(await registry.render(), /a_total\{a="1",z="q\\"\\n"\} 7/);
  });

  it("asks pulled families at each scrape and forgets series that are gone", async () => {
    let samples = [{ labels: { id: "1" }, value: 1 }];
    registry.pulledGauge({ name: "g", help: "G.", labelNames: ["id"] }, () => samples);
    let total = 5;
    registry.pulledCounter({ name: "c_total", help: "C." }, () => total);
    assert.match(await registry.render(), /g\{id="1"\} 1[\s\S]*c_total 5/);
    samples = [{ labels: { id: "2" }, value: 4 }];
    total = 6;
    const text = await registry.render();
    assert.match(text, /g\{id="2"\} 4[\s\S]*c_total 6/);
    assert.ok(!text.includes('id="1"'));
  });

  it("exposes histograms with zeros, cumulative buckets, sum and count", async () => {
    const family = registry.histogram({ name: "h", help: "H.", labelNames: ["op"], buckets: [1, 2] });
    const cell = family.cell({ op: "put" });
    assert.match(await registry.render(), /h_count\{op="put"\} 0/);
    for (const value of [0.5, 1.5, 99]) cell.observe(value);
    assert.equal(family.cell({ op: "put" }), cell);
    const text = await registry.render();
    for (const line of [
      'h_bucket{le="1",op="put"} 1',
      'h_bucket{le="2",op="put"} 2',
      'h_bucket{le="+Inf",op="put"} 3',
      'h_sum{op="put"} 101',
      'h_count{op="put"} 3',
    ]) {
      assert.ok(text.includes(line), line);
    }
  });

  it("takes exactly the labels of the family", () => {
    const family = registry.counter({ name: "a_total", help: "A.", labelNames: ["x"] });
    assert.throws(() => family.cell(), /takes the labels x/);
    assert.throws(() => family.cell({ y: "1" }), /needs a value for its label x/);
    assert.throws(() => family.cell({ x: "1", y: "1" }), /takes the labels x/);
  });

  it("rejects a scrape whose source throws", async () => {
    registry.pulledGauge({ name: "g", help: "G." }, () => {
      throw new Error("stopped");
    });
    await assert.rejects(registry.render(), /stopped/);
  });

  it("tells the file descriptors under both of their names, where the system does", async function () {
    if (process.platform !== "linux") this.skip();
    registry.collectProcessMetrics();
    const text = await registry.render();
    const gaugeOf = (name: string): number =>
      Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
    assert.ok(gaugeOf("os_fd_used") > 2);
    assert.ok(gaugeOf("os_fd_limit") >= gaugeOf("os_fd_used"));
    assert.equal(gaugeOf("os_fd_limit"), gaugeOf("process_max_fds"));
  });

  it("names each family once", () => {
    registry.counter({ name: "b_total", help: "B." });
    registry.counter({ name: "a_total", help: "A." });
    assert.deepEqual(registry.names(), ["a_total", "b_total"]);
    assert.throws(() => registry.counter({ name: "a_total", help: "A." }), /already been registered/);
  });

  it("makes buckets without the dust of binary fractions", () => {
    assert.deepEqual(exponentialBuckets(0.1, 2, 4), [0.1, 0.2, 0.4, 0.8]);
    assert.deepEqual(exponentialBuckets(0.001, 2, 14).at(-1), 8.192);
  });
});
