// Coverage of mvcc, storage, lease and raft by their tests, of the code as tsc compiles it: the loader that runs the tests
// otherwise puts helpers of its own into every file, and they count as branches that nobody takes.
// Usage: npm run coverage. Ends with 1 when a folder has 95 % of its branches or less, raft 97 %.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const branchesMin = { mvcc: 0.95, storage: 0.95, lease: 0.95, raft: 0.97 };
const folders = Object.keys(branchesMin);

const root = fileURLToPath(new URL("..", import.meta.url));
const build = join(root, "coverage", "build");
const report = join(root, "coverage", "report");

function run(program, args) {
  execFileSync(process.execPath, [join(root, "node_modules", program), ...args], {
    cwd: root,
    stdio: "inherit",
  });
}

rmSync(join(root, "coverage"), { recursive: true, force: true });
mkdirSync(build, { recursive: true });
const config = {
  extends: "../tsconfig.json",
  compilerOptions: { noEmit: false, rootDir: "..", outDir: "build", sourceMap: true },
  include: ["../src", "../test"],
};
writeFileSync(join(root, "coverage", "tsconfig.json"), JSON.stringify(config));
run("typescript/bin/tsc", ["-p", "coverage/tsconfig.json"]);
cpSync(join(root, "package.json"), join(build, "package.json"));
cpSync(join(root, "test"), join(build, "test"), {
  recursive: true,
  filter: (path) => !path.endsWith(".ts") && !path.includes(`${sep}node_modules`),
});

run("c8/bin/c8.js", [
  ...["--exclude-after-remap", "--reports-dir", report, "--temp-directory", join(root, "coverage", "raw")],
  ...["--reporter", "text", "--reporter", "json"],
  ...folders.flatMap((folder) => ["--include", `src/server/${folder}/**`]),
  ...[process.execPath, join(root, "node_modules/mocha/bin/mocha.js"), "--no-config", "--timeout", "20000"],
  ...["--reporter", "dot", "--enable-source-maps"],
  ...folders.map((folder) => `coverage/build/test/unit/server/${folder}/**/*.test.js`),
  "coverage/build/test/suites/**/*.test.js",
]);

const measured = Object.entries(JSON.parse(readFileSync(join(report, "coverage-final.json"), "utf8")));
for (const folder of folders) {
  const inside = measured.filter(([path]) => relative(root, path).startsWith(join("src", "server", folder)));
  const branches = inside.flatMap(([, file]) => Object.values(file.b).flat());
  const taken = branches.filter((count) => count > 0).length;
  const isEnough = branches.length > 0 && taken / branches.length > branchesMin[folder];
  console.log(
    `${folder}: ${taken} of ${branches.length} branches taken${isEnough ? "" : ", which is too few"}`,
  );
  if (!isEnough) process.exitCode = 1;
}
