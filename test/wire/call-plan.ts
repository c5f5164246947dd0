/** One thing that a caller does with its call. Waits end early when the call is over. */
export type Step =
  /** Bytes of the body, in as many DATA frames as there are pieces. */
  | { readonly do: "send"; readonly pieces: readonly Buffer[] }
  /** The last bytes, with END_STREAM; none: an empty DATA frame with it. */
  | { readonly do: "finish"; readonly bytes?: Buffer }
  | { readonly do: "reset"; readonly code: number }
  /** Until this many messages have come back. */
  | { readonly do: "await messages"; readonly count: number }
  /** Until the handler's notes say this. */
  | { readonly do: "await note"; readonly starts: string }
  /** A unary call beside this one, on the same connection; when it goes well, until this many messages have come back. */
  | { readonly do: "aside"; readonly path: string; readonly body: Buffer; readonly count: number }
  /** Reads the answer from here on; without it, from the start. */
  | { readonly do: "read" };

interface PlanBase {
  readonly name: string;
  readonly path: string;
  /** Calls on the store go one after the other, so that both stores take the same road. */
  readonly isOfStore: boolean;
  /** A race between call and cancel: a handler that never saw it is as good as one that was told of the cancel. */
  readonly isRace: boolean;
}

/** A call by bare HTTP/2. */
export interface RawPlan extends PlanBase {
  readonly via: "http2";
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly steps: readonly Step[];
  /** Has a connection to itself: it may end it, or fill its window. */
  readonly isAlone: boolean;
  /** Its answer holds the time of day: the lengths of its messages are compared, not their bytes. */
  readonly isClocked: boolean;
}

/** A call by @grpc/grpc-js, as its users make it. */
export interface ClientPlan extends PlanBase {
  readonly via: "grpc-js";
  readonly kind: "unary" | "serverStream" | "duplex";
  readonly metadata: readonly (readonly [key: string, value: string])[];
  readonly messages: readonly Buffer[];
  readonly deadlineMs: number | undefined;
  /** Cancels once the handler's notes say this. */
  readonly cancelAt: string | undefined;
}

export type CallPlan = RawPlan | ClientPlan;

export function printedPlan(plan: CallPlan): string {
  return JSON.stringify(plan, (_key, value: unknown) => {
    if (typeof value === "string" && value.length > 120) return `${value.slice(0, 100)}… (${value.length})`;
    if (typeof value !== "object" || value === null || !("type" in value) || value.type !== "Buffer")
      return value;
    const bytes = Buffer.from((value as unknown as { data: number[] }).data);
    return bytes.length > 64
      ? `${bytes.toString("hex", 0, 48)}… (${bytes.length} bytes)`
      : bytes.toString("hex");
  });
}
