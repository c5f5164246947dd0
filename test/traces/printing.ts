import {
  asV2,
  type ConfChange,
  type ConfChangeV2,
  confChangeOf,
  confChangeType,
} from "../../src/server/raft/conf-change.ts";
import {
  describeConfState,
  describeMessageType,
  describeRole,
  hex,
} from "../../src/server/raft/description.ts";
import {
  type Entry,
  entryType,
  type HardState,
  LOCAL_APPEND,
  LOCAL_APPLY,
  type Message,
  NONE,
  type Ready,
  type Snapshot,
} from "../../src/server/raft/index.ts";

/** What the traces show of a Ready and of messages (datadriven-format section 4). */

const entryNames = {
  [entryType.normal]: "EntryNormal",
  [entryType.confChange]: "EntryConfChange",
  [entryType.confChangeV2]: "EntryConfChangeV2",
};

const changeLetters = {
  [confChangeType.addNode]: "v",
  [confChangeType.addLearnerNode]: "l",
  [confChangeType.removeNode]: "r",
  [confChangeType.updateNode]: "u",
};

function printChange(change: ConfChange | ConfChangeV2): string {
  return asV2(change)
    .changes.map(({ type, nodeId }) => `${changeLetters[type]}${nodeId}`)
    .join(" ");
}

export function printEntry(entry: Entry): string {
  const text = entry.type === entryType.normal ? quote(entry.data) : printChange(confChangeOf(entry));
  return `${entry.term}/${entry.index} ${entryNames[entry.type]}${text === "" ? "" : ` ${text}`}`;
}

const escapes = new Map([
  ['"', '\\"'],
  ["\\", "\\\\"],
  ["\x07", "\\a"],
  ["\b", "\\b"],
  ["\f", "\\f"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\v", "\\v"],
]);

/** Go's %q of bytes. */
export function quote(data: Uint8Array): string {
  let text = "";
  for (let at = 0; at < data.length; ) {
    const [rune, length] = runeAt(data, at);
    text += rune === undefined ? `\\x${byteHex(data[at]!)}` : quoteRune(rune);
    at += length;
  }
  return `"${text}"`;
}

function byteHex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}

/** The character at `at` and its bytes; undefined for a byte that begins none. */
function runeAt(data: Uint8Array, at: number): [string | undefined, number] {
  for (let length = 1; length <= 4 && at + length <= data.length; length++) {
    try {
      return [
        new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data.subarray(at, at + length)),
        length,
      ];
    } catch {
      // Not a whole character: one byte more may make it one.
    }
  }
  return [undefined, 1];
}

function quoteRune(rune: string): string {
  const escaped = escapes.get(rune);
  if (escaped !== undefined) return escaped;
  if (rune === " " || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(rune)) return rune;
  const code = rune.codePointAt(0)!;
  if (code < 0x80) return `\\x${byteHex(code)}`;
  const digits = code.toString(16);
  return code < 0x1_0000 ? `\\u${digits.padStart(4, "0")}` : `\\U${digits.padStart(8, "0")}`;
}

function printTarget(id: bigint): string {
  if (id === NONE) return "None";
  if (id === LOCAL_APPEND) return "AppendThread";
  if (id === LOCAL_APPLY) return "ApplyThread";
  return hex(id);
}

/** `indent` stands before all lines but the first. */
export function printMessage(message: Message, indent = ""): string {
  const { type, from, to, entries, hardState, snapshot, responses } = message;
  const term = hardState?.term ?? message.term;
  const commit = hardState?.commit ?? message.commit;
  let text = `${printTarget(from)}->${printTarget(to)} ${describeMessageType(type)} Term:${term} Log:${message.logTerm}/${message.index}`;
  if (message.reject) text += ` Rejected (Hint: ${message.rejectHint})`;
  if (commit !== 0) text += ` Commit:${commit}`;
  if (hardState !== undefined && hardState.vote !== NONE) text += ` Vote:${hardState.vote}`;
  if (entries.length === 1) {
    text += ` Entries:[${printEntry(entries[0]!)}]`;
  } else if (entries.length > 1) {
    const lines = entries.map((entry) => `\n${indent}  ${printEntry(entry)}`);
    text += ` Entries:[${lines.join("")}\n${indent}]`;
  }
  if (snapshot !== undefined) text += `\n${indent}  Snapshot: ${printSnapshot(snapshot)}`;
  if (responses.length > 0) {
    const inner = `${indent}  `;
    const lines = responses.map((response) => `\n${inner}${printMessage(response, inner)}`);
    text += ` Responses:[${lines.join("")}\n${indent}]`;
  }
  return text;
}

function printSnapshot({ metadata }: Snapshot): string {
  const { index, term, confState } = metadata;
  return `Index:${index} Term:${term} ConfState:${describeConfState(confState)}`;
}

function printHardState({ term, vote, commit }: HardState): string {
  return `HardState Term:${term}${vote === NONE ? "" : ` Vote:${vote}`} Commit:${commit}`;
}

/** Ends with a line break, unless there is nothing in it. */
export function printReady(ready: Ready): string {
  const { softState, hardState, readStates, entries, snapshot, committedEntries, messages } = ready;
  const lines: string[] = [];
  if (softState !== undefined) {
    lines.push(`Lead:${softState.leader} State:${describeRole(softState.role)}`);
  }
  if (hardState !== undefined) lines.push(printHardState(hardState));
  if (readStates.length > 0) {
    const states = readStates.map(({ index, context }) => `{${index} [${context.join(" ")}]}`);
    lines.push(`ReadStates [${states.join(" ")}]`);
  }
  if (entries.length > 0) lines.push("Entries:", ...entries.map(printEntry));
  if (snapshot !== undefined) lines.push(`Snapshot ${printSnapshot(snapshot)}`);
  if (committedEntries.length > 0) lines.push("CommittedEntries:", ...committedEntries.map(printEntry));
  if (messages.length > 0) lines.push("Messages:", ...messages.map((message) => printMessage(message)));
  if (lines.length === 0) return "<empty Ready>";
  return `Ready MustSync=${ready.mustSync}:\n${lines.join("\n")}\n`;
}
