import { RequestError, StatusError } from "../../src/lib/errors.ts";
import type {
  CallContext,
  DuplexStream,
  MethodHandler,
  MethodTable,
  TransportFactory,
} from "../../src/server/api/index.ts";

/** Faults that a transport might have, put around a sound one: each must turn a run red. */
export const plants: Readonly<Record<string, (sound: TransportFactory) => TransportFactory>> = {
  "a text that is dropped": (sound) => (methods, options) =>
    sound(
      withErrors(methods, (error) =>
        error instanceof StatusError || error instanceof RequestError
          ? new StatusError(error.grpc, "")
          : error,
      ),
      options,
    ),
  "a code that is taken for another": (sound) => (methods, options) =>
    sound(
      withErrors(methods, (error) =>
        error instanceof RequestError && error.grpc === 11 ? new StatusError(3, error.message) : error,
      ),
      options,
    ),
  "a cancel that is not told": (sound) => (methods, options) =>
    sound(
      withContexts(methods, (context) => changed(context, { onCancel: () => {} })),
      options,
    ),
  "a deadline that is not told": (sound) => (methods, options) =>
    sound(
      withContexts(methods, (context) => changed(context, { timeoutMs: undefined })),
      options,
    ),
  "binary metadata that is told": (sound) => (methods, options) =>
    sound(
      withContexts(methods, (context) =>
        changed(context, { metadata: new Map([...context.metadata, ["trace-bin", "AQID"]]) }),
      ),
      options,
    ),
  "a limit that is one byte too high": (sound) => (methods, options) =>
    sound(methods, { ...options, messageBytesMax: options.messageBytesMax + 1 }),
  "a method that is not known": (sound) => (methods, options) =>
    sound(new Map([...methods].filter(([path]) => !path.endsWith("/EchoLater"))), options),
  "a last byte that is lost": (sound) => (methods, options) =>
    sound(
      new Map(
        [...methods].map(([path, handler]): [string, MethodHandler] =>
          handler.kind === "unary" && path.endsWith("/Echo")
            ? [path, { kind: "unary", handle: (request) => request.subarray(0, -1) }]
            : [path, handler],
        ),
      ),
      options,
    ),
};

function changed<T extends object>(target: T, changes: Partial<T>): T {
  return new Proxy(target, {
    get: (object, name) => {
      const value: unknown = name in changes ? changes[name as keyof T] : Reflect.get(object, name, object);
      return typeof value === "function" ? value.bind(object) : value;
    },
  });
}

function withErrors(methods: MethodTable, mapped: (error: unknown) => unknown): MethodTable {
  return new Map(
    [...methods].map(([path, handler]): [string, MethodHandler] =>
      handler.kind === "unary"
        ? [
            path,
            {
              kind: "unary",
              handle: async (request, context) => {
                try {
                  return await handler.handle(request, context);
                } catch (error) {
                  throw mapped(error);
                }
              },
            },
          ]
        : [path, handler],
    ),
  );
}

function withContexts(methods: MethodTable, mapped: (context: CallContext) => CallContext): MethodTable {
  return new Map(
    [...methods].map(([path, handler]): [string, MethodHandler] => {
      if (handler.kind === "unary") {
        const { handle } = handler;
        return [path, { kind: "unary", handle: (request, context) => handle(request, mapped(context)) }];
      }
      if (handler.kind === "serverStream") {
        const { handle } = handler;
        return [
          path,
          {
            kind: "serverStream",
            handle: (request, stream) =>
              handle(request, changed(stream, { context: mapped(stream.context) })),
          },
        ];
      }
      const { handle } = handler;
      return [
        path,
        {
          kind: "duplex",
          handle: (stream: DuplexStream) => handle(changed(stream, { context: mapped(stream.context) })),
        },
      ];
    }),
  );
}
