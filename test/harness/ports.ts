import { createServer } from "node:net";

/**
 * Below the range that the system takes the ports of outgoing connections from (32768 on Linux). A server that is
 * restarted on its port must find it free; in that range a client that keeps trying to connect may, by chance, be
 * given the very port it asks for, connect to itself, and hold it.
 */
const FIRST = 20_000;
const COUNT = 12_000;

/** Ports that nobody listens on, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  let next = Math.floor(Math.random() * COUNT);
  for (let tries = 0; ports.length < count; tries++, next++) {
    if (tries === COUNT) throw new Error("no free port between 20000 and 31999");
    const port = FIRST + (next % COUNT);
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
