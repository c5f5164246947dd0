import assert from "node:assert/strict";
import fc from "fast-check";
import { advance } from "../../../src/tui/advance.ts";
import type { ClusterModel } from "../../../src/tui/cluster-model.ts";
import type { MemberSample } from "../../../src/tui/cluster-sample.ts";
import { healthy, histogram, member, metrics, modelOf, sample, silent, status, told } from "./samples.ts";

const states = (model: ClusterModel) => model.members.map(({ name, state }) => `${name} ${state}`);
const roles = (model: ClusterModel) => model.members.map(({ name, role }) => `${name} ${role}`);
const repeat = <T>(times: number, value: T): T[] => Array.from({ length: times }, () => value);

describe("The model of a cluster", () => {
  it("names the roles and counts the voters of a healthy cluster", () => {
    const model = modelOf(healthy);
    assert.equal(model.health, "healthy");
    assert.deepEqual(roles(model), ["n1 leader", "n2 follower", "n3 follower"]);
    assert.deepEqual([model.votersReady, model.voters, model.learners], [3, 3, 0]);
    assert.deepEqual([model.revision, model.term, model.leaderId], [1_284_551, 14, "a1"]);
    assert.deepEqual(told(model), ["cluster: watching 3 members; n1 leads in term 14"]);
  });

  it("orders members by name, numbers in names by value", () => {
    const model = modelOf([member(10), member(9), member(1)]);
    assert.deepEqual(
      model.members.map(({ name }) => name),
      ["n1", "n9", "n10"],
    );
  });

  it("tells that a member is lost, for how long, and that it is back", () => {
    const model = modelOf(
      healthy,
      [member(1), member(2), silent(3)],
      [member(1), member(2), silent(3)],
      healthy,
    );
    assert.equal(model.health, "healthy");
    assert.deepEqual(told(model).slice(1), ["n3: lost: connection refused", "n3: is back after 2 s"]);
  });

  it("keeps what a lost member said last, marked as old", () => {
    const lost = modelOf(healthy, [member(1), member(2), silent(3)]);
    const [, , third] = lost.members;
    assert.equal(third!.state, "unreachable");
    assert.equal(third!.isCurrent, false);
    assert.equal(third!.status?.index, 2_901_337);
    assert.equal(third!.lag, undefined);
    assert.equal(lost.health, "degraded");
    assert.equal(lost.votersReady, 2);
  });

  it("tells of a new leader, in which term, and who it was before", () => {
    const elected = status({ leaderId: "a2", term: 15 });
    const model = modelOf(healthy, [
      silent(1),
      member(2, { status: elected }),
      member(3, { status: elected }),
    ]);
    assert.equal(model.leaderId, "a2");
    assert.deepEqual(told(model).slice(1), [
      "n1: lost: connection refused",
      "n2: became leader, term 15 (it was n1)",
    ]);
  });

  it("tells that there is no leader, and then who leads", () => {
    const none = status({ leaderId: undefined, term: 15, errors: ["etcdserver: no leader"] });
    const elected = status({ leaderId: "a3", term: 16 });
    const without = [silent(1), member(2, { status: none }), member(3, { status: none })];
    const model = modelOf(healthy, without, [
      silent(1),
      member(2, { status: elected }),
      member(3, { status: elected }),
    ]);
    const between = modelOf(healthy, without);
    assert.equal(between.health, "noLeader");
    assert.deepEqual(roles(between), ["n1 unknown", "n2 candidate", "n3 candidate"]);
    assert.deepEqual(told(model).slice(2), [
      "cluster: no leader (it was n1)",
      "n3: became leader, term 16 (it was n1)",
    ]);
  });

  it("tells that the same member leads again in a later term", () => {
    const again = status({ term: 15 });
    const model = modelOf(
      healthy,
      healthy.map((each) => ({ ...each, status: again })),
    );
    assert.deepEqual(told(model).slice(1), ["n1: leads again, term 15"]);
  });

  it("calls a leader of an older term a follower: it has not heard of the newer one", () => {
    const newer = status({ leaderId: "a2", term: 15 });
    const model = modelOf([member(1), member(2, { status: newer }), member(3, { status: newer })]);
    assert.deepEqual(roles(model), ["n1 follower", "n2 leader", "n3 follower"]);
    assert.equal(model.leaderId, "a2");
  });

  it("says that the quorum is missing when too few voters answer, learners not counted", () => {
    const learner = member(4, { isLearner: true, status: status({ isLearner: true }) });
    const model = modelOf([member(1), silent(2), silent(3), learner]);
    assert.equal(model.health, "noQuorum");
    assert.deepEqual([model.votersReady, model.voters, model.learners], [1, 3, 1]);
  });

  it("keeps the last picture when nobody answers, and says since when", () => {
    const alarmed = healthy.map((each) => ({
      ...each,
      status: status({ errors: ["memberID:161 alarm:NOSPACE"] }),
    }));
    const model = modelOf(alarmed, [], []);
    assert.equal(model.health, "unreachable");
    assert.equal(model.members.length, 3);
    assert.equal(model.revision, 1_284_551);
    assert.equal(model.answeredAtMs, 10_000);
    assert.equal(model.failure, "connection refused");
    assert.deepEqual(model.alarms, ["NOSPACE n1"]);
    assert.ok(
      !told(model).some((text) => /no leader|cleared/.test(text)),
      "what nobody says has not happened",
    );
  });

  it("introduces the cluster when it answers for the first time, however long that took", () => {
    const model = modelOf([], [silent(1), silent(2), silent(3)], healthy);
    assert.deepEqual(told(model), ["cluster: watching 3 members; n1 leads in term 14"]);
  });

  it("starts anew when another cluster answers at the same addresses", () => {
    const other = { ...sample(1, [member(7)]), clusterId: "f00" };
    const model = advance(modelOf(healthy), other);
    assert.deepEqual(
      model.members.map(({ name }) => name),
      ["n7"],
    );
    assert.equal(model.events.length, 1);
  });

  it("tells of members that are added, promoted and removed", () => {
    const learner = member(4, { isLearner: true, status: status({ isLearner: true }) });
    const model = modelOf(
      healthy,
      [...healthy, { ...learner, name: "", clientUrls: [], status: undefined, failure: "not started" }],
      [...healthy, learner],
      [...healthy, member(4)],
      healthy,
    );
    assert.deepEqual(told(model).slice(1), [
      "a4: was added as a learner",
      "n4: has started",
      "n4: was promoted to voter",
      "n4: was removed",
    ]);
  });

  it("tells each alarm once for the cluster, and its end", () => {
    const alarmed = healthy.map((each) => ({
      ...each,
      status: status({ errors: ["memberID:162 alarm:NOSPACE "] }),
    }));
    const model = modelOf(healthy, alarmed);
    assert.deepEqual(model.alarms, ["NOSPACE n2"]);
    assert.deepEqual(states(model), ["n1 healthy", "n2 alarm", "n3 healthy"]);
    assert.equal(model.health, "degraded");
    const after = modelOf(healthy, alarmed, healthy);
    assert.deepEqual(told(after).slice(1), [
      "cluster: alarm raised: NOSPACE n2",
      "cluster: alarm cleared: NOSPACE n2",
    ]);
  });

  it("tells that a member runs another version after it was replaced", () => {
    const upgraded = [member(1), member(2), member(3, { status: status({ version: "3.7.0" }) })];
    assert.deepEqual(told(modelOf(healthy, upgraded)).slice(1), ["n3: now runs version 3.7.0"]);
  });
});

