import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import type { RawPlan, Step } from "./call-plan.ts";
import { CALL_ID, type CallRecord, type CallRecords, describeMessage } from "./call-records.ts";
import { decodedText, handlerOutcome, type Outcome } from "./outcome.ts";
import { HANDLER_PATIENCE_MS, happened, PATIENCE_MS } from "./patience.ts";
import { SYNTHETIC } from "./synthetic-methods.ts";
import { grpcHeaders } from "./synthetic-plans.ts";

const emptyMessage = Buffer.alloc(5);
const SHARED_SESSIONS = 3;

/** Makes calls by bare HTTP/2 and sees every part of the answer. */
export class Http2Caller {
  readonly #origin: string;
  readonly #records: CallRecords;
  readonly #shared: (ClientHttp2Session | undefined)[] = Array.from({ length: SHARED_SESSIONS });
  #turn = 0;

  constructor(port: number, records: CallRecords) {
    this.#origin = `http://127.0.0.1:${port}`;
    this.#records = records;
  }

  close(): void {
    for (const session of this.#shared) session?.destroy();
  }

  async call(plan: RawPlan, id: string): Promise<Outcome> {
    const session = plan.isAlone ? this.#connect() : this.#sharedSession();
    try {
      return await new Http2Call(plan, id, session, this.#records).outcome();
    } finally {
      if (plan.isAlone) session.destroy();
    }
  }

  #sharedSession(): ClientHttp2Session {
    const slot = this.#turn++ % SHARED_SESSIONS;
    const session = this.#shared[slot];
    if (session !== undefined && !session.closed && !session.destroyed) return session;
    const fresh = this.#connect();
    this.#shared[slot] = fresh;
    return fresh;
  }

  #connect(): ClientHttp2Session {
    const session = connect(this.#origin);
    session.setMaxListeners(0);
    session.on("error", () => {}); // calls see it as their own end
    return session;
  }
}

class Http2Call {
  readonly #plan: RawPlan;
  readonly #id: string;
  readonly #session: ClientHttp2Session;
  readonly #records: CallRecords;
  readonly #caller: Record<string, unknown> = {};
  readonly #messages: string[] = [];
  readonly #inVain: string[] = [];
  readonly #changed = new Set<() => void>();
  #unread: Buffer = Buffer.alloc(0);
  /** Messages that a step has waited for: those of a call that is reset later are no matter of chance. */
  #awaited = 0;
  #isClosed = false;
  #isAnswered = false;
  #hasReset = false;
  #stream: ClientHttp2Stream | undefined;

  constructor(plan: RawPlan, id: string, session: ClientHttp2Session, records: CallRecords) {
    this.#plan = plan;
    this.#id = id;
    this.#session = session;
    this.#records = records;
  }

