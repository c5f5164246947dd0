import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../harness/index.ts";

/** Throws when there is no build; warns when sources are newer, because then something else is measured than is read. */
export function checkBuild(): void {
  const built = join(repositoryRoot, "dist", "cli", "main.js");
  if (!existsSync(built)) throw new Error("MetaStore is not built yet: npm run build");
  if (newestMs(join(repositoryRoot, "src")) > statSync(built).mtimeMs) {
    console.log("dist/ is older than src/: npm run build would change what is measured");
  }
}

/** Builds what is in a folder with the sources of this project. */
export function build(folder: string): void {
  execFileSync("npm", ["run", "build"], { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
}

function newestMs(folder: string): number {
  return Math.max(
    0,
    ...readdirSync(folder, { withFileTypes: true }).map((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? newestMs(path) : statSync(path).mtimeMs;
    }),
  );
}