describe("The lag of a member", () => {
  const behind = (entries: number, change: Partial<MemberSample> = {}) =>
    member(3, { status: status({ applied: 2_901_337 - entries }), ...change });
  const with3 = (third: MemberSample) => [member(1), member(2), third];

  it("is counted behind the furthest member of all", () => {
    const model = modelOf(with3(behind(239)));
    assert.deepEqual(
      model.members.map(({ lag }) => lag),
      [0, 0, 239],
    );
    assert.equal(model.members[2]!.state, "healthy");
  });

  it("counts from the furthest that was ever seen, though that member is gone", () => {
    const ahead = member(1, { status: status({ index: 3_000_000, applied: 3_000_000 }) });
    const model = modelOf([ahead, member(2), member(3)], [silent(1), member(2), member(3)]);
    assert.equal(model.members[1]!.lag, 3_000_000 - 2_901_337);
  });

  it("makes a member slow only when it stays for three samples, and healthy again after three without", () => {
    const lagging = with3(behind(5_000));
    assert.equal(modelOf(healthy, lagging, lagging).members[2]!.state, "healthy");
    const slow = [healthy, ...repeat(3, lagging)];
    assert.equal(modelOf(...slow).members[2]!.state, "slow");
    assert.equal(modelOf(...slow, healthy, healthy).members[2]!.state, "slow");
    const after = modelOf(...slow, ...repeat(3, healthy));
    assert.equal(after.members[2]!.state, "healthy");
    assert.deepEqual(told(after).slice(1), [
      "n3: is slow: answers in 1 ms, 5000 entries behind",
      "n3: is no longer slow, after 3 s",
    ]);
  });

  it("is no slowness when it is what the others write between two answers", () => {
    const at = (second: number) => {
      const index = 1_000_000 + second * 20_000;
      const latest = status({ index, applied: index });
      return [
        member(1, { status: latest }),
        member(2, { status: latest }),
        member(3, { status: status({ index: index - 15_000, applied: index - 15_000 }) }),
      ];
    };
    const model = modelOf(...Array.from({ length: 6 }, (_, second) => at(second)));
    assert.equal(model.throughput.find(({ name }) => name === "log")?.current, 20_000);
    assert.deepEqual(states(model), ["n1 healthy", "n2 healthy", "n3 healthy"]);
  });

  it("of a member that is back is catching up, with how far it is and how long the rest will take", () => {
    const away = with3(silent(3));
    const model = modelOf(
      healthy,
      away,
      with3(behind(300_000)),
      with3(behind(200_000)),
      with3(behind(100_000)),
    );
    const [, , third] = model.members;
    assert.equal(third!.state, "catchingUp");
    assert.equal(third!.progress?.leftMs, 1_000);
    assert.ok(Math.abs(third!.progress!.share - (1 - 100_000 / 2_901_337)) < 1e-9);
    const after = modelOf(healthy, away, with3(behind(300_000)), with3(behind(100_000)), healthy);
    assert.deepEqual(told(after).slice(1), [
      "n3: lost: connection refused",
      "n3: is back after 1 s",
      "n3: catches up",
      "n3: has caught up, in 2 s",
    ]);
  });
});

