import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from "@grpc/grpc-js";

const identity = (bytes: Buffer): Buffer => bytes;

/** Answers a call with bytes, or refuses it by throwing a status. */
export type UnaryScript = (
  request: Buffer,
  call: ServerUnaryCall<Buffer, Buffer>,
) => Buffer | Promise<Buffer>;
export type DuplexScript = (call: ServerDuplexStream<Buffer, Buffer>) => void;
export type ReadScript = (call: ServerWritableStream<Buffer, Buffer>) => void;

export interface FakeServer {
  readonly endpoint: string;
  readonly port: number;
  /** Breaks every connection at once. */
  kill(): void;
}

export class Refusal extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const running: Server[] = [];

/** A gRPC server with scripted answers, on a free port unless one is given. */
export async function startFakeServer(
  scripts: {
    readonly unary?: Record<string, UnaryScript>;
    readonly duplex?: Record<string, DuplexScript>;
    readonly read?: Record<string, ReadScript>;
  },
  port = 0,
): Promise<FakeServer> {
  const server = new Server();
  for (const [path, script] of Object.entries(scripts.unary ?? {})) {
    const handler = (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void => {
      Promise.resolve()
        .then(() => script(call.request, call))
        .then(
          (response) => callback(null, response),
          (error: Refusal) => callback({ code: error.code, details: error.message }),
        );
    };
    server.register(`/etcdserverpb.${path}`, handler, identity, identity, "unary");
  }
  for (const [path, script] of Object.entries(scripts.duplex ?? {})) {
    server.register(`/etcdserverpb.${path}`, script, identity, identity, "bidi");
  }
  for (const [path, script] of Object.entries(scripts.read ?? {})) {
    server.register(`/etcdserverpb.${path}`, script, identity, identity, "serverStream");
  }
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, result) =>
      error ? reject(error) : resolve(result),
    );
  });
  running.push(server);
  return { endpoint: `127.0.0.1:${bound}`, port: bound, kill: () => server.forceShutdown() };
}

export function stopFakeServers(): void {
  for (const server of running.splice(0)) server.forceShutdown();
}

/** A port that was free a moment ago: nothing listens there. */
export async function unusedPort(): Promise<number> {
  const server = await startFakeServer({});
  server.kill();
  return server.port;
}
