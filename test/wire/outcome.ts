import type { CallPlan } from "./call-plan.ts";
import { BLOCKED, type CallRecord, type HandlerView } from "./call-records.ts";

/** All that can be seen of one call, from both of its ends. */
export interface Outcome {
  /** What the caller saw; by name, so that a difference can be named. */
  readonly caller: Readonly<Record<string, unknown>>;
  readonly handler: HandlerView | "not called" | "not called, or told of the cancel";
}

export function handlerOutcome(plan: CallPlan, record: CallRecord | undefined): Outcome["handler"] {
  if (plan.isRace && (record === undefined || record.context.isCancelled)) {
    return "not called, or told of the cancel";
  }
  if (record === undefined) return "not called";
  const view = record.view();
  const events = view.events.filter((event) => event !== BLOCKED);
  if (!record.isOver) events.push("never ended");
  if (record.context.isCancelled !== events.includes("told of the cancel")) {
    events.push(`isCancelled is ${record.context.isCancelled}`);
  }
  // A client counts its deadline down before it sends it.
  const metadata =
    plan.via === "grpc-js"
      ? view.metadata.map((line) => line.replace(/^grpc-timeout: .*/, "grpc-timeout: counted down"))
      : view.metadata;
  return { ...view, metadata, events };
}

export interface Difference {
  readonly field: string;
  readonly left: string;
  readonly right: string;
}

export function differencesOf(left: Outcome, right: Outcome): Difference[] {
  const [a, b] = [flattened(left), flattened(right)];
  return [...new Set([...a.keys(), ...b.keys()])]
    .filter((field) => a.get(field) !== b.get(field))
    .map((field) => ({ field, left: a.get(field) ?? "(nothing)", right: b.get(field) ?? "(nothing)" }));
}

function flattened(outcome: Outcome): Map<string, string> {
  const fields = new Map<string, string>();
  for (const [name, value] of Object.entries(outcome.caller)) {
    if (value !== undefined) fields.set(`caller.${name}`, JSON.stringify(value));
  }
  if (typeof outcome.handler === "string") fields.set("handler", outcome.handler);
  else {
    for (const [name, value] of Object.entries(outcome.handler)) {
      fields.set(`handler.${name}`, JSON.stringify(value));
    }
  }
  return fields;
}

/** `grpc-message` as text: percent-decoded, whatever of it is escaped. */
export function decodedText(value: unknown): string {
  const text = String(value);
  try {
    return decodeURIComponent(text);
  } catch {
    return `not percent-encoded UTF-8: ${text}`;
  }
}