describe("The numbers over time", () => {
  const counting = (puts: number, ranges: number) =>
    [1, 2, 3].map((number) => member(number, { metrics: metrics({ puts, ranges }) }));
  const current = (model: ClusterModel, name: string) =>
    [...model.throughput, ...model.latency].find((series) => series.name === name)?.current;

  it("count a write once though every member applies it, and reads where they were served", () => {
    const model = modelOf(counting(1_000, 500), counting(1_204, 700));
    assert.equal(current(model, "put"), 204);
    assert.equal(current(model, "range"), 600);
  });

  it("are unknown after one sample, and a blank in the history where a sample had none", () => {
    const first = modelOf(counting(1, 1));
    assert.equal(current(first, "put"), undefined);
    const model = modelOf(counting(0, 0), counting(10, 0), healthy, counting(30, 0), counting(40, 0));
    assert.deepEqual(model.throughput.find(({ name }) => name === "put")?.history, [
      undefined,
      10,
      undefined,
      undefined,
      10,
    ]);
  });

  it("take a counter that fell for one of a new process", () => {
    assert.equal(current(modelOf(counting(1_000, 0), counting(40, 0)), "put"), 40);
  });

  it("keep a rate while the same metrics stand for two samples", () => {
    const later = counting(1_100, 0);
    assert.equal(current(modelOf(counting(1_000, 0), later, later), "put"), 100);
  });

  it("take the fsync of the worst member over the last samples only, and call it slow when it stays", () => {
    const writing = (fsync: ReturnType<typeof histogram>) => [
      member(1, { metrics: metrics() }),
      member(2, { metrics: metrics() }),
      member(3, { metrics: metrics({ fsync }) }),
    ];
    const start = writing(histogram(100, 0, 0, 0));
    const later = writing(histogram(100, 0, 0, 50));
    const model = modelOf(
      start,
      later,
      later.map((each) => ({ ...each })),
      later,
    );
    assert.equal(current(model, "fsync"), 100);
    assert.equal(model.members[2]!.state, "slow");
    // Twelve samples later nothing of it is in the window.
    const calm = Array.from({ length: 14 }, () => writing(histogram(100, 0, 0, 50)));
    assert.equal(current(modelOf(start, later, ...calm), "fsync"), undefined);
  });

  it("show the fullest member and the smallest quota", () => {
    const model = modelOf([
      member(1, { status: status({ dbSizeBytes: 10, inUseBytes: 5, quotaBytes: 100 }) }),
      member(2, { status: status({ dbSizeBytes: 20, inUseBytes: 15, quotaBytes: 80 }), metrics: metrics() }),
    ]);
    assert.deepEqual(
      [model.space.dbSizeBytes, model.space.inUseBytes, model.space.quotaBytes, model.space.keys],
      [20, 15, 80, 182_004],
    );
  });

  it("take the quota from the metrics where the status has none, as with older servers", () => {
    const model = modelOf([
      member(1, { status: status({ quotaBytes: 0 }), metrics: metrics({ quotaBytes: 77 }) }),
    ]);
    assert.equal(model.space.quotaBytes, 77);
  });
});

