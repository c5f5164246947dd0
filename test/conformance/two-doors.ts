import { join } from "node:path";
import { freePorts, repositoryRoot, ServerProcess } from "../harness/index.ts";

/** The authority that signed the certificate of the TLS door. */
export const authorityFile = join(
  repositoryRoot,
  "test",
  "conformance",
  "stacks",
  "tls",
  "authority.cert.pem",
);

export interface TwoDoors {
  readonly server: ServerProcess;
  /** HOST:PORT, without and with TLS. */
  readonly plain: string;
  readonly tls: string;
}

/** One MetaStore that serves clients on a plain port and on a TLS port; data and log are in `folder`. */
export async function startTwoDoors(folder: string, flags: readonly string[]): Promise<TwoDoors> {
  const [peer, tls] = (await freePorts(2)) as [number, number];
  const peerUrl = `http://127.0.0.1:${peer}`;
  const pem = (name: string): string => join(repositoryRoot, "test", "conformance", "stacks", "tls", name);
  const server = await ServerProcess.start({
    kind: "bare",
    folder,
    bareCommand: (plain) => [
      process.execPath,
      join(repositoryRoot, "bin", "run.js"),
      "serve",
      ...["--data-dir", join(folder, "data")],
      ...["--listen-client-urls", `http://127.0.0.1:${plain},https://127.0.0.1:${tls}`],
      ...["--advertise-client-urls", `http://127.0.0.1:${plain}`],
      ...["--cert-file", pem("server.cert.pem"), "--key-file", pem("server.key.pem")],
      ...["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl],
      ...["--initial-cluster", `default=${peerUrl}`],
      ...flags,
    ],
  });
  return { server, plain: server.endpoint, tls: `127.0.0.1:${tls}` };
}
