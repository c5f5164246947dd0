// Looks from inside at a server that is measured: node --import file:///.../probe.js?folder=DIR. /metrics has the lag of
// the last half minute or more and no longest pause; a bench wants both of the measured period alone, a profile too.
// It listens on DIR/PID.sock; a line in ("begin", "begin profile", "end"), a line of JSON out.
import { writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { monitorEventLoopDelay, PerformanceObserver } from "node:perf_hooks";
import { createInterface } from "node:readline";

/** A run of a few seconds is to have samples enough for a thousandth; each costs the server a wake-up. */
const RESOLUTION_MS = 2;
const SAMPLE_US = 200;

const folder = new URL(import.meta.url).searchParams.get("folder") ?? ".";
const lag = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
let pausesMs = [];
const keep = (entries) => {
  for (const { duration } of entries) pausesMs.push(duration);
};
const collections = new PerformanceObserver((list) => keep(list.getEntries()));
let session;

async function begin(isProfiled) {
  if (isProfiled) {
    session = new Session();
    session.connect();
    await session.post("Profiler.enable");
    await session.post("Profiler.setSamplingInterval", { interval: SAMPLE_US });
    await session.post("Profiler.start");
  }
  pausesMs = [];
  collections.observe({ entryTypes: ["gc"] });
  lag.reset();
  lag.enable();
  return {};
}

async function end() {
  lag.disable();
  keep(collections.takeRecords());
  collections.disconnect();
  const answer = {
    lagP999Ms: lateMs(lag.percentile(99.9)),
    lagMaxMs: lateMs(lag.max),
    gcMs: pausesMs.reduce((sum, ms) => sum + ms, 0),
    gcMaxMs: Math.max(0, ...pausesMs),
  };
  if (session === undefined) return answer;
  const { profile } = await session.post("Profiler.stop");
  session.disconnect();
  session = undefined;
  const file = join(folder, `${process.pid}.cpuprofile`);
  writeFileSync(file, JSON.stringify(profile));
  return { ...answer, profile: file };
}

/** Node records the distance between two ticks of its timer; what exceeds the asked one is lag. */
function lateMs(distanceNs) {
  const ms = distanceNs / 1e6 - RESOLUTION_MS;
  return Number.isFinite(ms) && ms > 0 ? ms : 0;
}

createServer((socket) => {
  socket.unref();
  socket.on("error", () => {});
  createInterface({ input: socket }).on("line", async (line) => {
    const answer = line === "end" ? await end() : await begin(line.endsWith(" profile"));
    socket.write(`${JSON.stringify(answer)}\n`);
  });
})
  .listen(join(folder, `${process.pid}.sock`))
  .unref();
