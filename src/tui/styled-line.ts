/** What a piece of text means; the screen chooses the colour. */
export type Tone = "good" | "warning" | "bad" | "dim" | "accent" | "title";

export interface Segment {
  readonly text: string;
  readonly tone?: Tone;
}

/** One line of the screen. */
export type StyledLine = readonly Segment[];

export function plain(text: string): StyledLine {
  return [{ text }];
}

export function toned(text: string, tone: Tone | undefined): Segment {
  return tone === undefined ? { text } : { text, tone };
}

const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Extended_Pictographic}/u;
/** Drawn one column wide by terminals, whatever their other properties. */
const narrow = /[\u2190-\u27bf]/u;
const noWidth = /[\p{Mn}\p{Me}\u200b-\u200d]/u;

/** Columns that one character takes on a terminal. */
function characterWidth(character: string): number {
  if (character <= "\u00ff") return 1;
  if (noWidth.test(character)) return 0;
  return wide.test(character) && !narrow.test(character) ? 2 : 1;
}

/** Columns that a text takes on a terminal. */
export function textWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** The text in exactly `width` columns: padded with blanks, or cut with an ellipsis. */
export function toWidth(text: string, width: number, align: "left" | "right" = "left"): string {
  const own = textWidth(text);
  if (own <= width) {
    const blanks = " ".repeat(width - own);
    return align === "left" ? text + blanks : blanks + text;
  }
  if (width <= 0) return "";
  let kept = "";
  let used = 0;
  for (const character of text) {
    const next = used + characterWidth(character);
    if (next > width - 1) break;
    kept += character;
    used = next;
  }
  return `${kept}…${" ".repeat(width - 1 - used)}`;
}

export function lineWidth(line: StyledLine): number {
  return line.reduce((sum, { text }) => sum + textWidth(text), 0);
}

/** The line in exactly `width` columns. */
export function fitLine(line: StyledLine, width: number): StyledLine {
  const fitted: Segment[] = [];
  let left = width;
  for (const segment of line) {
    const own = textWidth(segment.text);
    if (own > left) {
      if (left > 0) fitted.push({ ...segment, text: toWidth(segment.text, left) });
      return fitted;
    }
    fitted.push(segment);
    left -= own;
  }
  return left > 0 ? [...fitted, { text: " ".repeat(left) }] : fitted;
}

/** `left` and `right` at the two ends of a line of `width` columns; the left gives way. */
export function spread(left: StyledLine, right: StyledLine, width: number): StyledLine {
  const rightWidth = lineWidth(right);
  if (rightWidth >= width) return fitLine(right, width);
  return [...fitLine(left, width - rightWidth), ...right];
}
