import { isUtf8 } from "node:buffer";

const escapes = new Map([
  ["\\", "\\\\"],
  ["\t", "\\t"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\0", "\\0"],
]);

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must be escaped
const unsafeCharacters = /[\u0000-\u001f\u007f-\u009f\\\u2028\u2029]/g;
const unsafeBytes = /[^\u0020-\u007e]|\\/g;

/**
 * Bytes as one line of text: UTF-8 as it is, with tab, newline, backslash and control characters escaped as in C,
 * so that a line of `KEY<TAB>VALUE` can always be taken apart. What is not UTF-8 gets \xNN per byte.
 */
export function toLine(bytes: Buffer): string {
  if (isUtf8(bytes)) {
    return bytes.toString("utf8").replace(unsafeCharacters, escapeCharacter);
  }
  return bytes.toString("latin1").replace(unsafeBytes, escapeCharacter);
}

function escapeCharacter(character: string): string {
  return escapes.get(character) ?? [...Buffer.from(character, "latin1")].map(hexByte).join("");
}

function hexByte(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}

/** `{name: text}`, or `{nameB64: base64}` when the bytes are not UTF-8. */
export function toJsonField<Name extends string>(name: Name, bytes: Buffer): Record<string, string> {
  return isUtf8(bytes) ? { [name]: bytes.toString("utf8") } : { [`${name}B64`]: bytes.toString("base64") };
}
