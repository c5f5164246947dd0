import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { silentLog } from "../../../../src/lib/log.ts";
import { createPrng } from "../../../../src/lib/prng.ts";
import type { Command } from "../../../../src/server/state/index.ts";
import { randomCommands } from "../../../sim/commands.ts";
import { SimFs } from "../../../sim/disk.ts";
import { SimDiskDatabase } from "../../../sim/disk-database.ts";
import { startMember } from "../../../sim/member.ts";
import { NodeWorld, SlowClock } from "./node-world.ts";

/** Two members that get the same commands: one has its records in memory, the other on disk. */
async function twins(seed: number): Promise<{ readonly memory: NodeWorld; readonly disk: NodeWorld }> {
  const memory = new NodeWorld(new SimFs({ seed }));
  const disk = new NodeWorld(new SimFs({ seed }), new SimDiskDatabase({ seed }));
  await memory.start();
  await disk.start();
  return { memory, disk };
}

async function contentOf(world: NodeWorld): Promise<unknown> {
  const { store, lessor } = world.member.state;
  await world.settle(store.compactionFinished());
  const { hash } = await world.settle(store.hashKv(0));
  const ids = [...lessor.openSnapshot().leases].map(({ id }) => id).sort();
  const leases = ids.map((id) => `${id}: ${[...(lessor.keysOf(id) ?? [])].sort()}`);
  return {
    revision: store.currentRevision,
    compactRevision: store.compactRevision,
    hash,
    leases,
    stats: store.stats(),
    members: world.node.members(),
  };
}

async function run(world: NodeWorld, commands: readonly Command[]): Promise<unknown[]> {
  const answers = commands.map((command) =>
    world.node.propose(command as never).then(
      (answer: unknown) => answer,
      (error: Error) => error.message,
    ),
  );
  return await world.settle(Promise.all(answers));
}

describe("A member whose records are on disk", function () {
  this.timeout(60_000);

  for (const mode of ["clean", "torn", "dropped"] as const) {
    it(`answers as one in memory does, over restarts and crashes (${mode})`, async () => {
      for (let seed = 1; seed <= 4; seed++) {
        const { memory, disk } = await twins(seed);
        const prng = createPrng(seed);
        for (let round = 0; round < 6; round++) {
          const commands = randomCommands(prng, 1 + prng.below(60));
          const expected = await run(memory, commands);
          assert.deepEqual(await run(disk, commands), expected, `seed ${seed}, round ${round}`);
          if (prng.below(3) === 0) await disk.restart();
          else if (prng.below(2) === 0) await disk.crash(mode);
          assert.deepEqual(await contentOf(disk), await contentOf(memory), `seed ${seed}, round ${round}`);
        }
        assert.deepEqual(disk.member.failures, []);
      }
    });
  }

  it("ends when its database cannot be written, and finds everything again", async () => {
    const { disk } = await twins(9);
    await disk.settle(disk.put("a", "1"));
    disk.database?.failNext();
    await assert.rejects(
      disk.settle(
        (async () => {
          for (let i = 0; i < 100; i++) await disk.put("b", `${i}`);
        })(),
      ),
    );
    assert.equal(disk.member.failures.length, 1);
    await disk.crash("dropped");
    assert.equal(
      (await disk.settle(Promise.resolve(disk.member.state.store.lastChange("a" as never))))?.revision,
      2,
    );
  });

  it("refuses a log that ends before what the database has applied", async () => {
    const { disk } = await twins(11);
    const { disk: other } = await twins(11);
    for (let i = 0; i < 20; i++) await other.settle(other.put("a", `${i}`));
    await other.settle(other.member.close());
    await disk.settle(disk.member.close());
    disk.database = other.database?.reboot("clean", { seed: 3 });
    await assert.rejects(disk.start(), /the database is at log index \d+, and the log ends at \d+/);
  });
});

describe("A member that was alone", () => {
  it("and learns from its log that it is not, waits for the election time-out like any other", async () => {
    const world = new NodeWorld(new SimFs({ seed: 1 }), new SimDiskDatabase({ seed: 1 }));
    await world.start();
    await world.settle(world.put("a", "1"));
    // The database has the state up to here, and nothing of what follows.
    await world.restart();
    await world.settle(world.put("a", "2"));
    await world.settle(world.node.memberAdd(["http://127.0.0.1:2390"], false));
    const fs = world.fs.reboot("clean", { seed: 2 });
    const database = world.database!.reboot("dropped", { seed: 2 });
    const clock = new SlowClock(world.clock.nowMs());
    const electionsMs: number[] = [];
    const info = (message: string): void => {
      if (/starting a new election/.test(message)) electionsMs.push(clock.nowMs());
    };
    // Two voters, of which one never begins: this start does not end.
    const options = { log: { ...silentLog, info }, isPreVote: false, isElectionTickAdvanced: false };
    const starting = startMember(fs, clock, 3, options, database);
    let hasStarted = false;
    const started = (): void => {
      hasStarted = true;
    };
    starting.then(started, started);
    for (let passedMs = 0; passedMs < 5_000; passedMs += 10) {
      clock.advance(10);
      for (let turn = 0; turn < 5; turn++) await nextTurn();
    }
    assert.equal(hasStarted, false);
    assert.ok(electionsMs[0]! >= 900, `an election after ${electionsMs[0]} of 1000 ms`);
  });
});
