import { UsageError } from "../lib/errors.ts";

/**
 * Reads a lease id as the CLI prints it: hexadecimal, 64 bits.
 *
 * @throws UsageError
 */
export function parseLeaseId(text: string): bigint {
  if (!/^(0x)?[0-9a-f]{1,16}$/i.test(text)) {
    throw new UsageError(
      `invalid lease id ${JSON.stringify(text)}`,
      "give the hexadecimal id that lease grant printed",
    );
  }
  const id = BigInt(text.toLowerCase().startsWith("0x") ? text : `0x${text}`);
  return BigInt.asIntN(64, id);
}
