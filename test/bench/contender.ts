import { join } from "node:path";
import { findProgram, repositoryRoot } from "../harness/index.ts";

/** The engines that a member of MetaStore can have. */
export type Engine = "memory" | "rocksdb";

/** A server that is measured: which program, with which flags, over how many keys. */
export interface Contender {
  readonly title: string;
  /** "transport": our gRPC transport with canned answers. */
  readonly kind: "metastore" | "etcd" | "transport";
  /** Another etcd than the one on the PATH, or another bin/run.js than ours. */
  readonly program?: string;
  readonly flags: readonly string[];
  /** How many keys it holds and calls choose from; as many as the bench says when absent. */
  readonly keys?: number;
}

/** The quota is not what is measured, and long put runs write much. */
const QUOTA_FLAGS = ["--quota-backend-bytes", String(64 * 1024 ** 3)] as const;

export interface MetaStoreOptions {
  readonly title?: string;
  readonly engine: Engine;
  /** The value of serve's --grpc-transport. */
  readonly grpcTransport: string | undefined;
  readonly program?: string;
  readonly keys?: number;
}

export function metaStore(options: MetaStoreOptions): Contender {
  const { engine, grpcTransport, program, keys } = options;
  return {
    title: options.title ?? (engine === "memory" ? "MetaStore" : `MetaStore on ${engine}`),
    kind: "metastore",
    ...(program === undefined ? {} : { program }),
    ...(keys === undefined ? {} : { keys }),
    flags: [
      ...QUOTA_FLAGS,
      ...["--storage", engine],
      ...(grpcTransport === undefined ? [] : ["--grpc-transport", grpcTransport]),
    ],
  };
}

export function etcd(program: string): Contender {
  return { title: "etcd", kind: "etcd", program, flags: [...QUOTA_FLAGS, "--log-level", "error"] };
}

/** Only a transport, with canned answers. */
export const bareGrpcJs: Contender = { title: "bare grpc-js", kind: "transport", flags: ["grpc-js"] };
export const bareWire: Contender = { title: "the bare wire", kind: "transport", flags: ["wire"] };

/** The etcd to compare with: the one on the PATH, another program, or none. */
export function findEtcd(against: string): string | undefined {
  if (against === "none") return undefined;
  return against === "etcd" ? findProgram("etcd") : against;
}

/** Where a server is to be. */
export interface Place {
  readonly folder: string;
  readonly clientPort: number;
  readonly peerPort: number;
  /** Listens with TLS there as well. */
  readonly tlsPort: number | undefined;
  readonly nodeFlags: readonly string[];
}

const tlsFile = (name: string): string => join(repositoryRoot, "test", "suites", "tls", name);
export const certificateFile = tlsFile("localhost.cert.pem");

/** The command line of one server, alone. */
export function commandLine(contender: Contender, place: Place): string[] {
  if (contender.kind === "transport") {
    const script = join(repositoryRoot, "test", "bench", "bare-server.ts");
    const port = String(place.clientPort);
    const loader = ["--import", import.meta.resolve("tsx")];
    return [process.execPath, ...place.nodeFlags, ...loader, script, port, ...contender.flags];
  }
  const url = `http://127.0.0.1:${place.clientPort}`;
  const urls = place.tlsPort === undefined ? url : `${url},https://127.0.0.1:${place.tlsPort}`;
  const peerUrl = `http://127.0.0.1:${place.peerPort}`;
  const flags = [
    ...["--data-dir", join(place.folder, "data")],
    ...["--listen-client-urls", urls, "--advertise-client-urls", urls],
    ...["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl],
    ...["--initial-cluster", `default=${peerUrl}`],
    ...(place.tlsPort === undefined
      ? []
      : ["--cert-file", certificateFile, "--key-file", tlsFile("localhost.key.pem")]),
    ...contender.flags,
  ];
  if (contender.kind === "etcd") return [contender.program ?? "etcd", ...flags];
  const program = contender.program ?? join(repositoryRoot, "bin", "run.js");
  return [process.execPath, ...place.nodeFlags, program, "serve", ...flags];
}
