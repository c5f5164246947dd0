import assert from "node:assert/strict";
import { createPrng } from "../../src/lib/prng.ts";
import type { Command } from "../../src/server/state/index.ts";
import { SimClock } from "./clock.ts";
import { randomCommands } from "./commands.ts";
import { type CrashMode, SimFs } from "./disk.ts";
import { applyTo, createState, digestOf, type SimMember, startMember } from "./member.ts";

/**
 * A whole member over a disk that crashes: METASTORE_FULL=1 crashes at every operation of 2,000 commands, otherwise a
 * sample of a shorter run.
 */
const isFull = process.env.METASTORE_FULL === "1";
const COMMANDS = isFull ? 2_000 : 400;
const STEP = isFull ? 1 : 3;
const OUTSTANDING_MAX = 8;
const SEED = Number(process.env.METASTORE_SEED ?? 1);

interface Run {
  /** Answered commands, all before the crash; those after them may or may not have survived. */
  readonly acknowledged: number;
  readonly proposed: number;
  readonly operations: number;
  readonly failures: readonly Error[];
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Moves the clock and the disk on until `work` is done or `until` says stop. */
async function drive<T>(
  clock: SimClock,
  work: Promise<T>,
  until: () => boolean = () => false,
): Promise<T | undefined> {
  let outcome: { value: T } | { error: unknown } | undefined;
  work.then(
    (value) => {
      outcome = { value };
    },
    (error) => {
      outcome = { error };
    },
  );
  while (outcome === undefined && !until()) {
    clock.advance(1);
    await nextTurn();
  }
  if (outcome === undefined) return undefined;
  if ("error" in outcome) throw outcome.error;
  return outcome.value;
}

/** Proposes the commands, a few at a time, until all are answered or the disk crashes or fails. */
async function runWorkload(fs: SimFs, commands: readonly Command[], seed: number): Promise<Run> {
  const clock = new SimClock();
  const isOver = (): boolean => fs.isCrashed;
  let acknowledged = 0;
  let proposed = 0;
  let outstanding = 0;
  const member = await drive(clock, startMember(fs, clock, seed), isOver);
  if (member === undefined) return { acknowledged, proposed, operations: fs.operations, failures: [] };
  const isRunning = (): boolean => !fs.isCrashed && member.failures.length === 0;
  const answered = (): void => {
    outstanding--;
    acknowledged++;
  };
  const refused = (error: Error): void => {
    // A refusal by the state machine is an answer; "stopped" and the like say nothing.
    if (isRunning() && !/stopped|timed out/.test(error.message)) answered();
  };
  const work = (async () => {
    while (proposed < commands.length && isRunning()) {
      while (outstanding < OUTSTANDING_MAX && proposed < commands.length) {
        outstanding++;
        proposed++;
        member.node.propose(commands[proposed - 1]! as never).then(answered, refused);
      }
      await nextTurn();
    }
    while (outstanding > 0 && isRunning()) await nextTurn();
    if (isRunning()) await member.close();
  })();
  await drive(clock, work, isOver);
  return { acknowledged, proposed, operations: fs.operations, failures: member.failures };
}

/** Starts from what the crash left: its state must be that of a prefix of the commands with every answered one. */
async function recoveredPrefix(
  fs: SimFs,
  commands: readonly Command[],
  run: Run,
  seed: number,
): Promise<void> {
  const clock = new SimClock();
  const member = (await drive(clock, startMember(fs, clock, seed + 1))) as SimMember;
  const found = await drive(clock, digestOf(member.state));
  const model = createState();
  for (let i = 0; i < run.acknowledged; i++) applyTo(model, commands[i]!);
  for (let count = run.acknowledged; count <= run.proposed; count++) {
    if (count > run.acknowledged) applyTo(model, commands[count - 1]!);
    if ((await digestOf(model)) === found) {
      await drive(clock, member.close());
      return;
    }
  }
  assert.fail(`the state after recovery is none that the commands lead to (${run.acknowledged} answered)`);
}

describe("A member whose disk crashes", function () {
  this.timeout(isFull ? 3_600_000 : 60_000);
  const commands = randomCommands(createPrng(SEED), COMMANDS);

  for (const mode of ["clean", "torn", "dropped"] satisfies CrashMode[]) {
    it(`keeps every answered command at whatever disk operation it crashes (${mode}, seed ${SEED})`, async () => {
      const whole = await runWorkload(new SimFs({ seed: SEED }), commands, SEED);
      assert.equal(whole.acknowledged, COMMANDS);
      assert.deepEqual(whole.failures, []);
      console.log(
        `      ${Math.ceil(whole.operations / STEP)} crashes at ${whole.operations} disk operations of ${COMMANDS} commands`,
      );
      for (let crashAt = 1; crashAt <= whole.operations; crashAt += STEP) {
        const disk = new SimFs({ seed: SEED + crashAt, crashAt });
        const run = await runWorkload(disk, commands, SEED);
        const rebooted = disk.reboot(mode, { seed: SEED + crashAt });
        await recoveredPrefix(rebooted, commands, run, SEED).catch((error: Error) => {
          error.message = `crash at operation ${crashAt} of ${whole.operations}, ${mode}, METASTORE_SEED=${SEED}: ${error.message}`;
          throw error;
        });
      }
    });
  }

  it(`answers nothing after a failed write or sync, and keeps what it answered (seed ${SEED})`, async () => {
    const whole = await runWorkload(new SimFs({ seed: SEED }), commands, SEED);
    let stopped = 0;
    for (let operation = 1; operation <= whole.operations; operation += STEP) {
      const code = operation % 2 === 0 ? "EIO" : "ENOSPC";
      const disk = new SimFs({ seed: SEED + operation, failAt: { operation, code } });
      let run: Run;
      try {
        run = await runWorkload(disk, commands, SEED);
      } catch (error) {
        // It did not even start: refused, with a reason.
        assert.match(
          (error as Error).name,
          /StorageFailure/,
          `operation ${operation}: ${(error as Error).stack}`,
        );
        continue;
      }
      if (run.failures.length > 0) stopped++;
      await recoveredPrefix(disk.reboot("dropped", { seed: SEED }), commands, run, SEED).catch(
        (error: Error) => {
          error.message = `failed operation ${operation} of ${whole.operations}, METASTORE_SEED=${SEED}: ${error.message}`;
          throw error;
        },
      );
    }
    assert.ok(stopped > 0, "some failures hit a running member");
  });
});
