import { createServer } from "node:net";

/** Ports of one member on the loopback interface. */
export interface MemberPorts {
  readonly client: number;
  readonly peer: number;
}

/** Members are this far apart, as 2379, 2479, 2579: easy to tell and to remember. */
const stepPorts = 100;
const portMax = 65_535;

/**
 * A pair of free ports for each of `count` members: the client port from `first` on in steps of 100, the peer port
 * beside it. Where one of a pair is taken, the pair is left out.
 *
 * @throws Error when there are not enough
 */
export async function choosePorts(count: number, first: number): Promise<MemberPorts[]> {
  const chosen: MemberPorts[] = [];
  // When the round numbers are used up, the numbers beside them.
  for (let shift = 0; shift < stepPorts; shift += 2) {
    for (let client = first + shift; client < portMax; client += stepPorts) {
      if (chosen.length === count) return chosen;
      if ((await isFree(client)) && (await isFree(client + 1))) chosen.push({ client, peer: client + 1 });
    }
  }
  throw new Error(`there are no ${count} pairs of free ports from ${first} on`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
