import { Pending, type PendingListener } from "../../../lib/pending.ts";
import type { TransportOptions, UnaryHandler } from "../transport.ts";
import { GrpcCall } from "./grpc-call.ts";
import { unexpectedEnd } from "./grpc-status.ts";
import type { RequestHead } from "./request-head.ts";
import type { StreamHost } from "./wire-stream.ts";

/** One request, one answer. The handler runs as soon as the request is whole; the half-close is not waited for. */
export class UnaryCall extends GrpcCall implements PendingListener<Buffer> {
  readonly #handle: UnaryHandler;
  #hasRequest = false;

  constructor(
    host: StreamHost,
    id: number,
    head: RequestHead,
    options: TransportOptions,
    handle: UnaryHandler,
  ) {
    super(host, id, head, options);
    this.#handle = handle;
  }

  override onTaken(): void {}

  protected override start(): void {}

  protected override receive(message: Buffer): void {
    this.#hasRequest = true;
    this.stopReading();
    const answer = this.#handle(message, this);
    if (Buffer.isBuffer(answer)) this.answer(answer);
    else if (answer instanceof Pending) answer.listen(this);
    else
      answer.then(
        (answered) => this.answer(answered),
        (error: unknown) => this.fail(error),
      );
  }

  protected override halfClosed(): void {
    if (!this.#hasRequest) this.finish(unexpectedEnd);
  }
}
