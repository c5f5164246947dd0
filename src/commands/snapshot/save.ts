import { Args } from "@oclif/core";
import {
  ConnectedCommand,
  formatSize,
  type Output,
  snapshotLine,
  snapshotRecord,
  snapshotRows,
} from "../../cli/index.ts";
import type { SnapshotDownload } from "../../client/index.ts";
import { UsageError } from "../../lib/errors.ts";
import { NodeFs } from "../../lib/fs.ts";

const progressIntervalMs = 200;

export default class SnapshotSave extends ConnectedCommand {
  static override summary = "Save a backup of all keys from a live member.";
  static override description =
    `The member goes on serving, reads and writes. The backup is its state at one revision: all keys with their history, leases, members; a member that has lost its quorum gives one too. FILE gets its name when every byte is there, checked and on the disk; a backup that has the name already is replaced then, and stays when anything fails.

- writes to stdout: end the pipe with a check, metastore snapshot status -. The first of the --endpoints that answers is asked. --timeout is the longest wait for the next bytes.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> backup.snap",
    "<%= config.bin %> <%= command.id %> backup-$(date +%F).snap --endpoints 10.0.0.2:2379 -o json",
    "<%= config.bin %> <%= command.id %> - | gzip > backup.snap.gz",
  ];
  static override args = {
    file: Args.string({
      required: true,
      ignoreStdin: true,
      description: "File to write, replaced when it exists; - is stdout",
    }),
  };

  readonly #ending = new AbortController();
  #saving: Promise<unknown> | undefined;

  protected override async execute(): Promise<void> {
    const { args, flags } = await this.parse(SnapshotSave);
    const out = this.outputFor(flags);
    const isStdout = args.file === "-";
    if (isStdout && out.isTerminal) {
      throw new UsageError("a snapshot is no text for a terminal", "name a file, or pipe it somewhere");
    }
    const { client, timeoutMs } = await this.connect(flags);
    const server = await import("../../server/index.ts");
    const download = client.maintenance.snapshot({ timeoutMs, signal: this.#ending.signal });
    const blocks = observed(download, out, isStdout);
    const saving = isStdout
      ? server.inspectBackup(blocks, `the snapshot from ${download.endpoint}`)
      : server.saveBackup(new NodeFs(), args.file, blocks);
    if (!isStdout) this.#saving = saving.catch(() => undefined);
    const report = await saving.finally(() => out.progress(undefined));
    const { endpoint } = download;
    if (isStdout) out.notice(`snapshot of ${endpoint}: ${snapshotLine(report)}`);
    else if (out.isJson) await out.json({ file: args.file, endpoint, ...snapshotRecord(report) });
    else if (out.format === "table") {
      await out.table(["SNAPSHOT", args.file], [["from", endpoint], ...snapshotRows(report)]);
    } else {
      await out.line(`Snapshot saved at ${args.file}`);
      await out.line(snapshotLine(report));
    }
  }

  /** Interrupted, it leaves no draft behind. */
  protected override async dispose(): Promise<void> {
    this.#ending.abort();
    await this.#saving;
    await super.dispose();
  }
}

/** The bytes as they come, told of on the way, and written to stdout when that is where they go. */
async function* observed(
  download: SnapshotDownload,
  out: Output,
  isStdout: boolean,
): AsyncGenerator<Uint8Array> {
  let toldMs = 0;
  for await (const bytes of download) {
    if (isStdout) await out.bytes(bytes);
    const nowMs = performance.now();
    if (nowMs - toldMs >= progressIntervalMs) {
      toldMs = nowMs;
      const left = download.remainingBytes ?? 0;
      out.progress(`${formatSize(download.receivedBytes)} received, about ${formatSize(left)} to come`);
    }
    yield bytes;
  }
}
