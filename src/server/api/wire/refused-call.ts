import type { CallStatus } from "../status.ts";
import { trailersOnly } from "./grpc-status.ts";
import type { RequestHead } from "./request-head.ts";
import { type StreamHost, WireStream } from "./wire-stream.ts";

/** A request that is answered by headers alone, whatever its body is. */
export class RefusedCall extends WireStream {
  readonly #fields: readonly string[];

  constructor(host: StreamHost, id: number, head: RequestHead, fields: readonly string[]) {
    super(host, id, head.declaredBytes);
    this.#fields = fields;
  }

  static withStatus(host: StreamHost, id: number, head: RequestHead, status: CallStatus): RefusedCall {
    return new RefusedCall(host, id, head, trailersOnly(status));
  }

  override begin(): void {
    this.host.sender.end(this, this.#fields);
  }

  override onData(_source: Buffer, _start: number, _end: number, frameBytes: number): void {
    this.host.consumed(this, frameBytes);
  }

  override onRemoteEnd(): void {}
  override onTaken(): void {}
  override onGone(): void {}
}
