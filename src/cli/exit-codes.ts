/** What the process exits with; `metastore help exit-codes` prints this table. */
export const exitCode = {
  ok: 0,
  runtime: 1,
  usage: 2,
  notFound: 3,
  unavailable: 4,
  forbidden: 5,
  conditionFailed: 6,
  noSpace: 7,
  compacted: 8,
  partial: 9,
  assertion: 70,
  storageFailure: 74,
  interrupted: 130,
} as const;
export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

export const exitCodeMeanings: readonly (readonly [ExitCode, string])[] = [
  [exitCode.ok, "success"],
  [exitCode.runtime, "the command failed for a reason without a code of its own"],
  [exitCode.usage, "wrong flags or arguments; nothing was sent"],
  [exitCode.notFound, "the key, lease or member does not exist"],
  [exitCode.unavailable, "no server could be reached, or none answered within --timeout"],
  [exitCode.forbidden, "the user is unknown, the password wrong or the permission missing"],
  [exitCode.conditionFailed, "an --if-* condition or a transaction without else block did not hold"],
  [exitCode.noSpace, "the storage quota is reached or an alarm is raised"],
  [exitCode.compacted, "the revision asked for has been compacted"],
  [exitCode.partial, "some members answered and some did not or are unhealthy"],
  [exitCode.assertion, "a defect in MetaStore itself"],
  [exitCode.storageFailure, "a disk failed, or data or a snapshot is damaged"],
  [exitCode.interrupted, "interrupted by Ctrl-C"],
];

/** Ends a command with a code of its own after it has printed all there is to say. */
export class ExitWith extends Error {
  override readonly name = "ExitWith";
  readonly exitCode: ExitCode;

  constructor(code: ExitCode) {
    super(`exit with ${code}`);
    this.exitCode = code;
  }
}

/** A failure that the command itself found: no such key, a condition that did not hold. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: ExitCode;
  /** The name in JSON errors. */
  readonly code: string;
  /** What to do next; undefined when there is nothing to suggest. */
  readonly hint: string | undefined;

  constructor(code: string, exit: ExitCode, message: string, hint?: string) {
    super(message);
    this.code = code;
    this.exitCode = exit;
    this.hint = hint;
  }
}