  async outcome(): Promise<Outcome> {
    const stream = this.#open();
    if (stream !== undefined) {
      for (const step of this.#plan.steps) {
        if (this.#isClosed) break;
        await this.#take(step, stream);
      }
      await this.#end(stream);
    }
    return { caller: this.#seen(), handler: await this.#handler() };
  }

  #open(): ClientHttp2Stream | undefined {
    const { path, headers, steps } = this.#plan;
    const endStream = steps.length === 0;
    const all: OutgoingHttpHeaders = { ":method": "POST", ":path": path, [CALL_ID]: this.#id };
    for (const [name, value] of Object.entries(headers)) {
      all[name] = typeof value === "string" ? value : [...value];
    }
    let stream: ClientHttp2Stream;
    try {
      stream = this.#session.request(all, { endStream });
    } catch (error) {
      this.#caller["refusedByClient"] = String(error);
      return undefined;
    }
    this.#stream = stream;
    stream.on("error", () => {}); // the code of the reset tells it
    stream.on("response", (answer, flags) => {
      this.#caller["status"] = answer[":status"];
      this.#caller["contentType"] = answer["content-type"];
      this.#note("headers", answer);
      if ((flags & 1) !== 0) this.#caller["isTrailersOnly"] = true;
    });
    stream.on("trailers", (trailers) => this.#note("trailers", trailers));
    stream.on("end", () => {
      this.#isAnswered = true;
      this.#tell();
    });
    stream.on("close", () => {
      this.#isClosed = true;
      this.#tell();
    });
    if (steps.every((step) => step.do !== "read")) this.#read(stream);
    return stream;
  }

  #read(stream: ClientHttp2Stream): void {
    stream.on("data", (chunk: Buffer) => {
      this.#unread = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
      while (this.#unread.length >= 5) {
        const length = this.#unread.readUInt32BE(1);
        if (this.#unread.length < 5 + length) break;
        const message = this.#unread.subarray(5, 5 + length);
        const content = this.#plan.isClocked ? `${length} bytes` : describeMessage(message);
        this.#messages.push(`${this.#unread[0]} ${content}`);
        this.#unread = this.#unread.subarray(5 + length);
      }
      this.#tell();
    });
  }

  async #take(step: Step, stream: ClientHttp2Stream): Promise<void> {
    switch (step.do) {
      case "send":
        for (const piece of step.pieces) stream.write(piece);
        return;
      case "finish":
        if (step.bytes === undefined) stream.end();
        else stream.end(step.bytes);
        return;
      case "reset":
        this.#hasReset = true;
        stream.close(step.code);
        return;
      case "read":
        this.#read(stream);
        return;
      case "await messages":
        this.#awaited = Math.max(this.#awaited, step.count);
        return this.#until(
          `${step.count} messages`,
          () => this.#isAnswered || this.#messages.length >= step.count,
        );
      case "aside":
        if ((await this.#aside(step.path, step.body)) !== "0") return;
        return this.#take({ do: "await messages", count: step.count }, stream);
      case "await note": {
        const isNoted = (record: CallRecord | undefined): boolean =>
          record?.events.some((event) => event.startsWith(step.starts)) === true;
        this.#records.onOpen(this.#id, () => {
          this.#records.get(this.#id)?.onNote(() => this.#tell());
          this.#tell();
        });
        return this.#until(step.starts, () => this.#isAnswered || isNoted(this.#records.get(this.#id)));
      }
    }
  }

  /** The end of the stream; a caller that has not finished its own side is let go by the server or lets go itself. */
  async #end(stream: ClientHttp2Stream): Promise<void> {
    await this.#until("the end", () => this.#isAnswered);
    if (this.#isClosed) return;
    if (this.#isAnswered && !stream.writableEnded && !this.#hasReset) {
      await this.#fence();
      this.#caller["isLetGo"] = this.#isClosed;
      stream.close(8);
    } else if (!this.#isAnswered) stream.close(8);
    await this.#until("the close", () => this.#isClosed);
  }

  #seen(): Record<string, unknown> {
    // Whether an answer comes before a cancel is chance.
    if (this.#hasReset) return { messages: this.#messages.slice(0, this.#awaited), inVain: this.#inVain };
    return {
      ...this.#caller,
      messages: this.#messages,
      ...(this.#unread.length > 0 ? { halfMessage: this.#unread.toString("hex", 0, 32) } : {}),
      ...(this.#stream === undefined || this.#caller["isLetGo"] === false
        ? {}
        : { resetCode: this.#stream.rstCode }),
      inVain: this.#inVain,
    };
  }

  /** What the handler saw, once it knows the end; a call that came to none is known by a later one that did. */
  async #handler(): Promise<Outcome["handler"]> {
    if (this.#records.get(this.#id) === undefined) await this.#fence();
    const record = this.#records.get(this.#id);
    if (record !== undefined && !record.isOver) {
      await happened((done) => record.onNote(() => record.isOver && done()), HANDLER_PATIENCE_MS);
    }
    const outcome = handlerOutcome(this.#plan, record);
    this.#records.forget(this.#id);
    return outcome;
  }

  /** A whole call on the same connection: what was sent before it has been taken by the server when it is answered. */
  async #fence(): Promise<void> {
    await this.#aside(`${SYNTHETIC}/EchoLater`, emptyMessage);
  }

  /** The grpc-status of a unary call on the same connection. */
  async #aside(path: string, body: Buffer): Promise<unknown> {
    let status: unknown;
    const came = await happened((done) => {
      if (this.#session.closed || this.#session.destroyed) return done();
      const stream = this.#session.request({ ":method": "POST", ":path": path, ...grpcHeaders });
      const note = (fields: IncomingHttpHeaders): void => {
        status = fields["grpc-status"] ?? status;
      };
      stream.on("response", note);
      stream.on("trailers", note);
      stream.on("error", () => {});
      stream.on("close", done);
      stream.resume();
      stream.end(body);
    });
    if (!came) this.#inVain.push(`waited in vain for ${path} beside the call`);
    return status;
  }

  #note(part: "headers" | "trailers", fields: IncomingHttpHeaders): void {
    const rest: string[] = [];
    for (const [name, value] of Object.entries(fields)) {
      if (name === "grpc-status") this.#caller["grpcStatus"] = value;
      else if (name === "grpc-message") this.#caller["grpcMessage"] = decodedText(value);
      else if (![":status", "content-type", "date"].includes(name)) rest.push(`${name}: ${value}`);
    }
    if (rest.length > 0) this.#caller[part] = rest.sort();
  }

  #tell(): void {
    for (const listener of this.#changed) listener();
  }

  async #until(what: string, isTrue: () => boolean): Promise<void> {
    const isDone = (): boolean => this.#isClosed || isTrue();
    if (isDone()) return;
    let listener: (() => void) | undefined;
    const came = await happened((done) => {
      listener = () => isDone() && done();
      this.#changed.add(listener);
    }, PATIENCE_MS);
    if (listener !== undefined) this.#changed.delete(listener);
    if (!came) this.#inVain.push(`waited in vain for ${what}`);
  }
}
