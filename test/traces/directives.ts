/** The file format of data-driven tests (datadriven-format section 1). */
export interface Argument {
  readonly key: string;
  /** One per value: none in `key`, one empty in `key=`, several in `key=(a,b)`. */
  readonly values: readonly string[];
}

export interface Directive {
  readonly command: string;
  readonly args: readonly Argument[];
  /** What stands before the line of dashes, trimmed. */
  readonly input: string;
  /** Ends with a line break, unless it is empty. */
  readonly expected: string;
  /** Line of the command, from 1. */
  readonly line: number;
  /** Lines from the command to the line of dashes, that one included, as they stand in the file. */
  readonly head: readonly string[];
}

/** A file: directives, and between them the lines that say nothing to the machine. */
export type Section = { readonly text: string } | { readonly directive: Directive };

const SEPARATOR = "----";

/** Throws Error with the number of a line that does not fit. */
export function parseDirectives(text: string): Section[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const sections: Section[] = [];
  let at = 0;
  while (at < lines.length) {
    const start = at;
    let command = lines[at++]!.trim();
    if (command === "" || command.startsWith("#")) {
      sections.push({ text: lines[start]! });
      continue;
    }
    while (command.endsWith("\\") && at < lines.length) {
      command = `${command.slice(0, -1).trim()} ${lines[at++]!.trim()}`;
    }
    const inputStart = at;
    while (at < lines.length && lines[at] !== SEPARATOR) at++;
    if (at === lines.length) throw new Error(`line ${start + 1}: no ${SEPARATOR} after the directive`);
    const input = lines.slice(inputStart, at).join("\n").trim();
    at++;
    const head = lines.slice(start, at);
    const output: string[] = [];
    if (lines[at] === SEPARATOR) {
      // Blank lines belong to the output: it ends with two lines of dashes and a blank one.
      at++;
      while (!(lines[at] === SEPARATOR && lines[at + 1] === SEPARATOR)) {
        if (at >= lines.length) throw new Error(`line ${start + 1}: the output has no end`);
        output.push(lines[at++]!);
      }
      at += 2;
    } else {
      while (at < lines.length && lines[at]!.trim() !== "") output.push(lines[at++]!);
    }
    sections.push({
      directive: {
        ...parseCommand(command, start + 1),
        input,
        expected: output.map((line) => `${line}\n`).join(""),
        line: start + 1,
        head,
      },
    });
  }
  return sections;
}

function parseCommand(text: string, line: number): Pick<Directive, "command" | "args"> {
  const space = text.search(/\s/);
  if (space < 0) return { command: text, args: [] };
  return { command: text.slice(0, space), args: parseArguments(text.slice(space), line) };
}

function parseArguments(text: string, line: number): Argument[] {
  const args: Argument[] = [];
  let rest = text.trim();
  while (rest !== "") {
    const key = /^[^\s=]*/.exec(rest)![0];
    rest = rest.slice(key.length);
    const values: string[] = [];
    if (rest.startsWith("=(")) {
      const end = closingAt(rest, 1);
      if (end < 0) throw new Error(`line ${line}: unbalanced parentheses`);
      values.push(...splitList(rest.slice(2, end)));
      rest = rest.slice(end + 1);
    } else if (rest.startsWith("=")) {
      const value = /^[^\s]*/.exec(rest.slice(1))![0];
      values.push(value);
      rest = rest.slice(1 + value.length);
    }
    args.push({ key, values });
    rest = rest.trimStart();
  }
  return args;
}

/** Where the parenthesis that opens at `open` is closed; -1: nowhere. */
function closingAt(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === "(") depth++;
    else if (text[at] === ")" && --depth === 0) return at;
  }
  return -1;
}

/** Splits at the commas outside of parentheses. */
function splitList(text: string): string[] {
  if (text.trim() === "") return [];
  const values: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at <= text.length; at++) {
    if (at === text.length || (text[at] === "," && depth === 0)) {
      values.push(text.slice(start, at).trim());
      start = at + 1;
    } else if (text[at] === "(") depth++;
    else if (text[at] === ")") depth--;
  }
  return values;
}

/** The file with these outputs in place of the expected ones. */
export function formatDirectives(
  sections: readonly Section[],
  outputOf: (directive: Directive) => string,
): string {
  const lines: string[] = [];
  for (const section of sections) {
    if ("text" in section) {
      lines.push(section.text);
      continue;
    }
    lines.push(...section.directive.head);
    const output = outputOf(section.directive).split("\n").slice(0, -1);
    if (output.some((line) => line.trim() === "")) {
      lines.push(SEPARATOR, ...output, SEPARATOR, SEPARATOR);
    } else {
      lines.push(...output);
    }
  }
  return `${lines.join("\n")}\n`;
}
