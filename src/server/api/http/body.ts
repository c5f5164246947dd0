import type { IncomingMessage, ServerResponse } from "node:http";
import { HttpError } from "./errors.ts";

/**
 * Reads a request's body as it is, whatever its content type says. Rejects with status 413 as soon as the declared
 * or the received length passes `bytesMax`, holding no more than that. Rejects when the client goes away.
 */
export function readBody(req: IncomingMessage, res: ServerResponse, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const refuse = (): void => {
      // The rest of the body is still on its way; the connection cannot carry another request.
      res.setHeader("Connection", "close");
      req.removeAllListeners("data");
      req.resume();
      reject(
        new HttpError({
          status: 413,
          code: "INVALID_ARGUMENT",
          message: `the value is larger than ${bytesMax} bytes`,
          hint: "store a smaller value, or start the server with a larger --max-request-bytes",
        }),
      );
    };
    if (declaredLength(req) > bytesMax) {
      refuse();
      return;
    }
    const chunks: Buffer[] = [];
    let receivedBytes = 0;
    req.on("data", (chunk: Buffer) => {
      receivedBytes += chunk.length;
      if (receivedBytes > bytesMax) refuse();
      else chunks.push(chunk);
    });
    req.once("end", () => resolve(Buffer.concat(chunks, receivedBytes)));
    const gone = (): void => reject(clientGone());
    req.once("error", gone);
    req.once("close", gone);
  });
}

function clientGone(): HttpError {
  return new HttpError({
    status: 499,
    code: "CANCELED",
    message: "the client closed the connection within its request",
    hint: "nothing was stored",
  });
}

/** Content-Length, or 0 when the body is chunked or absent. */
export function declaredLength(req: IncomingMessage): number {
  return Number(req.headers["content-length"] ?? 0);
}
