import type { RequestListener } from "node:http";
import express, { type ErrorRequestHandler, type Request, type Response } from "express";
import { AssertionError } from "../../../lib/assert.ts";
import type { Log } from "../../../lib/log.ts";
import type { ServerNode } from "../../node/index.ts";
import { corsHeaders, hostCheck } from "./access.ts";
import { sendBody, sendError, sendPlainError, toHttpError } from "./errors.ts";
import { type CheckKind, createHealthChecks, type HealthObserver, isGet } from "./health.ts";
import { createPlainKeyRouter, keysPath, type PlainKeyOptions } from "./keys.ts";
import { parseRequestTarget } from "./request-target.ts";

/** The exposition of the metrics; rejects when a value cannot be had. */
export interface MetricsPage {
  readonly contentType: string;
  render(): Promise<string>;
}

/** GET /version (etcd http.md section 2.1): all "X.Y.Z". */
export interface HttpVersions {
  readonly server: string;
  readonly cluster: string;
  readonly storage: string;
}

export interface HttpAppOptions {
  readonly node: ServerNode;
  /**
   * "client": beside gRPC on the client port. "keys": on --port, the plain key API too. "metrics": on
   * --listen-metrics-urls, health and metrics only (etcd http.md section 1).
   */
  readonly surface: "client" | "keys" | "metrics";
  readonly metrics: MetricsPage;
  readonly health: HealthObserver;
  readonly versions: HttpVersions;
  /** Flag --cors: "*" or origins; empty sends no CORS headers. */
  readonly corsOrigins: readonly string[];
  /** Flag --host-whitelist: "*" or host names; pass ["*"] for TLS listeners. */
  readonly hostWhitelist: readonly string[];
  /** Needed by the surface "keys". */
  readonly keys?: PlainKeyOptions;
  readonly log: Log;
}

const gatewayMissing =
  '{"code":12,"message":"the JSON gateway is not served by this version of MetaStore; use gRPC, or the plain key ' +
  'API on --port"}';

/** The HTTP face of a member as a request listener for node:http. Never throws; a malformed target answers 400. */
export function createHttpApp(options: HttpAppOptions): RequestListener {
  const { node, surface, metrics, versions, log } = options;
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.set("query parser", false);
  app.enable("case sensitive routing");
  app.enable("strict routing");

  app.use(hostCheck(options.hostWhitelist));
  app.use(corsHeaders(options.corsOrigins));

  const checks = createHealthChecks(node, options.health, log);
  const get = (path: string | RegExp, serve: (req: Request, res: Response) => Promise<void>): void => {
    app.all(path, async (req, res) => {
      if (isGet(req, res)) await serve(req, res);
    });
  };
  get("/health", (req, res) => checks.serveHealth(queryOf(req), res));
  for (const kind of ["livez", "readyz"] as const satisfies readonly CheckKind[]) {
    get(`/${kind}`, (req, res) => checks.serveRoot(kind, queryOf(req), res));
    get(new RegExp(`^/${kind}/[^/]*$`), async (req, res) => {
      const name = req.path.slice(kind.length + 2);
      if (!(await checks.serveSingle(kind, name, queryOf(req), res))) notFound(res);
    });
  }
  // Go's metrics handler answers any method; so do we.
  app.all("/metrics", async (_req, res) => {
    const text = await metrics.render();
    sendBody(res, metrics.contentType, text);
  });
  if (surface !== "metrics") {
    const body = JSON.stringify({
      etcdserver: versions.server,
      etcdcluster: versions.cluster,
      storage: versions.storage,
    });
    get("/version", async (_req, res) => sendBody(res, "application/json", body));
    app.all(/^\/v3(?:beta)?(?:\/.*)?$/, (_req, res) => {
      res.statusCode = 501;
      sendBody(res, "application/json", gatewayMissing);
    });
  }
  if (surface === "keys" && options.keys !== undefined) {
    app.use(createPlainKeyRouter({ ...options.keys, corsOrigins: options.corsOrigins }));
  }
  app.use((_req, res) => notFound(res));
  app.use(errorAnswer(log));

  return (req, res) => {
    const url = req.method === "OPTIONS" && req.url === "*" ? "/" : (req.url ?? "");
    const target = parseRequestTarget(url);
    if (target === undefined) {
      sendPlainError(res, 400, `400 Bad Request: ${JSON.stringify(url.slice(0, 200))} is no path`);
      return;
    }
    // Express finds its routes with a URL parser of its own; it gets nothing that could surprise it.
    req.url = target.query === "" ? target.path : `${target.path}?${target.query}`;
    app(req, res);
  };
}

/** Says which paths the key surface keeps for itself; other keys are reached directly. */
export const reservedPaths: readonly string[] = [
  "/health",
  "/livez",
  "/livez/*",
  "/readyz",
  "/readyz/*",
  "/version",
  "/metrics",
  "/v3/*",
  "/v3beta/*",
  `${keysPath}*`,
];

function queryOf(req: Request): URLSearchParams {
  return new URLSearchParams(parseRequestTarget(req.originalUrl)?.query ?? "");
}

function notFound(res: Response): void {
  sendPlainError(res, 404, "404 page not found");
}

function errorAnswer(log: Log): ErrorRequestHandler {
  return (error: unknown, req, res, _next) => {
    if (error instanceof AssertionError) {
      // Express would turn it into an answer; a broken invariant has to end the process.
      queueMicrotask(() => {
        throw error;
      });
      res.destroy();
      return;
    }
    sendError(req, res, toHttpError(error, log));
  };
}
