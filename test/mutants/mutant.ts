/** The folders below src/server whose rules are broken one at a time. */
export const areas = ["raft", "storage", "mvcc", "lease", "state", "node"] as const;
export type Area = (typeof areas)[number];

/** One broken rule: `from`, which stands in the file exactly once, is replaced by `to`. */
export interface Mutant {
  /** Its row in docs/MUTANTS.md; never given to another. */
  readonly number: number;
  /** What holds without the mutant. */
  readonly rule: string;
  /** Below the folder of its area. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** Test files that are tried first, when the one that mirrors `file` is not who should find it. */
  readonly tests?: readonly string[];
  /** Why nothing can tell this mutant from the original. It is run all the same, and must not be killed. */
  readonly equivalent?: string;
}

/** The text with the rule broken. Throws Error when `from` does not stand in it exactly once. */
export function breakRule({ number, file, from, to }: Mutant, text: string): string {
  const places = text.split(from).length - 1;
  if (places !== 1) {
    throw new Error(`mutant ${number}: its text stands ${places} times in ${file}:\n${from}`);
  }
  return text.replace(from, () => to);
}
