/**
 * npm run test:fuzz-frames: random frames that mean something, in this process, against a transport.
 *   --transport NAME  wire or grpc-js
 *   --frames N        how many at least (20000)
 *   --seed S          which (1)
 *   --first N         the number of the first connection (0): with --frames 1 it repeats one
 * Nothing may throw out of the transport; when connections are gone no call may be open, which is to say that every
 * handler was told; and a sound call on a new connection must be answered after every 50 of them.
 */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Draw } from "./draw.ts";
import { describeFrames, type FuzzScript, makeScript } from "./fuzz-frames.ts";
import { FuzzTarget } from "./fuzz-target.ts";
import { happened, PATIENCE_MS } from "./patience.ts";
import { transportNamed, transports } from "./transports.ts";

const { values: flags } = parseArgs({
  options: {
    transport: { type: "string", default: Object.keys(transports).at(-1) ?? "grpc-js" },
    frames: { type: "string", default: "20000" },
    seed: { type: "string", default: "1" },
    first: { type: "string", default: "0" },
  },
});
const seed = Number(flags.seed);
const framesMin = Number(flags.frames);

/** Connections at a time, and between two looks at the server. */
const TOGETHER = 16;
const CONNECTIONS_A_LOOK = 48;
/** A server that has said GOAWAY may have stopped to read; nobody waits longer for it. */
const LINGER_MS = 100;
const FRAMES_SHOWN = 12;

const duplexAndUnary = [
  "Echo",
  "EchoLater",
  "Fail",
  "FailLater",
  "Never",
  "Chat",
  "Paced",
  "Brief",
  "Deaf",
  "Quiet",
];
const throwing = ["ThrowAtOpen", "ThrowAtMessage", "ThrowAtHalfClose", "EndAtOpen"];
const methods = [...duplexAndUnary, ...throwing, "Pour", "Silent"];

interface UnderWay {
  readonly number: number;
  readonly script: FuzzScript;
}

const underWay = new Set<UnderWay>();
let failed = 0;

function fail(what: string, among: Iterable<UnderWay> = underWay): void {
  failed++;
  console.log(`not ok  ${what}`);
  for (const { number, script } of among) {
    console.log(
      `  repeat: npm run test:fuzz-frames -- --transport ${flags.transport} --seed ${seed} --first ${number} --frames 1`,
    );
    console.log(`    ${describeFrames(script.frames.slice(-FRAMES_SHOWN))}`);
  }
}

process.on("uncaughtException", (error) => fail(`uncaught: ${error.stack ?? error}`));
process.on("unhandledRejection", (reason) =>
  fail(`unhandled rejection: ${reason instanceof Error ? reason.stack : String(reason)}`),
);

async function playScript(target: FuzzTarget, { pieces, isDeaf, ending }: FuzzScript): Promise<void> {
  const socket = target.connect();
  const closed = once(socket, "close").catch(() => undefined);
  socket.on("error", () => {}); // refused connections are what is asked for
  if (!isDeaf) socket.resume();
  for (const piece of pieces) {
    if (socket.destroyed || !socket.writable) break;
    if (!socket.write(piece)) {
      await happened((done) => socket.once("drain", done).once("close", done), LINGER_MS);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (ending === "end") {
    socket.end();
    await Promise.race([closed, sleep(LINGER_MS)]);
  }
  socket.destroy();
  await closed;
}

/** Every connection has gone: so must every call. */
async function allCallsEnd(target: FuzzTarget): Promise<boolean> {
  const deadline = performance.now() + PATIENCE_MS;
  while (target.records.openCalls > 0 && performance.now() < deadline) await sleep(5);
  return target.records.openCalls === 0;
}

async function main(): Promise<number> {
  const target = await FuzzTarget.start(transportNamed(flags.transport));
  const recorded = [await target.recordSession()];
  let [frames, connections, number] = [0, 0, Number(flags.first)];
  const startedAt = performance.now();
  while (frames < framesMin && failed < 10) {
    const lot: UnderWay[] = [];
    const player = async (): Promise<void> => {
      while (lot.length < CONNECTIONS_A_LOOK && frames < framesMin) {
        const entry = { number, script: makeScript(new Draw(seed, number), methods, recorded) };
        number++;
        frames += entry.script.frames.length;
        lot.push(entry);
        underWay.add(entry);
        await playScript(target, entry.script);
        underWay.delete(entry);
      }
    };
    await Promise.all(Array.from({ length: TOGETHER }, player));
    connections += lot.length;
    if (!(await allCallsEnd(target))) {
      fail(`${target.records.openCalls} calls are open after their connections are gone`, lot);
      target.records.openCalls = 0;
    }
    const wrong = await target.soundCall();
    if (wrong !== undefined) fail(wrong, lot);
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  await target.close();
  console.log(
    `${flags.transport}, seed ${seed}: ${frames} frames on ${connections} connections, ${target.records.openedCalls} calls came to handlers, ${(frames / seconds).toFixed(0)} frames/s`,
  );
  console.log(`${connections - Math.min(failed, connections)} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
