import { ConnectedCommand } from "../cli/index.ts";

/** A server that is not there must not make `version` slow. */
const serverTimeoutMsMax = 1_000;

export default class Version extends ConnectedCommand {
  static override summary = "Print the versions of this program and of the server.";
  static override description =
    "The server's version is that of the etcd API it serves. Without a server the exit code is 0 all the same.";
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> -o json",
  ];

  protected override async execute(): Promise<void> {
    const { flags } = await this.parse(Version);
    const out = this.outputFor(flags);
    const { client, timeoutMs } = await this.connect(flags);
    const ownVersion = this.config.version;
    const endpoint = client.endpoints[0]!;
    const status = await client.maintenance
      .status({ timeoutMs: Math.min(timeoutMs, serverTimeoutMsMax) })
      .catch((error: Error) => error);
    const server = status instanceof Error ? undefined : status.version;
    if (out.isJson) {
      await out.json({ client: ownVersion, node: process.versions.node, server: server ?? null, endpoint });
      return;
    }
    await out.line(`metastore ${ownVersion}`);
    if (server !== undefined) await out.line(`server    ${server} (${endpoint})`);
    else out.notice(`no server answers at ${endpoint}`);
  }
}
