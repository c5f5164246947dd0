import type { IncomingMessage } from "node:http";
import type { Member } from "../../codec/index.ts";
import type { Clock } from "../../lib/clock.ts";
import { DecodeError, UsageError } from "../../lib/errors.ts";
import { Dialer } from "./dialer.ts";
import { CLUSTER_HEADER, parseHexId } from "./headers.ts";
import { peerLimits } from "./limits.ts";
import { decodeMembers } from "./members-json.ts";
import type { PeerTls } from "./types.ts";

export interface ClusterMembers {
  readonly clusterId: bigint;
  readonly members: readonly Member[];
}

/**
 * Asks the members of an existing cluster who they are (GET /members), one URL after the other; `timeoutMs` is for
 * each. Throws UsageError, with what each URL answered, when none tells.
 */
export async function fetchMembers(
  peerUrls: readonly string[],
  tls: PeerTls | undefined,
  timeoutMs: number,
  clock: Clock,
): Promise<ClusterMembers> {
  const dialer = new Dialer(tls, peerLimits);
  const failures: string[] = [];
  try {
    for (const url of peerUrls) {
      try {
        return await fetchFrom(dialer, url, timeoutMs, clock);
      } catch (error) {
        failures.push(`${url}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  } finally {
    dialer.close();
  }
  throw new UsageError(
    `no member of the cluster could be asked for its members (${failures.join("; ")})`,
    "Check that the peer URLs of the cluster are right and that its members run.",
  );
}

function fetchFrom(dialer: Dialer, url: string, timeoutMs: number, clock: Clock): Promise<ClusterMembers> {
  return new Promise((resolve, reject) => {
    const request = dialer.request({ url, method: "GET", path: "/members", headers: {} });
    const timer = clock.after(timeoutMs, () =>
      request.destroy(new Error(`no answer within ${timeoutMs} ms`)),
    );
    request.on("error", reject);
    request.on("close", () => {
      timer.cancel();
      reject(new Error("the connection was closed"));
    });
    request.on("response", (response) => {
      response.on("error", reject);
      readAnswer(response).then(resolve, (error: Error) => {
        reject(error);
        request.destroy();
      });
    });
    request.end();
  });
}

async function readAnswer(response: IncomingMessage): Promise<ClusterMembers> {
  const clusterId = parseHexId(response.headers[CLUSTER_HEADER]);
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > peerLimits.membersBytesMax) throw new DecodeError("the list of members is too long");
    parts.push(chunk);
  }
  if (response.statusCode !== 200) throw new DecodeError(`answered ${response.statusCode}`);
  if (clusterId === undefined) throw new DecodeError("the answer names no cluster");
  return { clusterId, members: decodeMembers(Buffer.concat(parts).toString("utf8")) };
}
