import type { Http2Server, IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { type Server, ServerCredentials } from "@grpc/grpc-js";
import { assert } from "../../../lib/assert.ts";

/**
 * All that is taken from @grpc/grpc-js beyond its typed interface, in one place, checked when it is taken: the
 * package is pinned to one version, and a version that moves these things fails at start, not under load.
 *
 * Why: grpc-js fixes the options of its HTTP/2 server, answers unknown methods in words that etcd's clients do not
 * know, reads every request header three times, and turns a timeout above 24 days into none left.
 */
export interface Http2Seam {
  readonly inject: (socket: import("node:stream").Duplex) => void;
  /** The HTTP/2 server behind grpc-js; it never listens itself. */
  readonly http2: Http2Server;
  /** Gives a stream to grpc-js, with the headers it is to see. */
  readonly dispatch: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;
}

export interface Http2Options {
  readonly maxHeaderListPairs: number;
  readonly streamResetBurst: number;
  readonly streamResetRate: number;
  readonly maxSessionMemory: number;
  readonly settings: {
    readonly maxConcurrentStreams: number;
    readonly initialWindowSize: number;
    readonly maxHeaderListSize: number;
  };
}

type StreamListener = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number) => void;

/** Throws AssertionError when this version of grpc-js is built differently. */
export function openHttp2Seam(server: Server, options: Http2Options): Http2Seam {
  const http2Options: unknown = server["commonServerOptions"];
  assert(typeof http2Options === "object" && http2Options !== null, "grpc-js keeps its HTTP/2 options");
  Object.assign(http2Options, options);

  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const servers: unknown = server["http2Servers"];
  assert(servers instanceof Map && servers.size === 1, "grpc-js keeps its HTTP/2 servers in a map");
  const http2 = [...servers.keys()][0] as Http2Server;

  const listeners = http2.listeners("stream") as StreamListener[];
  const listener = listeners.at(-1);
  assert(listeners.length === 1 && listener !== undefined, "grpc-js listens for streams once");
  http2.removeListener("stream", listener);
  return {
    inject: (socket) => injector.injectConnection(socket),
    http2,
    dispatch: (stream, headers) => listener.call(http2, stream, headers, 0),
  };
}

export type { ServerHttp2Session };
