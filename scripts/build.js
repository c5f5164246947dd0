// Compiles src/ to dist/, writes the oclif manifest, which spares each CLI start the reading of every command, and joins
// our modules into few files: finding and reading three hundred is a fifth of what a server takes to start.
import { execFileSync } from "node:child_process";
import { readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
rmSync(dist, { recursive: true, force: true });
execFileSync(process.execPath, [`${root}/node_modules/typescript/bin/tsc`, "-p", "tsconfig.build.json"], {
  cwd: root,
  stdio: "inherit",
});

const { writeManifest } = await import("../dist/cli/manifest.js");
await writeManifest(root);

/** What is loaded by its path: the library, the commands and what oclif is told of in package.json, a preload. */
const entries = [
  "index.js",
  "cli/main.js",
  "cli/help.js",
  "cli/command-not-found.js",
  "playground/lifeline.js",
  ...modulesIn(join(dist, "commands")).map((path) => path.slice(dist.length + 1)),
];
const bundled = join(root, "dist.tmp");
rmSync(bundled, { recursive: true, force: true });
await build({
  entryPoints: entries.map((entry) => join(dist, entry)),
  outbase: dist,
  outdir: bundled,
  bundle: true,
  splitting: true,
  packages: "external",
  format: "esm",
  platform: "node",
  target: "node20",
  // Numeric constants become literals again: the bundle's top level is of variables, which V8 does not fold.
  minifySyntax: true,
  chunkNames: "chunks/[name]-[hash]",
  sourcemap: true,
  sourcesContent: false,
});
// The types stay as tsc wrote them.
for (const path of modulesIn(dist)) {
  rmSync(path);
  rmSync(`${path}.map`, { force: true });
}
move(bundled, dist);
rmSync(bundled, { recursive: true });

function modulesIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return modulesIn(path);
    return path.endsWith(".js") ? [path] : [];
  });
}

/** Puts what is in one folder into another, which keeps what it has. */
function move(from, to) {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const target = join(to, entry.name);
    if (entry.isDirectory() && readdirSync(to).includes(entry.name)) move(join(from, entry.name), target);
    else renameSync(join(from, entry.name), target);
  }
}
