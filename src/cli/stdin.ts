import { readFile } from "node:fs/promises";
import { UsageError } from "../lib/errors.ts";

/** Everything that comes in on `stream` (process.stdin), to its end, as bytes. */
export async function readAll(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/**
 * The bytes of a file that a flag or argument named; "-" is stdin.
 *
 * @throws UsageError when the file cannot be read
 */
export async function readInput(path: string): Promise<Buffer> {
  if (path === "-") return readAll(process.stdin);
  try {
    return await readFile(path);
  } catch (error) {
    throw new UsageError(
      `cannot read ${path}: ${(error as Error).message}`,
      "check the path and its permissions",
    );
  }
}
