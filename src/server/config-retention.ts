import { UsageError } from "../lib/errors.ts";
import { parseDurationMs, parseInteger, type RawValue } from "./config-values.ts";

/** What automatic compaction keeps. */
export type AutoCompaction =
  | { readonly kind: "off" }
  | { readonly kind: "periodic"; readonly retentionMs: number }
  | { readonly kind: "revision"; readonly retentionRevisions: number };

const hourMs = 3_600_000;
/** A hundred years: more is a typing error. */
const hoursMax = 876_000;

/**
 * --auto-compaction-retention: hours or a duration in mode "periodic", a number of revisions in mode "revision"; 0 is
 * off. Negative numbers are refused: they once made etcd compact in a loop. Throws UsageError.
 */
export function parseAutoCompaction(mode: string, retention: RawValue): AutoCompaction {
  const isPlainNumber = /^[+-]?\d+$/.test(retention.text);
  if (mode === "revision") {
    if (!isPlainNumber) {
      throw new UsageError(
        `${retention.source}: ${JSON.stringify(retention.text)} is no number of revisions`,
        "write a plain number, or --auto-compaction-mode=periodic for a time",
      );
    }
    const retentionRevisions = parseInteger(retention, { min: 0, max: Number.MAX_SAFE_INTEGER });
    return retentionRevisions === 0 ? { kind: "off" } : { kind: "revision", retentionRevisions };
  }
  const retentionMs = isPlainNumber
    ? parseInteger(retention, { min: 0, max: hoursMax }) * hourMs
    : parseDurationMs(retention);
  return retentionMs === 0 ? { kind: "off" } : { kind: "periodic", retentionMs };
}
