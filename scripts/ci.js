// Runs every suite in turn, lets its output through, adds up what passed, failed and was skipped, and fails when
// anything failed or a suite ended without saying what it ran. What failed is told again at the end, since the record
// of a run may keep its end only.
import { spawn } from "node:child_process";

/** How the simulator tells what it ran. */
const seedsPattern = /^seeds\s+(\d+), (\d+) failed$/m;

const suites = [
  { name: "unit, property and command tests", command: ["npm", ["test"]] },
  { name: "conformance with real clients", command: ["npm", ["run", "test:conformance"]] },
  {
    name: "kill -9 loop, short",
    // Starts are timed, not judged: how long they take depends on the machine of the day.
    command: [
      "npm",
      ["run", "test:kill", "--", "--kills", "10", "--keys", "20000", "--ready-limit-ms", "none"],
    ],
  },
  {
    name: "Raft's public traces, where they are",
    command: ["npm", ["run", "test:traces", "--", "../shared/raft/testdata"]],
  },
  {
    name: "simulated clusters, 20 seeds",
    command: ["npm", ["run", "sim", "--", "--seeds", "20", "--time", "30s"]],
    pattern: seedsPattern,
  },
  {
    name: "simulated clusters on mixed engines, 20 seeds",
    command: [
      "npm",
      ["run", "sim", "--", "--seeds", "20", "--seed", "101", "--time", "30s", "--storage", "mixed"],
    ],
    pattern: seedsPattern,
  },
  {
    name: "clusters of real processes under faults, short",
    // A client left open by a scenario must not keep the run.
    command: ["npx", ["mocha", "--exit", "test/cluster/scenarios.test.ts"]],
  },
  { name: "hostile clients", command: ["npm", ["run", "test:hostile"]] },
  { name: "HTTP/2 by h2spec", command: ["npm", ["run", "test:h2spec"]] },
  {
    name: "our HTTP/2 held to grpc-js, 3,000 calls",
    command: ["npm", ["run", "test:differential", "--", "--calls", "3000"]],
  },
  {
    name: "random frames, 200,000",
    command: ["npm", ["run", "test:fuzz-frames", "--", "--frames", "200000"]],
  },
];

/** So much of a suite's output is repeated at the end, at most. */
const FAILURE_CHARACTERS_MAX = 8000;

const total = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
for (const suite of suites) {
  console.log(`\n=== ${suite.name}`);
  const { code, output } = await run(...suite.command);
  const counts = suite.pattern === undefined ? countsOf(output) : countsOfSeeds(output, suite.pattern);
  if (counts === undefined) {
    console.log(`${suite.name}: no count of tests in its output`);
    total.failed += 1;
    failures.push(`${suite.name}: exit code ${code}, no count\n${output.slice(-FAILURE_CHARACTERS_MAX)}`);
    continue;
  }
  total.passed += counts.passed;
  total.skipped += counts.skipped;
  const failed = counts.failed === 0 && code !== 0 ? 1 : counts.failed;
  total.failed += failed;
  if (failed > 0) failures.push(`${suite.name}: exit code ${code}\n${failuresOf(output)}`);
}

console.log("\n=== the revision before against this one (for people to read: it passes and fails nothing)");
await run("npm", [
  ...["run", "bench", "--", "--compare", "HEAD~1", "--only", "put,range", "--clients", "100"],
  ...["--seconds", "1", "--repeat", "3"],
]);
for (const failure of failures) console.log(`\n=== failed: ${failure}`);
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;

/** Mocha's list of failures, or the lines that say "failed" or "FAIL", or the end of the output. */
function failuresOf(output) {
  const list = /^\s+\d+ failing$[\s\S]*/m.exec(output);
  if (list) return list[0].slice(0, FAILURE_CHARACTERS_MAX);
  const lines = output.split("\n").filter((line) => /\bFAIL|^not ok|^failed|violation|VIOLATION/.test(line));
  return (lines.length > 0 ? lines.join("\n") : output).slice(-FAILURE_CHARACTERS_MAX);
}

/** Seeds run, and how many of them failed. */
function countsOfSeeds(output, pattern) {
  const match = pattern.exec(output);
  if (!match) return undefined;
  const [seeds, failed] = [Number(match[1]), Number(match[2])];
  return { passed: seeds - failed, failed, skipped: 0 };
}

/** The last plain closing line, or mocha's. */
function countsOf(output) {
  const plain = [...output.matchAll(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm)].at(-1);
  if (plain) return { passed: Number(plain[1]), failed: Number(plain[2]), skipped: Number(plain[3] ?? 0) };
  const passing = /^\s+(\d+) passing/m.exec(output);
  if (!passing) return undefined;
  const number = (pattern) => Number(pattern.exec(output)?.[1] ?? 0);
  return {
    passed: Number(passing[1]),
    failed: number(/^\s+(\d+) failing/m),
    skipped: number(/^\s+(\d+) pending/m),
  };
}

function run(program, args) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (chunk) => {
      process.stdout.write(chunk);
      output += chunk;
    });
    child.on("close", (code) => resolve({ code, output }));
  });
}
