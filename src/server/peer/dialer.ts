import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { HostLookup } from "./host-lookup.ts";
import type { PeerLimits } from "./limits.ts";
import type { PeerTls } from "./types.ts";

export interface DialRequest {
  /** A peer URL: scheme, host and port. */
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  /** Use a connection that an earlier request left open; otherwise the request has its own. */
  readonly isShared?: boolean;
}

const REFUSAL_BYTES_MAX = 1_024;
const TEXT_PATTERN = /[^\x20-\x7e]+/g;

/** Begins HTTP requests to other members, over TLS where their URL says so. Sets no timers: callers do. */
export class Dialer {
  readonly #tls: PeerTls | undefined;
  readonly #hosts = new HostLookup();
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;

  constructor(tls: PeerTls | undefined, limits: PeerLimits) {
    this.#tls = tls;
    const options = {
      keepAlive: true,
      timeout: limits.callIdleMs,
      maxSockets: limits.callConnectionsMax,
      maxFreeSockets: limits.callConnectionsMax,
    };
    this.#http = new HttpAgent(options);
    this.#https = new HttpsAgent(options);
  }

  /** Throws Error when the URL cannot be dialled. The caller handles "error", ends the request and limits its time. */
  request(options: DialRequest): ClientRequest {
    const target = parsePeerUrl(options.url);
    const common = {
      host: target.host,
      port: target.port,
      method: options.method,
      path: options.path,
      headers: options.headers,
      lookup: this.#hosts.lookup,
    };
    if (!target.isTls) {
      return httpRequest({ ...common, agent: options.isShared === true ? this.#http : false });
    }
    const tls = this.#tls;
    return httpsRequest({
      ...common,
      agent: options.isShared === true ? this.#https : false,
      minVersion: "TLSv1.2",
      servername: isIP(target.host) === 0 ? target.host : "",
      ...(tls === undefined ? {} : { cert: tls.cert, key: tls.key }),
      ...(tls?.trustedCa === undefined ? {} : { ca: tls.trustedCa }),
    });
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}

/** Throws Error: MemberUpdate takes any text for a URL. */
function parsePeerUrl(url: string): {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
} {
  const match = /^(https?):\/\/(\[[0-9a-fA-F:.]{2,45}\]|[\w.-]{1,253}):(\d{1,5})\/?$/.exec(url);
  const port = Number(match?.[3] ?? 0);
  if (match === null || port < 1 || port > 65_535) {
    throw new Error(`${JSON.stringify(url.slice(0, 200))} is no URL of the form http://HOST:PORT`);
  }
  const host = match[2] ?? "";
  return { host: host.startsWith("[") ? host.slice(1, -1) : host, port, isTls: match[1] === "https" };
}

/** The text of an answer that refuses, in printable characters and cut to a length fit for logs. */
export function readRefusal(response: IncomingMessage, done: (text: string) => void): void {
  const parts: Buffer[] = [];
  let bytes = 0;
  let isDone = false;
  const finish = (): void => {
    if (isDone) return;
    isDone = true;
    const text = Buffer.concat(parts).subarray(0, REFUSAL_BYTES_MAX).toString("latin1");
    done(text.replaceAll(TEXT_PATTERN, " ").trim());
  };
  response.on("data", (chunk: Buffer) => {
    if (isDone) return;
    parts.push(chunk);
    bytes += chunk.length;
    if (bytes < REFUSAL_BYTES_MAX) return;
    finish();
    response.destroy();
  });
  response.on("error", finish);
  response.on("close", finish);
  response.on("end", finish);
}
