import { Args } from "@oclif/core";
import { BaseCommand, snapshotLine, snapshotRecord, snapshotRows } from "../../cli/index.ts";
import { NodeFs } from "../../lib/fs.ts";

export default class SnapshotStatus extends BaseCommand {
  static override summary = "Check a backup and show what it holds.";
  static override description =
    `Reads all of it and checks every checksum: one wrong bit ends with exit code 74 and says where. No server is asked.

In a pipe: hash, revision, keys, size, version, cluster id, member id, log index, log term. The hash is that of the keys and their history: backups at the same revision have the same, whichever members they are from, unless one of them was compacting.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> backup.snap",
    "<%= config.bin %> <%= command.id %> backup.snap -o json | jq .revision",
    "gunzip < backup.snap.gz | <%= config.bin %> <%= command.id %> -",
  ];
  static override args = {
    file: Args.string({ required: true, ignoreStdin: true, description: "A backup; - is stdin" }),
  };

  protected override async execute(): Promise<void> {
    const { args, flags } = await this.parse(SnapshotStatus);
    const out = this.outputFor(flags);
    const server = await import("../../server/index.ts");
    const report =
      args.file === "-"
        ? await server.inspectBackup(process.stdin, "stdin")
        : await server.inspectBackup(server.readBackupFile(new NodeFs(), args.file), args.file);
    if (out.isJson) await out.json(snapshotRecord(report));
    else if (out.format === "table") await out.table(["SNAPSHOT", args.file], snapshotRows(report));
    else await out.line(snapshotLine(report));
  }
}
