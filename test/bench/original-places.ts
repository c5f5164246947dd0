import { existsSync, readFileSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { repositoryRoot } from "../harness/index.ts";

/** Where a function was written: a path in the repository or node:NAME, empty when V8 has it in itself; a line from 1. */
export interface OriginalPlace {
  readonly file: string;
  readonly line: number;
}

/** Finds with the source maps of the build what file of src/ a place in dist/ comes from. */
export class OriginalPlaces {
  readonly #maps = new Map<string, SourceMap | undefined>();

  /** `line` and `column` from 0, as V8 has them. */
  find(url: string, line: number, column: number): OriginalPlace {
    if (!url.startsWith("file:")) return { file: url, line: line + 1 };
    const path = fileURLToPath(url);
    const found = this.#mapOf(path)?.findEntry(line, column);
    if (found !== undefined && "originalSource" in found && found.originalSource !== undefined) {
      const source = resolve(dirname(path), found.originalSource);
      return { file: relative(repositoryRoot, source), line: found.originalLine + 1 };
    }
    return { file: relative(repositoryRoot, path), line: line + 1 };
  }

  #mapOf(path: string): SourceMap | undefined {
    if (!this.#maps.has(path)) {
      const file = `${path}.map`;
      const map = existsSync(file)
        ? new SourceMap(JSON.parse(readFileSync(file, "utf8")) as SourceMapPayload)
        : undefined;
      this.#maps.set(path, map);
    }
    return this.#maps.get(path);
  }
}