describe("Any sequence of samples", () => {
  const statuses = fc.record({
    version: fc.constantFrom("3.4.23", "3.6.0"),
    leaderId: fc.constantFrom(undefined, "a1", "a2", "a9"),
    term: fc.nat(20),
    revision: fc.nat(),
    index: fc.nat(1_000_000),
    applied: fc.nat(1_000_000),
    isLearner: fc.boolean(),
    dbSizeBytes: fc.nat(),
    inUseBytes: fc.nat(),
    quotaBytes: fc.nat(),
    errors: fc.array(fc.constantFrom("etcdserver: no leader", "memberID:161 alarm:NOSPACE", "alarm:CORRUPT")),
  });
  const members = fc.uniqueArray(
    fc
      .tuple(
        fc.integer({ min: 1, max: 5 }),
        fc.option(statuses, { nil: undefined }),
        fc.boolean(),
        fc.nat(2_000),
      )
      .map(([number, said, isLearner, answerMs]) =>
        said === undefined
          ? { ...silent(number), isLearner }
          : member(number, { status: said, isLearner, answerMs, metrics: metrics({ puts: said.revision }) }),
      ),
    { selector: ({ id }) => id },
  );

  it("makes a model whose numbers hang together, and the same one each time", () => {
    fc.assert(
      fc.property(fc.array(members, { minLength: 1, maxLength: 8 }), (steps) => {
        const model = modelOf(...steps);
        assert.deepEqual(modelOf(...steps), model);
        const shown = model.members;
        assert.equal(model.voters + model.learners, shown.length);
        assert.ok(model.votersReady <= model.voters);
        assert.ok(shown.filter(({ role }) => role === "leader").length <= shown.length);
        for (const { lag, progress, isCurrent } of shown) {
          assert.ok(lag === undefined || lag >= 0);
          assert.ok(isCurrent || lag === undefined);
          assert.ok(progress === undefined || (progress.share >= 0 && progress.share <= 1));
        }
        for (const { current: value } of model.throughput) assert.ok(value === undefined || value >= 0);
        assert.equal(
          model.health === "unreachable",
          shown.every(({ isCurrent }) => !isCurrent),
        );
        const walls = model.events.map(({ wallMs }) => wallMs);
        assert.deepEqual(
          walls,
          [...walls].sort((left, right) => right - left),
        );
      }),
      { numRuns: 300 },
    );
  });

  it("never remembers more than it can show", () => {
    let model: ClusterModel | undefined;
    for (let second = 0; second < 500; second++) {
      model = advance(model, sample(second, second % 2 === 0 ? healthy : [member(1), member(2), silent(3)]));
    }
    assert.ok(model!.events.length <= 200);
    assert.ok(model!.throughput.every(({ history }) => history.length <= 180));
  });
});
