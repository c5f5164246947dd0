import { createHash } from "node:crypto";
import type {
  CallContext,
  DuplexStream,
  MethodHandler,
  MethodTable,
  ServerStream,
} from "../../src/server/api/index.ts";

/** The header that tells which call of the test a call is. */
export const CALL_ID = "call-id";

/** What the handler of one call was given, in the order it was given. */
export interface HandlerView {
  readonly metadata: readonly string[];
  readonly timeout: string;
  readonly isPeerNamed: boolean;
  readonly events: readonly string[];
}

/** The tests' own note of one call. */
export class CallRecord {
  readonly events: string[] = [];
  readonly context: CallContext;
  /** The handler ended it, or was told that it is over. */
  isOver = false;
  readonly #listeners = new Set<() => void>();

  constructor(context: CallContext) {
    this.context = context;
    context.onCancel(() => {
      this.isOver = true;
      this.note("told of the cancel");
    });
  }

  note(event: string): void {
    this.events.push(event);
    for (const listener of this.#listeners) listener();
  }

  finished(how: string): void {
    this.isOver = true;
    this.note(how);
  }

  onNote(fn: () => void): () => void {
    this.#listeners.add(fn);
    return () => this.#listeners.delete(fn);
  }

  view(): HandlerView {
    const { metadata, timeoutMs, peer } = this.context;
    return {
      metadata: [...metadata.entries()]
        .filter(([key]) => key !== CALL_ID)
        .map(([key, value]) => `${key}: ${value}`)
        .sort(),
      timeout: timeoutMs === undefined ? "none" : timeoutWord(timeoutMs, metadata.get("grpc-timeout")),
      isPeerNamed: /^(127\.0\.0\.1|::1|::ffff:127\.0\.0\.1):\d+$/.test(peer),
      events: this.events,
    };
  }
}

/** Milliseconds on the wire are counted down while a call is on its way; what must hold is the range. */
function timeoutWord(timeoutMs: number, header: string | undefined): string {
  if (timeoutMs < 0 || !Number.isFinite(timeoutMs)) return `impossible: ${timeoutMs}`;
  const unitMs: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };
  const unit = unitMs[header?.at(-1) ?? ""];
  if (header === undefined || unit === undefined) return `given without a header: ${timeoutMs}`;
  // Microseconds and less are rounded by some up to a whole millisecond.
  return timeoutMs <= Number.parseInt(header, 10) * unit + 1 ? "within the header's" : `beyond ${header}`;
}

export function describeMessage(message: Buffer): string {
  if (message.length <= 24) return message.toString("hex");
  return `${message.length} bytes ${createHash("sha1").update(message).digest("hex").slice(0, 12)}`;
}

/** Puts a notary between a transport and its handlers. */
export class CallRecords {
  readonly #records = new Map<string, CallRecord>();
  readonly #waiting = new Map<string, () => void>();
  /** Calls that handlers were given and that are not over. */
  openCalls = 0;
  openedCalls = 0;

  get(id: string): CallRecord | undefined {
    return this.#records.get(id);
  }

  /** Runs `fn` when the call `id` comes to a handler; at once when it has. */
  onOpen(id: string, fn: () => void): void {
    if (this.#records.has(id)) fn();
    else this.#waiting.set(id, fn);
  }

  forget(id: string): void {
    this.#records.delete(id);
    this.#waiting.delete(id);
  }

  recorded(methods: MethodTable): MethodTable {
    return new Map([...methods].map(([path, handler]) => [path, this.#recorded(handler)]));
  }

  #recorded(handler: MethodHandler): MethodHandler {
    switch (handler.kind) {
      case "unary":
        return {
          kind: "unary",
          handle: (request, context) => {
            const record = this.#open(context);
            record.note(`message ${describeMessage(request)}`);
            let answer: ReturnType<typeof handler.handle>;
            try {
              answer = handler.handle(request, context);
            } catch (error) {
              record.finished("threw");
              throw error;
            }
            if (Buffer.isBuffer(answer)) {
              record.finished("answered");
              return answer;
            }
            return answer.then(
              (message) => {
                record.finished("answered");
                return message;
              },
              (error) => {
                record.finished("rejected");
                throw error;
              },
            );
          },
        };
      case "serverStream":
        return {
          kind: "serverStream",
          handle: (request, stream) => {
            const record = this.#open(stream.context);
            record.note(`message ${describeMessage(request)}`);
            guarded(record, () => handler.handle(request, recordedEnd(stream, record)));
          },
        };
      case "duplex":
        return {
          kind: "duplex",
          handle: (stream) => {
            const record = this.#open(stream.context);
            guarded(record, () => handler.handle(new RecordedStream(stream, record)));
          },
        };
    }
  }

  #open(context: CallContext): CallRecord {
    const record = new CallRecord(context);
    this.openedCalls++;
    this.openCalls++;
    const stop = record.onNote(() => {
      if (!record.isOver) return;
      this.openCalls--;
      stop();
    });
    if (record.isOver) {
      this.openCalls--;
      stop();
    }
    const id = context.metadata.get(CALL_ID);
    if (id === undefined) return record;
    const earlier = this.#records.get(id);
    if (earlier !== undefined) earlier.note("the same call came again");
    else this.#records.set(id, record);
    this.#waiting.get(id)?.();
    return record;
  }
}

function guarded(record: CallRecord, run: () => void): void {
  try {
    run();
  } catch (error) {
    record.finished("threw");
    throw error;
  }
}

/** The stream with its end noted; everything else goes straight through. */
function recordedEnd(stream: ServerStream, record: CallRecord): ServerStream {
  return {
    context: stream.context,
    send: (message) => noteBlocked(stream.send(message), record),
    get queuedBytes() {
      return stream.queuedBytes;
    },
    get queuedMessages() {
      return stream.queuedMessages;
    },
    onDrain: (fn) => stream.onDrain(fn),
    end: (error) => {
      if (!record.isOver) record.finished(error === undefined ? "ended" : "ended with an error");
      stream.end(error);
    },
  };
}

/** Fast readers may block a sender or not, as chance has it; only those that wait for it look at this one. */
function noteBlocked(isTaken: boolean, record: CallRecord): boolean {
  if (!isTaken && !record.isOver && !record.events.includes(BLOCKED)) record.note(BLOCKED);
  return isTaken;
}

/** The note that `send` said false. Left out of what is compared. */
export const BLOCKED = "blocked";

class RecordedStream implements DuplexStream {
  readonly #stream: DuplexStream;
  readonly #record: CallRecord;
  readonly #base: ServerStream;

  constructor(stream: DuplexStream, record: CallRecord) {
    this.#stream = stream;
    this.#record = record;
    this.#base = recordedEnd(stream, record);
  }

  get context(): CallContext {
    return this.#stream.context;
  }

  get queuedBytes(): number {
    return this.#stream.queuedBytes;
  }

  get queuedMessages(): number {
    return this.#stream.queuedMessages;
  }

  send(message: Buffer): boolean {
    return this.#base.send(message);
  }

  onDrain(fn: () => void): void {
    this.#stream.onDrain(fn);
  }

  end(error?: Error): void {
    this.#base.end(error);
  }

  onMessage(fn: (message: Buffer) => void): void {
    this.#stream.onMessage((message) => {
      this.#record.note(`message ${describeMessage(message)}`);
      guarded(this.#record, () => fn(message));
    });
  }

  onHalfClose(fn: () => void): void {
    this.#stream.onHalfClose(() => {
      this.#record.note("half-closed");
      guarded(this.#record, fn);
    });
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }
}
