import assert from "node:assert/strict";
import { aimText, etcdAimOf, verdict } from "../../bench/aims.ts";
import type { Measurement } from "../../bench/generator.ts";
import { planOf } from "../../bench/plan.ts";

const run = (perSecond: number, cpuUs: number, p50Us = 1): Measurement => ({
  ...{ perSecond, cpuUs, p50Us, p99Us: 1, maxUs: 1, callMaxUs: 1, generatorCpuUs: 1 },
  ...{ count: 1, seconds: 1, errors: 0, inside: undefined },
});

describe("Aims of a bench", () => {
  it("are reached when the median of the ratios is at the bound or better", () => {
    const aim = { perSecondMin: 2, cpuMax: 0.5 };
    assert.equal(verdict(aim, [run(200, 50)], [run(100, 100)]), "yes");
    assert.equal(verdict(aim, [run(199, 50)], [run(100, 100)]), "no: throughput");
    assert.equal(verdict(aim, [run(200, 51)], [run(100, 100)]), "no: CPU");
    assert.equal(verdict(aim, [run(100, 100)], [run(100, 100)]), "no: throughput, CPU");
  });

  it("tell the ratio of a latency, which has no column", () => {
    assert.equal(verdict({ p50Max: 1 }, [run(1, 1, 3)], [run(1, 1, 2)]), "no: p50; p50 1.50");
    assert.equal(verdict({ p50Max: 1 }, [run(1, 1, 1)], [run(1, 1, 2)]), "yes; p50 0.50");
  });

  it("are printed as a reader would say them", () => {
    assert.equal(
      aimText({ perSecondMin: 1.2, cpuMax: 0.7, p50Max: 1 }),
      "throughput ≥ 1.2, CPU ≤ 0.7, p50 ≤ 1",
    );
  });

  it("stand for every point of the whole plan against etcd", () => {
    const plan = planOf({ only: undefined, clients: undefined, members: undefined, isQuick: false });
    assert.equal(plan.length, 21);
    for (const point of plan) assert.notEqual(etcdAimOf(point), undefined, JSON.stringify(point));
  });
});

describe("The plan of a bench", () => {
  const all = { only: undefined, clients: undefined, members: undefined, isQuick: false };

  it("puts on three members as well, unless the members or other workloads are named", () => {
    const onThree = (plan: readonly { readonly members: number }[]): number =>
      plan.filter(({ members }) => members === 3).length;
    assert.equal(onThree(planOf(all)), 2);
    assert.equal(onThree(planOf({ ...all, only: ["range"] })), 0);
    assert.equal(onThree(planOf({ ...all, only: ["put"], members: 1 })), 0);
    assert.equal(onThree(planOf({ ...all, only: ["range", "txn"], members: 3 })), 4);
  });

  it("takes the clients that are named for every workload", () => {
    const plan = planOf({ ...all, only: ["put", "watch"], clients: [7], members: 1 });
    assert.deepEqual(
      plan.map(({ workload, clients }) => [workload, clients]),
      [
        ["put", 7],
        ["watch", 7],
      ],
    );
  });

  it("refuses a workload that there is not", () => {
    assert.throws(() => planOf({ ...all, only: ["put", "puts"] }), /knows put, .*; not puts/);
  });
});
