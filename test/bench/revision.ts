import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../harness/index.ts";
import { build } from "./build.ts";

/** A revision of this repository that is built in a worktree of its own. */
export interface Revision {
  /** Its short hash. */
  readonly name: string;
  /** Its bin/run.js. */
  readonly program: string;
  remove(): void;
}

const git = (...args: string[]): string =>
  execFileSync("git", args, { cwd: repositoryRoot, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });

/** `folder` takes the worktree. Packages are ours where the revision locks the same ones. */
export function buildRevision(revision: string, folder: string): Revision {
  const name = git("rev-parse", "--short", `${revision}^{commit}`).trim();
  const worktree = join(folder, `revision-${name}`);
  mkdirSync(folder, { recursive: true });
  git("worktree", "add", "--quiet", "--detach", worktree, name);
  const remove = (): void => {
    git("worktree", "remove", "--force", worktree);
  };
  try {
    if (isSameFile(worktree, "package-lock.json")) {
      symlinkSync(join(repositoryRoot, "node_modules"), join(worktree, "node_modules"));
    } else execFileSync("npm", ["ci"], { cwd: worktree, stdio: ["ignore", "ignore", "inherit"] });
    build(worktree);
  } catch (error) {
    remove();
    throw error;
  }
  return { name, program: join(worktree, "bin", "run.js"), remove };
}

function isSameFile(worktree: string, name: string): boolean {
  const [theirs, ours] = [join(worktree, name), join(repositoryRoot, name)];
  return existsSync(theirs) && existsSync(ours) && readFileSync(theirs).equals(readFileSync(ours));
}

/** Whether a server knows a flag of `serve`. */
export function hasServeFlag(program: string, flag: string): boolean {
  const help = execFileSync(process.execPath, [program, "serve", "--help"], { encoding: "utf8" });
  return help.includes(`--${flag}=`);
}
