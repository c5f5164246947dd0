import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientUnaryCall,
  credentials,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import type { ClientPlan } from "./call-plan.ts";
import { CALL_ID, type CallRecords, describeMessage } from "./call-records.ts";
import { handlerOutcome, type Outcome } from "./outcome.ts";
import { HANDLER_PATIENCE_MS, happened } from "./patience.ts";

const same = (message: Buffer): Buffer => message;

/** Makes calls as users of @grpc/grpc-js make them. */
export class GrpcCaller {
  readonly #client: Client;
  readonly #records: CallRecords;

  constructor(port: number, records: CallRecords) {
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
      "grpc.max_send_message_length": -1,
      "grpc.max_receive_message_length": -1,
      "grpc.use_local_subchannel_pool": 1,
    });
    this.#records = records;
  }

  close(): void {
    this.#client.close();
  }

  async call(plan: ClientPlan, id: string): Promise<Outcome> {
    const caller = await this.#run(plan, id);
    const record = this.#records.get(id);
    if (record !== undefined && !record.isOver) {
      await happened((done) => record.onNote(() => record.isOver && done()), HANDLER_PATIENCE_MS);
    }
    const handler = handlerOutcome(plan, this.#records.get(id));
    this.#records.forget(id);
    return { caller: plan.cancelAt === undefined ? caller : {}, handler };
  }

  #run(plan: ClientPlan, id: string): Promise<Record<string, unknown>> {
    const metadata = new Metadata();
    metadata.set(CALL_ID, id);
    for (const [key, value] of plan.metadata) {
      metadata.add(key, key.endsWith("-bin") ? Buffer.from(value, "latin1") : value);
    }
    const options = plan.deadlineMs === undefined ? {} : { deadline: Date.now() + plan.deadlineMs };
    return new Promise((resolve) => {
      const seen: Record<string, unknown> = {};
      const messages: string[] = [];
      const settle = (): void => resolve({ ...seen, messages });
      let call: ClientUnaryCall | ClientReadableStream<Buffer> | ClientDuplexStream<Buffer, Buffer>;
      if (plan.kind === "unary") {
        const request = plan.messages[0] ?? Buffer.alloc(0);
        call = this.#client.makeUnaryRequest(
          plan.path,
          same,
          same,
          request,
          metadata,
          options,
          (error, answer) => {
            if (error) this.#noteError(seen, error, plan);
            if (answer !== undefined) messages.push(describeMessage(answer));
            // The status comes after the answer, in the same turn.
            setImmediate(settle);
          },
        );
        call.on("status", ({ code, metadata: trailers }) => this.#noteStatus(seen, code, trailers));
      } else {
        let stream: ClientReadableStream<Buffer>;
        if (plan.kind === "serverStream") {
          const request = plan.messages[0] ?? Buffer.alloc(0);
          stream = this.#client.makeServerStreamRequest(plan.path, same, same, request, metadata, options);
        } else {
          const chat = this.#client.makeBidiStreamRequest(plan.path, same, same, metadata, options);
          for (const message of plan.messages) chat.write(message);
          if (plan.cancelAt === undefined) chat.end();
          stream = chat;
        }
        stream.on("data", (message: Buffer) => messages.push(describeMessage(message)));
        stream.on("error", (error: ServiceError) => this.#noteError(seen, error, plan));
        stream.on("status", ({ code, metadata: trailers }) => {
          this.#noteStatus(seen, code, trailers);
          setImmediate(settle);
        });
        call = stream;
      }
      call.on("metadata", (headers: Metadata) => {
        seen["headers"] = Object.keys(headers.getMap())
          .filter((key) => key !== "date")
          .sort();
      });
      if (plan.cancelAt !== undefined) this.#cancelAt(id, plan.cancelAt, () => call.cancel());
    });
  }

  #cancelAt(id: string, starts: string, cancel: () => void): void {
    this.#records.onOpen(id, () => {
      const record = this.#records.get(id);
      const look = (): void => {
        if (record?.events.some((event) => event.startsWith(starts))) cancel();
      };
      record?.onNote(look);
      look();
    });
  }

  #noteError(seen: Record<string, unknown>, error: ServiceError, plan: ClientPlan): void {
    seen["code"] = error.code;
    // A client whose own clock ends the call says how long it waited, and where.
    if (!(plan.deadlineMs !== undefined && error.code === 4)) seen["details"] = error.details;
  }

  #noteStatus(seen: Record<string, unknown>, code: number, trailers: Metadata): void {
    seen["status"] = code;
    const names = Object.keys(trailers.getMap())
      .filter((key) => key !== "date")
      .sort();
    if (code !== 4) seen["trailers"] = names;
  }
}
