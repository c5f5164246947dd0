import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import ts from "typescript";

const repository = fileURLToPath(new URL("../../..", import.meta.url));
let built: Promise<string> | undefined;

/**
 * A copy of the package as npm would install it, built from src/ as it is now: bin/run.js, dist/ and the oclif
 * manifest. Made once per test run; the path of its root.
 */
export function buildCli(): Promise<string> {
  built ??= build();
  return built;
}

async function build(): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), "metastore-cli-"));
  process.once("exit", () => rmSync(root, { recursive: true, force: true }));
  cpSync(join(repository, "package.json"), join(root, "package.json"));
  cpSync(join(repository, "bin"), join(root, "bin"), { recursive: true });
  symlinkSync(join(repository, "node_modules"), join(root, "node_modules"));
  const source = join(repository, "src");
  for (const file of readdirSync(source, { recursive: true, encoding: "utf8" })) {
    if (!/\.tsx?$/.test(file)) continue;
    const { outputText } = ts.transpileModule(readFileSync(join(source, file), "utf8"), {
      fileName: file,
      compilerOptions: {
        target: ts.ScriptTarget.ES2023,
        module: ts.ModuleKind.ESNext,
        jsx: ts.JsxEmit.ReactJSX,
        verbatimModuleSyntax: true,
        rewriteRelativeImportExtensions: true,
      },
    });
    const target = join(root, "dist", file.replace(/\.tsx?$/, ".js"));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, outputText);
  }
  const { writeManifest } = (await import(pathToFileURL(join(root, "dist/cli/manifest.js")).href)) as {
    writeManifest(root: string): Promise<void>;
  };
  await writeManifest(root);
  return root;
}
