import { Agent as HttpAgent, get as httpGet, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, get as httpsGet } from "node:https";
import type { TlsOptions } from "../client/index.ts";

/** More than any member's exposition; what goes beyond is something else. */
const answerSizeBytesMax = 16 * 1024 * 1024;

/** Asks members for their metrics over HTTP/1.1, on connections that stay open between two samples. */
export class MetricsRequester {
  readonly #http = new HttpAgent({ keepAlive: true, maxSockets: 1 });
  readonly #https: HttpsAgent;

  constructor(tls: TlsOptions | undefined) {
    this.#https = new HttpsAgent({
      keepAlive: true,
      maxSockets: 1,
      rejectUnauthorized: tls?.insecureSkipVerify !== true,
      ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
      ...(tls?.cert === undefined ? {} : { cert: tls.cert }),
      ...(tls?.key === undefined ? {} : { key: tls.key }),
    });
  }

  /** The body of `url`, or undefined when it cannot be had within `timeoutMs`: metrics are an extra. */
  request(url: string, timeoutMs: number): Promise<string | undefined> {
    return new Promise((resolve) => {
      const signal = AbortSignal.timeout(timeoutMs);
      const onAnswer = (answer: IncomingMessage): void => {
        answer.setEncoding("utf8");
        let body = "";
        answer.on("data", (chunk: string) => {
          body += chunk;
          if (body.length > answerSizeBytesMax) answer.destroy();
        });
        answer.on("end", () => resolve(answer.statusCode === 200 ? body : undefined));
        answer.on("close", () => resolve(undefined));
        answer.on("error", () => resolve(undefined));
      };
      const request = url.startsWith("https:")
        ? httpsGet(url, { agent: this.#https, signal }, onAnswer)
        : httpGet(url, { agent: this.#http, signal }, onAnswer);
      request.on("error", () => resolve(undefined));
    });
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}
