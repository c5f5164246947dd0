import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";

/** A request listener that is made when it is first needed. */
export interface LateListener {
  readonly listener: RequestListener;
  /** Makes it now, if it is not there yet. Rejects when it cannot be made. */
  load(): Promise<void>;
}

/** Requests that come before `make` has resolved wait for it, in their order; if it rejects, they are cut off. */
export function lateListener(make: () => Promise<RequestListener>): LateListener {
  let made: RequestListener | undefined;
  let making: Promise<RequestListener> | undefined;
  const load = async (): Promise<RequestListener> => {
    making ??= make();
    made = await making;
    return made;
  };
  return {
    listener: (req: IncomingMessage, res: ServerResponse) => {
      if (made !== undefined) made(req, res);
      else
        load().then(
          (listener) => listener(req, res),
          () => res.destroy(),
        );
    },
    load: async () => {
      await load();
    },
  };
}
