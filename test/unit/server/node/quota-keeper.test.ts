import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { alarmAction, alarmType } from "../../../../src/codec/index.ts";
import { type Log, silentLog } from "../../../../src/lib/log.ts";
import { QuotaKeeper } from "../../../../src/server/node/quota-keeper.ts";
import { SimClock } from "../../../sim/clock.ts";

function setUp(isClearing = true) {
  const clock = new SimClock();
  const warnings: string[] = [];
  const log = {
    ...silentLog,
    warn: (message: string) => warnings.push(message),
    info: () => {},
  } as unknown as Log;
  const world = {
    memberId: 1n,
    quotaBytes: 1_000,
    sizeBytes: 0,
    quotaRefusals: 0,
    raised: [] as bigint[],
    error: undefined as Error | undefined,
    proposals: 0,
  };
  const node = Object.assign(world, {
    kv: { stats: () => ({ sizeBytes: world.sizeBytes }) },
    alarms: () => world.raised.map((memberId) => ({ memberId, alarm: alarmType.noSpace })),
    propose: async ({ request }: { request: { action: number; memberId: bigint } }) => {
      world.proposals++;
      if (world.error !== undefined) throw world.error;
      assert.equal(request.action, alarmAction.deactivate);
      world.raised = world.raised.filter((id) => id !== request.memberId);
    },
  });
  const keeper = new QuotaKeeper(node as never, { clock, log, isClearing });
  keeper.start();
  const look = async (sizeBytes: number): Promise<void> => {
    world.sizeBytes = sizeBytes;
    clock.advance(1_000);
    await turn();
  };
  return { world, warnings, look, keeper };
}

describe("QuotaKeeper", () => {
  it("takes back the alarm of this member once less than nine tenths are used, and no other's", async () => {
    const { world, look } = setUp();
    world.raised = [1n, 2n];
    await look(1_000);
    await look(900);
    assert.deepEqual(world.raised, [1n, 2n]);
    await look(899);
    assert.deepEqual(world.raised, [2n]);
    await look(100);
    assert.equal(world.proposals, 1);
  });

  it("takes it back too when the quota was full between two looks only", async () => {
    const { world, look } = setUp();
    await look(500);
    world.raised = [1n];
    world.quotaRefusals = 3;
    await look(100);
    assert.deepEqual(world.raised, []);
    world.raised = [1n];
    await look(100);
    assert.deepEqual(world.raised, [1n], "raised by hand, with room left");
    world.raised = [];
    world.quotaRefusals = 4;
    await look(100);
    world.raised = [1n];
    await look(100);
    assert.deepEqual(world.raised, [], "the alarm had been on its way");
  });

  it("leaves an alarm that was raised while there was room", async () => {
    const { world, look } = setUp();
    world.raised = [1n];
    await look(500);
    await look(100);
    assert.deepEqual(world.raised, [1n]);
  });

  it("leaves every alarm to the operator when told to", async () => {
    const { world, look } = setUp(false);
    world.raised = [1n];
    await look(1_000);
    await look(100);
    assert.deepEqual(world.raised, [1n]);
  });

  it("tries again when the alarm could not be taken back", async () => {
    const { world, look } = setUp();
    world.raised = [1n];
    world.error = new Error("no leader");
    await look(1_000);
    await look(100);
    assert.deepEqual(world.raised, [1n]);
    world.error = undefined;
    await look(100);
    assert.deepEqual(world.raised, []);
  });

  it("warns once each time four fifths are passed", async () => {
    const { warnings, look } = setUp();
    const count = (): number => warnings.filter((text) => text.includes("most of the storage quota")).length;
    await look(799);
    assert.equal(count(), 0);
    await look(800);
    await look(850);
    assert.equal(count(), 1);
    await look(700);
    await look(801);
    assert.equal(count(), 2);
  });

  it("looks no more when it is stopped", async () => {
    const { world, look, keeper } = setUp();
    world.raised = [1n];
    await look(1_000);
    keeper.stop();
    await look(100);
    assert.deepEqual(world.raised, [1n]);
  });
});
