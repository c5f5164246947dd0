import { createDeferred, type Deferred } from "../../../lib/deferred.ts";
import type { ServerStream } from "../transport.ts";

/** Waits until the stream takes more, or its call is over. */
export interface StreamRoom {
  wait(): Promise<void>;
}

/** Takes the stream's onDrain for itself. */
export function roomOf(stream: ServerStream): StreamRoom {
  let waiting: Deferred<void> | undefined;
  const wake = (): void => {
    waiting?.resolve();
    waiting = undefined;
  };
  stream.onDrain(wake);
  stream.context.onCancel(wake);
  return {
    wait: () => {
      if (stream.context.isCancelled) return Promise.resolve();
      waiting ??= createDeferred<void>();
      return waiting.promise;
    },
  };
}
