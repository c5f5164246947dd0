import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { Clock } from "../../lib/clock.ts";

/** An answer that is known whole. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** After an answer, a sender that still sends may go on for this long: cut off at once, it would lose the answer. */
const UNREAD_BODY_MS = 1_000;

export function jsonAnswer(status: number, body: string, headers: Answer["headers"] = {}): Answer {
  return { status, headers: { ...headers, "Content-Type": "application/json" }, body };
}

export function textAnswer(status: number, text: string, headers: Answer["headers"] = {}): Answer {
  return { status, headers: { ...headers, "Content-Type": "text/plain; charset=utf-8" }, body: `${text}\n` };
}

/** Sends the answer; what the sender goes on to send is thrown away, and its connection is closed when it does not stop. */
export function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers, body }: Answer,
  clock: Clock,
): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, {
    ...headers,
    ...(status === 204 ? {} : { "Content-Length": Buffer.byteLength(body) }),
  });
  response.end(request.method === "HEAD" || status === 204 ? undefined : body);
  if (request.complete) return;
  request.resume();
  const timer = clock.after(UNREAD_BODY_MS, () => request.destroy());
  request.once("end", () => timer.cancel());
  request.once("close", () => timer.cancel());
}

/** Sends the answer on a socket that the HTTP parser has let go of, and closes it. */
export function sendRaw(socket: Duplex, { status, headers, body }: Answer): void {
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  socket.end(`${lines.join("\r\n")}\r\n\r\n${body}`);
  // Do not wait for a peer that keeps its side open.
  socket.once("finish", () => socket.destroy());
}
