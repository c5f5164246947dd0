import { Box, Text, type TextProps } from "ink";
import type { StyledLine, Tone } from "../styled-line.ts";

const styles: Record<Tone, TextProps> = {
  good: { color: "green" },
  warning: { color: "yellow" },
  bad: { color: "red" },
  dim: { dimColor: true },
  accent: { color: "cyan" },
  title: { bold: true },
};
const oldStyle: TextProps = { dimColor: true };

/** Lines below each other. What is old is grey, whatever it means. */
export function Lines({ lines, isOld }: { readonly lines: readonly StyledLine[]; readonly isOld: boolean }) {
  return (
    <Box flexDirection="column" flexShrink={0}>
      {lines.map((line, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a row of the screen is its position
        <Line key={row} line={line} isOld={isOld} />
      ))}
    </Box>
  );
}

function Line({ line, isOld }: { readonly line: StyledLine; readonly isOld: boolean }) {
  return (
    <Text wrap="truncate-end">
      {line.map(({ text, tone }, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a piece of a line is its position
        <Text key={at} {...(isOld ? oldStyle : tone === undefined ? {} : styles[tone])}>
          {text}
        </Text>
      ))}
    </Text>
  );
}
