import type { RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { limits } from "../../../lib/limits.ts";

interface Connection {
  last: ServerResponse;
  /** Requests that were read and are not answered. */
  open: number;
}

/**
 * Runs the requests of one connection one after another. Node hands over pipelined requests at once and only orders
 * the answers; a read behind a write would then miss it (RFC 9112, section 9.3.2). A connection that pipelines more
 * than limits.httpPipelinedRequestsMax is closed.
 */
export function inRequestOrder(listener: RequestListener): RequestListener {
  const connections = new WeakMap<Socket, Connection>();
  return (req, res) => {
    const { socket } = req;
    const connection = connections.get(socket) ?? { last: res, open: 0 };
    const before = connection.last;
    connection.last = res;
    connection.open += 1;
    connections.set(socket, connection);
    if (connection.open > limits.httpPipelinedRequestsMax) {
      socket.destroy();
      return;
    }
    res.once("close", () => {
      connection.open -= 1;
    });
    if (before === res || before.writableEnded) {
      listener(req, res);
      return;
    }
    before.once("close", () => {
      // Nobody waits any more for what was only queued.
      if (!socket.destroyed) listener(req, res);
    });
  };
}
