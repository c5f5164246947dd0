/** How fast the machine is at the moment: on shared hosts it changes, and every figure of a bench with it. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

const HASHED_BYTES = 100 * 1_048_576;
const TICK_MS = 10;
/** Of the line "cpu" in /proc/stat. */
const STOLEN_FIELD = 8;

/** How long SHA-256 over 100 MiB takes on one core. */
export function hashMs(): number {
  const bytes = Buffer.alloc(HASHED_BYTES);
  const startMs = performance.now();
  createHash("sha256").update(bytes).digest();
  return performance.now() - startMs;
}

/**
 * Time that the host has kept from this machine's cores since it started, divided by their number; undefined where the
 * system does not tell.
 */
export function stolenMs(): number | undefined {
  try {
    const [line = ""] = readFileSync("/proc/stat", "utf8").split("\n");
    return (Number(line.split(/\s+/)[STOLEN_FIELD]) * TICK_MS) / availableParallelism();
  } catch {
    return undefined;
  }
}
