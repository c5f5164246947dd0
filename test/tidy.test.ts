import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { limits } from "../src/lib/limits.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

function filesBelow(folder: string, ending: RegExp): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && ending.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

const sources = filesBelow("src", /\.tsx?$/);
const tests = filesBelow("test", /\.ts$/);
const text = new Map(sources.map((file) => [file, readFileSync(join(root, file), "utf8")]));

const inServer = (file: string): boolean => file.startsWith("src/server/") || file.startsWith("src/codec/");
const everywhere = (): boolean => true;

interface Ban {
  readonly promise: string;
  readonly pattern: RegExp;
  readonly where: (file: string) => boolean;
  /** Whether comments count too. */
  readonly inComments?: boolean;
  /** Files that may, each of which does. */
  readonly except?: readonly string[];
  /** What the pattern catches, and what it must not. */
  readonly caught: readonly string[];
  readonly free: readonly string[];
}

const bans: readonly Ban[] = [
  {
    promise: "takes time only through lib/clock.ts",
    pattern: /\bDate\.now\b|\bnew Date\(\)|\bset(Timeout|Interval|Immediate)\((?!0\))|\bperformance\.now\b/,
    where: inServer,
    caught: ["Date.now()", "new Date()", "setTimeout(f)", "setImmediate(f)", "performance.now()"],
    // A socket's own time-out may be switched off.
    free: ["new Date(wallMs)", "clock.nowMs()", "socket.setTimeoutMs", "socket.setTimeout(0)"],
  },
  {
    promise: "takes randomness only through lib/prng.ts and lib/secret.ts",
    pattern: /\bMath\.random\b|\brandom(Bytes|Int|UUID)\b|\bgetRandomValues\b/,
    where: everywhere,
    // lib/secret.ts is the place for it. The client's pause is jitter between computers: no simulation repeats it.
    except: ["src/lib/secret.ts", "src/client/retry.ts"],
    caught: ["Math.random()", "crypto.randomBytes(4)", "randomUUID()"],
    free: ["prng.below(6)"],
  },
  {
    promise: "ends the process only in bin/",
    pattern: /\bprocess\.(exit|abort)\(/,
    where: everywhere,
    caught: ["process.exit(1)", "process.abort()"],
    free: ["process.exitCode = 1", "process.on('exit', f)"],
  },
  {
    promise: "prints through the logger or the CLI's output, never through console",
    // Calls, not names: a module may be called log-console.ts.
    pattern: /(?<![-\w.])console\s*[.[]/,
    where: everywhere,
    caught: ["console.log(1)", "  console.error(e)"],
    free: ['from "./log-console.ts"', 'format === "console"'],
  },
  {
    promise: "gives every value a type",
    pattern: /\bas any\b|(:|<|\|) ?any\b/,
    where: everywhere,
    caught: ["x as any", "x: any", "Array<any>", "string | any"],
    free: ["as many", "x: anything"],
  },
  {
    promise: "has every type checked",
    pattern: /@ts-(ignore|expect-error|nocheck)/,
    where: everywhere,
    inComments: true,
    caught: ["// @ts-ignore", "// @ts-expect-error why"],
    free: ["// @see"],
  },
  {
    promise: "has no leftover notes",
    pattern: /\b(FIXME|TODO|XXX)\b/,
    where: everywhere,
    inComments: true,
    caught: ["// TODO: later", "FIXME"],
    free: ["todos"],
  },
  {
    promise: "waits for nothing in raft and state",
    pattern: /\bawait\b|\basync\b|\bPromise\b/,
    where: (file) => /^src\/server\/(raft|state)\//.test(file),
    caught: ["await x", "async () => 1", "new Promise(f)"],
    free: ["awaiting"],
  },
];

/** The file without comments: prose may name what code may not. Text after code on a line counts as code. */
function code(file: string): string {
  return text
    .get(file)!
    .replaceAll(/^\s*\/\*[\s\S]*?\*\//gm, "")
    .replaceAll(/^\s*\/\/.*$/gm, "");
}

describe("The house", () => {
  for (const { promise, pattern, where, inComments, except = [], caught, free } of bans) {
    it(promise, () => {
      for (const sample of caught) assert.match(sample, pattern);
      for (const sample of free) assert.doesNotMatch(sample, pattern);
      const shown = (file: string): string => (inComments === true ? text.get(file)! : code(file));
      const found = sources.filter((file) => where(file) && pattern.test(shown(file)));
      assert.deepEqual(
        found.filter((file) => !except.includes(file)),
        [],
      );
      for (const file of except) assert.ok(found.includes(file), `${file} needs no exception`);
    });
  }

  it("has a door in every server folder, and a DESIGN.md in the larger ones", () => {
    // A folder of other folders (api) has its door too; those inside it are its own affair.
    const folders = readdirSync(join(root, "src/server"), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `src/server/${entry.name}`);
    assert.ok(folders.length >= 7);
    for (const folder of folders) {
      assert.ok(existsSync(join(root, folder, "index.ts")), `${folder} has no door`);
      const count = readdirSync(join(root, folder)).filter(
        (name) => name.endsWith(".ts") && name !== "index.ts",
      ).length;
      if (count > 3) assert.ok(existsSync(join(root, folder, "DESIGN.md")), `${folder} has no DESIGN.md`);
    }
  });

  it("tests every server file at the mirrored path, or says why not", () => {
    // Types, doors and files whose behaviour a neighbour's test covers whole.
    const covered = new Map<string, string>(Object.entries(coveredElsewhere));
    const missing = sources.filter((file) => {
      if (!file.startsWith("src/server/") || /\/(index|types)\.ts$/.test(file) || covered.has(file))
        return false;
      return !tests.includes(file.replace(/^src\//, "test/unit/").replace(/\.ts$/, ".test.ts"));
    });
    assert.deepEqual(missing, []);
    for (const [file, by] of covered) {
      assert.ok(sources.includes(file), `${file} is listed but does not exist`);
      assert.ok(tests.includes(by), `${file} is said to be covered by ${by}, which does not exist`);
      assert.ok(isReachedFrom(by, file), `${file} is said to be covered by ${by}, which never loads it`);
      const own = file.replace(/^src\//, "test/unit/").replace(/\.ts$/, ".test.ts");
      assert.ok(!tests.includes(own), `${file} is listed but has a test of its own`);
    }
  });

  it("exceeds every limit in some test, and names it there", () => {
    const all = tests.map((file) => readFileSync(join(root, file), "utf8")).join("\n");
    // The value itself or the title of a test: an option of the same name does not count.
    const isNamed = (name: string) =>
      new RegExp(`\\blimits\\.${name}\\b|\\bit\\([^\\n]*\\b${name}\\b`).test(all);
    assert.deepEqual(
      Object.keys(limits).filter((name) => !isNamed(name)),
      [],
    );
  });

  it("names no machine path and no registry host", () => {
    const tracked = execFileSync("git", ["ls-files"], { cwd: root, encoding: "utf8" }).trim().split("\n");
    const pattern = new RegExp(["/work", "/main|registry\\.npm", "js\\.org"].join(""));
    const named = tracked.filter(
      (file) => existsSync(join(root, file)) && pattern.test(readFileSync(join(root, file), "utf8")),
    );
    assert.deepEqual(named, []);
  });

  it("has a layer check that catches an upward import and a cycle", function () {
    this.timeout(60_000);
    const probe = mkdtempSync(join(root, "src/lib/probe-"));
    try {
      writeFileSync(
        join(probe, "up.ts"),
        'import type { Entry } from "../../server/raft/index.ts";\nexport type Up = Entry;\n',
      );
      writeFileSync(join(probe, "a.ts"), 'import { b } from "./b.ts";\nexport const a = () => b;\n');
      writeFileSync(join(probe, "b.ts"), 'import { a } from "./a.ts";\nexport const b = () => a;\n');
      const run = () =>
        execFileSync("npx", ["depcruise", "src/lib", "--config", ".dependency-cruiser.cjs"], {
          cwd: root,
          stdio: "pipe",
        });
      assert.throws(run, (error: { stdout?: Buffer }) => {
        const output = String(error.stdout);
        return output.includes("no-up-from-lib") && output.includes("no-circular");
      });
    } finally {
      rmSync(probe, { recursive: true, force: true });
    }
  });
});

/** Whether loading `from` loads `target`: follows the import and export statements of both trees. */
function isReachedFrom(from: string, target: string): boolean {
  const seen = new Set<string>();
  const waiting = [from];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (seen.has(file) || !existsSync(join(root, file))) continue;
    seen.add(file);
    const content = text.get(file) ?? readFileSync(join(root, file), "utf8");
    for (const [, path = ""] of content.matchAll(/(?:from|import) "(\.[^"]+)"/g)) {
      waiting.push(normalize(join(dirname(file), path)));
    }
  }
  return seen.has(target);
}

const storageTests = "test/unit/server/storage";
const transportSuite = "test/unit/server/api/grpc-js/grpc-transport.test.ts";
const wireTests = "test/unit/server/api/wire";
const raftTests = "test/unit/server/raft";

/** Files without a test of their own, and the test that covers what they do. */
const coveredElsewhere: Record<string, string> = {
  // Types alone, or a table of them.
  "src/server/api/transport.ts": transportSuite,
  "src/server/api/services/service-context.ts": "test/unit/server/api/services/kv.test.ts",
  "src/server/state/command.ts": "test/unit/server/state/command-codec.test.ts",
  "src/server/storage/disk-database.ts": "test/suites/disk-database.test.ts",
  "src/server/storage/engine.ts": `${storageTests}/memory-engine.test.ts`,
  // The disk engine in parts: the law of engines runs over them all, written all the time and not at all.
  "src/server/storage/disk-content.ts": `${storageTests}/disk-engine.test.ts`,
  "src/server/storage/disk-layer.ts": `${storageTests}/disk-engine.test.ts`,
  "src/server/storage/disk-layout.ts": `${storageTests}/disk-engine.test.ts`,
  "src/server/storage/disk-scan.ts": `${storageTests}/disk-engine.test.ts`,
  "src/server/storage/loaded-reads.ts": `${storageTests}/disk-engine.test.ts`,
  "src/server/member-state.ts": "test/unit/server/node/durable-state.test.ts",
  "src/server/storage/wal-types.ts": `${storageTests}/wal.test.ts`,
  // The rules of the Raft core, seen through a member that others send to, and through traces of several.
  "src/server/raft/append.ts": `${raftTests}/traces.test.ts`,
  "src/server/raft/candidate.ts": `${raftTests}/traces.test.ts`,
  "src/server/raft/description.ts": `${raftTests}/traces.test.ts`,
  "src/server/raft/election.ts": `${raftTests}/traces.test.ts`,
  "src/server/raft/follower.ts": `${raftTests}/raft.test.ts`,
  "src/server/raft/leader.ts": `${raftTests}/raft.test.ts`,
  "src/server/raft/messages.ts": `${raftTests}/raft.test.ts`,
  "src/server/raft/proposals.ts": `${raftTests}/raft.test.ts`,
  "src/server/raft/raft-logger.ts": `${raftTests}/config.test.ts`,
  "src/server/raft/read-rounds.ts": `${raftTests}/traces.test.ts`,
  "src/server/raft/reads.ts": `${raftTests}/traces.test.ts`,
  "src/server/raft/reconfiguration.ts": `${raftTests}/traces.test.ts`,
  "src/server/raft/replication.ts": `${raftTests}/traces.test.ts`,
  "src/server/raft/roles.ts": `${raftTests}/raft.test.ts`,
  "src/server/raft/snapshots.ts": `${raftTests}/traces.test.ts`,
  "src/server/raft/state.ts": `${raftTests}/raft.test.ts`,
  "src/server/raft/status.ts": `${raftTests}/raft.test.ts`,
  "src/server/raft/tracker.ts": `${raftTests}/membership.test.ts`,
  // The layouts of a log, as one: what is written is what is read, and nothing else is taken for it.
  "src/server/storage/wal-frame-builder.ts": `${storageTests}/wal-frame.test.ts`,
  "src/server/storage/wal-record.ts": `${storageTests}/wal-frame.test.ts`,
  "src/server/storage/wal-scan.ts": `${storageTests}/wal-frame.test.ts`,
  "src/server/storage/wal-segment.ts": `${storageTests}/wal-frame.test.ts`,
  // Opening, repairing and writing a log are seen through the log.
  "src/server/storage/segment-writer.ts": `${storageTests}/wal.test.ts`,
  "src/server/storage/wal-open.ts": `${storageTests}/wal-replay.test.ts`,
  "src/server/storage/wal-recovery.ts": `${storageTests}/damage.test.ts`,
  "src/server/storage/snapshot-file.ts": `${storageTests}/snapshot-store.test.ts`,
  // The parts of a transport, over real connections.
  "src/server/api/grpc-js/grpc-call.ts": transportSuite,
  "src/server/api/listener.ts": transportSuite,
  "src/server/api/grpc-js/ping-policy.ts": transportSuite,
  "src/server/api/grpc-js/stream-call.ts": transportSuite,
  "src/server/api/grpc-js/unary-call.ts": transportSuite,
  // The same of our own transport; what is HTTP/2 in it, frame by frame.
  "src/server/api/wire/frames.ts": `${wireTests}/connection.test.ts`,
  "src/server/api/wire/grpc-call.ts": `${wireTests}/wire-transport.test.ts`,
  "src/server/api/wire/refused-call.ts": `${wireTests}/wire-transport.test.ts`,
  "src/server/api/wire/stream-call.ts": `${wireTests}/wire-transport.test.ts`,
  "src/server/api/wire/unary-call.ts": `${wireTests}/wire-transport.test.ts`,
  "src/server/api/wire/wire-stream.ts": `${wireTests}/connection.test.ts`,
  // One call of a service.
  "src/server/api/services/keep-alive.ts": "test/unit/server/api/services/lease.test.ts",
  "src/server/api/services/stream-room.ts": "test/unit/server/api/services/range-stream.test.ts",
  "src/server/api/services/watch-response.ts": "test/unit/server/api/services/watch.test.ts",
};
