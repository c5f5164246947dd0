import { createRequire } from "node:module";
import { rocksPackage } from "../../src/server/storage/rocks-database.ts";

/** Undefined when the optional dependency is installed. One that is installed and cannot be loaded is a failure. */
export const rocksSkipReason: string | undefined = isInstalled()
  ? undefined
  : `${rocksPackage.name} is not installed`;

function isInstalled(): boolean {
  try {
    createRequire(import.meta.url).resolve(rocksPackage.name);
    return true;
  } catch {
    return false;
  }
}
