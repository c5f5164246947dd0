/** What the commands share: the output contract, flags, errors and exit codes, and the entry that bin/ calls. */
export { BaseCommand, type Connected, ConnectedCommand } from "./base-command.ts";
export { toJsonField, toLine } from "./bytes-text.ts";
export { formatDuration, parseDuration } from "./duration.ts";
export { causeText } from "./error-report.ts";
export { CommandError, ExitWith, exitCode, exitCodeMeanings } from "./exit-codes.ts";
export { joinGuide, shellWord } from "./join-guide.ts";
export { type FoundLeader, findLeader } from "./leader.ts";
export { parseLeaseId } from "./lease-id.ts";
export { MemberChangeCommand, memberArg } from "./member-command.ts";
export { findMember, hasStarted, memberLabel, parsePeerUrls, toMemberRecord } from "./members.ts";
export { type Output, wantsColor } from "./output.ts";
export { type JsonRecord, toEventRecord, toHexId, toPutRecord } from "./record.ts";
export {
  alarmRecord,
  alarmText,
  type SnapshotFacts,
  snapshotLine,
  snapshotRecord,
  snapshotRows,
} from "./snapshot-facts.ts";
export { readInput } from "./stdin.ts";
export { formatSize } from "./table.ts";
export { keyArg, parseWhole, targetFlags, toTarget, wholeFlag } from "./target.ts";
export { parseTxn, type TxnFormat } from "./txn-document.ts";
export { toTxnRequest } from "./txn-spec.ts";
export { WatchPrinter } from "./watch-printer.ts";
