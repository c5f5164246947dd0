import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect, type MetaStoreClient } from "../../../src/client/index.ts";
import { type Config, loadConfig } from "../../../src/server/config.ts";
import { type RunningServer, startServer } from "../../../src/server/server.ts";

export const tlsFile = (name: string): string =>
  fileURLToPath(new URL(`../../suites/tls/localhost.${name}.pem`, import.meta.url));

/** Servers on real files and ports of loopback; end() closes and removes all of them. */
export class ServerWorld {
  readonly folder = mkdtempSync(join(tmpdir(), "metastore-server-"));
  readonly #servers: RunningServer[] = [];
  readonly #clients: MetaStoreClient[] = [];

  config(flags: Record<string, string | number | boolean> = {}): Config {
    return loadConfig({
      flags: {
        "data-dir": join(this.folder, "data"),
        "listen-client-urls": "http://127.0.0.1:0",
        "listen-peer-urls": "http://127.0.0.1:0",
        "log-outputs": join(this.folder, "server.log"),
        ...flags,
      },
      env: {},
      readFile: (path) => readFileSync(path, "utf8"),
    });
  }

  async start(flags: Record<string, string | number | boolean> = {}): Promise<RunningServer> {
    const server = await startServer(this.config(flags));
    this.#servers.push(server);
    return server;
  }

  connect(server: RunningServer, tls?: { readonly ca: Buffer }): MetaStoreClient {
    const endpoints = server.addresses.client[0] ?? "";
    const client = connect(tls === undefined ? { endpoints } : { endpoints, tls });
    this.#clients.push(client);
    return client;
  }

  /** Messages of the servers' log, in order. */
  logged(): string[] {
    return readFileSync(join(this.folder, "server.log"), "utf8")
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { msg: string }).msg);
  }

  async end(): Promise<void> {
    for (const client of this.#clients) client.close();
    for (const server of this.#servers) await server.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
