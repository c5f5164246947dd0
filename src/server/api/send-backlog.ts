import { sendQueueLimits } from "./transport.ts";

/** Messages of one stream that its peer has not taken, for a transport's ServerStream. */
export class SendBacklog {
  bytes = 0;
  messages = 0;
  /** Runs each time the backlog has become short again after `hasRoom` said false. */
  onDrain: (() => void) | undefined;
  #isFull = false;

  add(messageBytes: number): void {
    this.bytes += messageBytes;
    this.messages++;
  }

  /** Whether more should be sent. Once it is false, `onDrain` follows. */
  hasRoom(): boolean {
    if (this.bytes < sendQueueLimits.bytesMax && this.messages < sendQueueLimits.messagesMax) return true;
    this.#isFull = true;
    return false;
  }

  /** `isOver`: the stream takes no more, so nobody is to be called back. */
  remove(messageBytes: number, isOver: boolean): void {
    this.bytes -= messageBytes;
    this.messages--;
    if (!this.#isFull || isOver) return;
    if (this.bytes > sendQueueLimits.bytesMax / 2) return;
    if (this.messages > sendQueueLimits.messagesMax / 2) return;
    this.#isFull = false;
    this.onDrain?.();
  }
}
