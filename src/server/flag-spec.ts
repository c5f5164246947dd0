/** How the text of a flag is read. "duration" is Go's ("1h30m", "500ms"); "urls" and "list" are comma lists. */
export type FlagType = "string" | "boolean" | "integer" | "duration" | "urls" | "list" | "choice";

/**
 * What this version does with a flag. "served": all of it. "inert": nothing depends on it yet, so a value other than
 * the default is answered with a warning. "refused": to ignore it would be unsafe or a lie, so a value other than
 * the default stops the start. "legacy": etcd itself ignores it, whatever its value.
 */
export type FlagSupport = "served" | "inert" | "refused" | "legacy";

export interface FlagSpec {
  /** Without dashes. Environment: METASTORE_NAME, and ETCD_NAME for etcd's flags (dashes as underscores). */
  readonly name: string;
  /** "metastore": the short flags, ours alone. "etcd": the flag exists in etcd, with this meaning. */
  readonly family: "metastore" | "etcd";
  readonly type: FlagType;
  readonly choices?: readonly string[];
  /** In the flag's own notation; "" = none. */
  readonly default: string;
  /** One line for --help; units included. */
  readonly help: string;
  readonly group: "MEMBER" | "CLUSTER" | "LIMITS" | "SECURITY" | "LOGGING" | "STORAGE";
  readonly support: FlagSupport;
  /** For "inert" and "refused": why, as the end of a sentence. */
  readonly reason?: string;
}

/** Environment variables of a flag, the first that is set wins. */
export function environmentNames(flag: FlagSpec): readonly string[] {
  const suffix = flag.name.toUpperCase().replaceAll("-", "_");
  return flag.family === "etcd" ? [`METASTORE_${suffix}`, `ETCD_${suffix}`] : [`METASTORE_${suffix}`];
}
