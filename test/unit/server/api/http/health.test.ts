import assert from "node:assert/strict";
import { alarmType } from "../../../../../src/codec/index.ts";
import { AssertionError } from "../../../../../src/lib/assert.ts";
import { createDeferred } from "../../../../../src/lib/deferred.ts";
import { RequestError } from "../../../../../src/lib/errors.ts";
import { silentLog } from "../../../../../src/lib/log.ts";
import { createHealthChecks } from "../../../../../src/server/api/http/health.ts";
import { FakeNode } from "../fake-node.ts";
import { HealthRecorder, HttpWorld } from "./http-world.ts";

describe("GET /health", () => {
  let world: HttpWorld;
  beforeEach(async () => {
    world = await HttpWorld.start({ surface: "client" });
  });
  afterEach(() => world.stop());

  it("answers etcd's JSON without a newline when all is well", async () => {
    const answer = await world.call("GET", "/health");
    assert.equal(answer.status, 200);
    assert.equal(answer.text, '{"health":"true","reason":""}');
    assert.equal(answer.headers["content-type"], "text/plain; charset=utf-8");
    assert.equal(world.node.barriers, 1);
    assert.deepEqual([world.health.healthy, world.health.unhealthy], [1, 0]);
  });

  it("names the alarm that makes the member unhealthy, with a newline and no sniffing", async () => {
    world.node.activeAlarms.push({ memberId: 1n, alarm: alarmType.noSpace });
    const answer = await world.call("GET", "/health");
    assert.equal(answer.status, 503);
    assert.equal(answer.text, '{"health":"false","reason":"ALARM NOSPACE"}\n');
    assert.equal(answer.headers["x-content-type-options"], "nosniff");
    assert.deepEqual([world.health.healthy, world.health.unhealthy], [0, 1]);
  });

  it("leaves excluded alarms out, however many", async () => {
    world.node.activeAlarms.push({ memberId: 1n, alarm: alarmType.noSpace });
    world.node.activeAlarms.push({ memberId: 2n, alarm: alarmType.corrupt });
    const one = await world.call("GET", "/health?exclude=NOSPACE");
    assert.equal(one.text, '{"health":"false","reason":"ALARM CORRUPT"}\n');
    const both = await world.call("GET", "/health?exclude=NOSPACE&exclude=CORRUPT");
    assert.equal(both.status, 200);
  });

  it("says RAFT NO LEADER without a leader, unless the read may be serializable", async () => {
    world.node.leaderId = 0n;
    const answer = await world.call("GET", "/health");
    assert.equal(answer.status, 503);
    assert.equal(answer.text, '{"health":"false","reason":"RAFT NO LEADER"}\n');
    const local = await world.call("GET", "/health?serializable=true");
    assert.equal(local.status, 200);
    assert.equal(world.node.barriers, 0);
  });

  it("gives the error of the read", async () => {
    world.node.barrierError = new RequestError("leaderChanged");
    const answer = await world.call("GET", "/health");
    assert.equal(answer.text, '{"health":"false","reason":"RANGE ERROR:etcdserver: leader changed"}\n');
  });

  it("hangs as long as the linearizable read hangs", async () => {
    const barrier = createDeferred<void>();
    world.node.readBarrier = () => barrier.promise;
    let isAnswered = false;
    const answer = world.call("GET", "/health").then((got) => {
      isAnswered = true;
      return got;
    });
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.equal(isAnswered, false);
    barrier.resolve();
    assert.equal((await answer).status, 200);
  });

  it("refuses other methods in Go's words", async () => {
    for (const method of ["POST", "PUT", "DELETE"]) {
      const answer = await world.call(method, "/health");
      assert.equal(answer.status, 405);
      assert.equal(answer.headers.allow, "GET");
      assert.equal(answer.text, "Method Not Allowed\n");
    }
    assert.equal((await world.call("HEAD", "/health")).status, 405);
  });
});

describe("GET /livez and /readyz", () => {
  let world: HttpWorld;
  beforeEach(async () => {
    world = await HttpWorld.start({ surface: "metrics" });
  });
  afterEach(() => world.stop());

  it("answer ok, and one line per check when verbose", async () => {
    assert.equal((await world.call("GET", "/livez")).text, "ok\n");
    assert.equal((await world.call("GET", "/livez?verbose")).text, "[+]serializable_read ok\nok\n");
    const ready = await world.call("GET", "/readyz?verbose");
    assert.equal(ready.status, 200);
    assert.equal(
      ready.text,
      "[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\nok\n",
    );
    assert.equal(ready.headers["content-type"], "text/plain; charset=utf-8");
  });

  it("list every check with the reason of the failed ones", async () => {
    world.node.activeAlarms.push({ memberId: 1n, alarm: alarmType.corrupt });
    world.node.barrierError = new RequestError("leaderChanged");
    world.node.isLearner = true;
    const ready = await world.call("GET", "/readyz");
    assert.equal(ready.status, 503);
    assert.equal(
      ready.text,
      "[-]data_corruption failed: alarm activated: CORRUPT\n[+]serializable_read ok\n" +
        "[-]linearizable_read failed: etcdserver: leader changed\n" +
        "[-]non_learner failed: not supported for learner\n",
    );
    assert.equal((await world.call("GET", "/livez")).status, 200);
    assert.ok(world.health.checks.includes("readyz/linearizable_read false"));
    assert.ok(world.health.checks.includes("livez/serializable_read true"));
  });

  it("do not mind a NOSPACE alarm", async () => {
    world.node.activeAlarms.push({ memberId: 1n, alarm: alarmType.noSpace });
    assert.equal((await world.call("GET", "/readyz")).status, 200);
    assert.equal((await world.call("GET", "/livez")).status, 200);
  });

  it("leave excluded checks out and warn of unknown ones", async () => {
    world.node.isLearner = true;
    const ready = await world.call("GET", "/readyz?exclude=non_learner&exclude=nonsense&verbose");
    assert.equal(ready.status, 200);
    assert.match(ready.text, /\[\+\]non_learner excluded: ok\n/);
    assert.ok(world.lines.some(({ message }) => message === "unknown health checks are excluded"));
  });

  it("serve single checks, and 404 for names that are none", async () => {
    assert.equal((await world.call("GET", "/livez/serializable_read")).text, "ok\n");
    world.node.isLearner = true;
    const single = await world.call("GET", "/readyz/non_learner");
    assert.equal(single.status, 503);
    assert.equal(single.text, "[-]non_learner failed: not supported for learner\n");
    assert.equal((await world.call("GET", "/readyz/linearizable_read")).status, 200);
    assert.equal((await world.call("GET", "/livez/linearizable_read")).status, 404);
    assert.equal((await world.call("GET", "/readyz/")).status, 404);
    assert.equal((await world.call("GET", "/readyz/%zz")).status, 404);
  });
});

describe("Health checks", () => {
  it("let a broken invariant through instead of reporting it", async () => {
    const node = new FakeNode();
    node.readBarrier = () => Promise.reject(new AssertionError("impossible"));
    const checks = createHealthChecks(node, new HealthRecorder(), silentLog);
    const response = {} as Parameters<typeof checks.serveHealth>[1];
    await assert.rejects(checks.serveHealth(new URLSearchParams(), response), AssertionError);
  });
});
