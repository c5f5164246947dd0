import { type IncomingHttpHeaders, type RequestOptions, request } from "node:http";
import { connect } from "node:net";
import { SystemClock } from "../../../../../src/lib/clock.ts";
import type { Log, LogFields } from "../../../../../src/lib/log.ts";
import { createHttpApp } from "../../../../../src/server/api/http/app.ts";
import {
  type CheckKind,
  createKeyOperations,
  type HealthObserver,
  type HttpAppOptions,
  HttpEndpoint,
  type HttpEndpointOptions,
} from "../../../../../src/server/api/http/index.ts";
import { createMethodTable } from "../../../../../src/server/api/index.ts";
import { FakeNode } from "../fake-node.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
}

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields;
}

/** Counts what the health endpoints report. */
export class HealthRecorder implements HealthObserver {
  healthy = 0;
  unhealthy = 0;
  readonly checks: string[] = [];

  healthServed(isHealthy: boolean): void {
    if (isHealthy) this.healthy++;
    else this.unhealthy++;
  }

  checkRan(kind: CheckKind, name: string, passed: boolean): void {
    this.checks.push(`${kind}/${name} ${passed}`);
  }
}

export interface WorldOptions {
  readonly surface?: HttpAppOptions["surface"];
  readonly corsOrigins?: readonly string[];
  readonly hostWhitelist?: readonly string[];
  readonly requestBytesMax?: number;
  readonly timeouts?: HttpEndpointOptions["timeouts"];
  readonly renderMetrics?: () => Promise<string>;
}

/** A member with its HTTP face on a free port of the loopback. */
export class HttpWorld {
  readonly node = new FakeNode();
  readonly health = new HealthRecorder();
  readonly lines: LogLine[] = [];
  readonly endpoint: HttpEndpoint;
  port = 0;

  constructor(options: WorldOptions = {}) {
    const record =
      (level: string) =>
      (message: string, fields: LogFields = {}): void => {
        this.lines.push({ level, message, fields });
      };
    const log: Log = {
      debug: record("debug"),
      info: record("info"),
      warn: record("warn"),
      error: record("error"),
    };
    const requestBytesMax = options.requestBytesMax ?? 1_572_864;
    const clock = new SystemClock();
    const methods = createMethodTable(this.node, {
      electionTimeoutMs: 1_000,
      clock,
      log,
      requestBytesMax,
      txnOpsMax: 128,
    });
    const listener = createHttpApp({
      node: this.node,
      surface: options.surface ?? "keys",
      metrics: {
        contentType: "text/plain; version=0.0.4; charset=utf-8",
        render: options.renderMetrics ?? (async () => "up 1\n"),
      },
      health: this.health,
      versions: { server: "3.6.0", cluster: "3.6.0", storage: "3.6.0" },
      corsOrigins: options.corsOrigins ?? [],
      hostWhitelist: options.hostWhitelist ?? ["*"],
      keys: { operations: createKeyOperations(this.node, methods), requestBytesMax },
      log,
    });
    this.endpoint = new HttpEndpoint({
      listener,
      address: { host: "127.0.0.1", port: 0 },
      tls: undefined,
      bodyBytesMax: requestBytesMax,
      clock,
      log,
      ...(options.timeouts === undefined ? {} : { timeouts: options.timeouts }),
    });
  }

  static async start(options?: WorldOptions): Promise<HttpWorld> {
    const world = new HttpWorld(options);
    world.port = await world.endpoint.listen();
    return world;
  }

  stop(): Promise<void> {
    return this.endpoint.close(100);
  }

  call(
    method: string,
    path: string,
    options: { body?: Buffer | string; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const settings: RequestOptions = {
      host: "127.0.0.1",
      port: this.port,
      method,
      path,
      headers: options.headers ?? {},
      agent: false,
    };
    return new Promise((resolve, reject) => {
      const outgoing = request(settings, (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
        incoming.once("error", reject);
        incoming.once("end", () => {
          const body = Buffer.concat(chunks);
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            body,
            text: body.toString("utf8"),
          });
        });
      });
      outgoing.once("error", reject);
      outgoing.end(options.body);
    });
  }

  /** Sends bytes as they are and collects everything until the server closes. */
  raw(bytes: string | Buffer): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.port, "127.0.0.1");
      let received = "";
      socket.on("data", (chunk) => {
        received += chunk.toString("latin1");
      });
      socket.once("close", () => resolve(received));
      socket.once("error", reject);
      socket.write(bytes);
    });
  }
}
