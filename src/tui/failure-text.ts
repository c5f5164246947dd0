import { plainText } from "./format.ts";

const causes: readonly (readonly [RegExp, string])[] = [
  [/ECONNREFUSED/, "connection refused"],
  [/ENOTFOUND|Name resolution failed/, "unknown host name"],
  [/EAI_AGAIN/, "host name not resolved"],
  [/ECONNRESET|reset the call|Connection dropped/, "connection closed"],
  [/ETIMEDOUT|no connection within/, "no connection in time"],
  [/EHOSTUNREACH|ENETUNREACH/, "no route to the host"],
];
const textLengthMax = 120;

/** Why a call failed, in the few words that a line has room for. */
export function failureText(error: Error): string {
  if ("code" in error && error.code === "DEADLINE_EXCEEDED") return "no answer in time";
  for (const [pattern, text] of causes) if (pattern.test(error.message)) return text;
  return plainText(error.message.replace(/^etcdserver: /, "")).slice(0, textLengthMax);
}
