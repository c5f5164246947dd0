import { readFileSync } from "node:fs";
import { Args, Flags } from "@oclif/core";
import { alarmRecord, alarmText, BaseCommand, shellWord, toHexId, wholeFlag } from "../../cli/index.ts";
import { UsageError } from "../../lib/errors.ts";
import { NodeFs } from "../../lib/fs.ts";
import type { RestoredMember, RestoreSource } from "../../server/index.ts";

const memberFlags = {
  name: Flags.string({ description: "Name of this member; default unless set", helpValue: "<name>" }),
  "initial-cluster": Flags.string({
    description: "All members of the new cluster as NAME=URL,...; NAME alone when not given",
    helpValue: "<name=url,...>",
  }),
  "initial-advertise-peer-urls": Flags.string({
    description: "Peer URLs of this member; http://localhost:2380 unless set",
    helpValue: "<url,...>",
  }),
  "initial-cluster-token": Flags.string({
    description: "Goes into the ids; made from the backup unless set. The same for all members",
    helpValue: "<text>",
  }),
  storage: Flags.string({
    description: "Storage engine of this member; memory unless set",
    options: ["memory", "rocksdb"],
  }),
  id: Flags.string({ description: "Number of this member in --cluster, from 1", helpValue: "<n>" }),
  cluster: Flags.string({
    description: "Peer URLs of all members, in place of --initial-cluster; the n-th is that of member n",
    helpValue: "<url,...>",
  }),
};

export default class SnapshotRestore extends BaseCommand {
  static override summary = "Make the data directory of a new cluster's member from a backup.";
  static override description =
    `The member belongs to a new cluster, with new ids: it never joins the one that the backup is from. Keys, history and leases are those of the backup; a lease has what it had left when the backup was taken. Alarms are gone.

Several members: restore the same file once for each, with its --name and the same --initial-cluster, and start all of them. The flags are those of serve, and come from the environment as there. A single member of a cluster that runs is not brought back by this: member remove, then member add.

The whole backup is checked before anything is made, unless it comes from stdin; then nothing stays when it is damaged. The directory must be new or empty. A restore that is broken off leaves a directory from which no server starts; run it again.

After a restore revisions go on from that of the backup: clients that had seen later ones see them a second time with other content. --bump-revision N --mark-compacted leaves N revisions out and makes watches of earlier ones end, so that clients list anew.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> backup.snap --data-dir restored.metastore",
    "<%= config.bin %> <%= command.id %> backup.snap --data-dir n1.metastore --name n1 --initial-cluster n1=http://10.0.0.1:2380,n2=http://10.0.0.2:2380,n3=http://10.0.0.3:2380 --initial-advertise-peer-urls http://10.0.0.1:2380",
    "<%= config.bin %> <%= command.id %> backup.snap --data-dir d2 --id 2 --cluster http://10.0.0.1:2380,http://10.0.0.2:2380,http://10.0.0.3:2380",
    "<%= config.bin %> <%= command.id %> backup.snap --data-dir d --bump-revision 1000000000 --mark-compacted",
    "<%= config.bin %> <%= command.id %> backup.snap --data-dir on-disk.metastore --storage rocksdb",
    "gunzip < backup.snap.gz | <%= config.bin %> <%= command.id %> - --data-dir restored.metastore",
  ];
  static override args = {
    file: Args.string({ required: true, ignoreStdin: true, description: "A backup; - is stdin" }),
  };
  static override flags = {
    "data-dir": Flags.string({
      required: true,
      description: "The directory to make; it must not exist, or be empty",
      helpValue: "<dir>",
    }),
    ...memberFlags,
    "bump-revision": wholeFlag("How many revisions to leave out; needs --mark-compacted", "<count>"),
    "mark-compacted": Flags.boolean({
      description: "Count everything before the new revision as compacted; needs --bump-revision",
    }),
  };

  readonly #ending = new AbortController();
  #restoring: Promise<unknown> | undefined;

  protected override async execute(): Promise<void> {
    const { args, flags } = await this.parse(SnapshotRestore);
    const out = this.outputFor(flags);
    const bumpRevision = flags["bump-revision"] ?? 0;
    if (bumpRevision > 0 === !flags["mark-compacted"]) {
      throw new UsageError(
        "--bump-revision and --mark-compacted belong together",
        "give both, --bump-revision above 0, or neither",
      );
    }
    const server = await import("../../server/index.ts");
    const fs = new NodeFs();
    const { signal } = this.#ending;
    const source: RestoreSource =
      args.file === "-"
        ? { name: "stdin", open: () => stdinUntil(signal), isRepeatable: false }
        : {
            name: args.file,
            open: () => until(signal, server.readBackupFile(fs, args.file)),
            isRepeatable: true,
          };
    const given = Object.entries(flags).filter(([name]) => name in memberFlags);
    const restoring = server.restoreSnapshot({
      fs,
      source,
      dataDir: flags["data-dir"],
      input: {
        flags: Object.fromEntries(given) as Record<string, string>,
        env: process.env,
        readFile: (path) => readFileSync(path, "utf8"),
      },
      bumpRevision,
    });
    this.#restoring = restoring.catch(() => undefined);
    const restored = await restoring;
    const command = startCommand(flags["data-dir"], restored);
    for (const warning of restored.warnings) out.notice(warning);
    for (const alarm of restored.clearedAlarms) {
      out.notice(`the new cluster does not have the alarm ${alarmText(alarm)}`);
    }
    const { self, members, memberId, clusterId, revision, compactRevision, backup } = restored;
    if (out.isJson) {
      await out.json({
        dataDir: flags["data-dir"],
        clusterId: toHexId(clusterId),
        memberId: toHexId(memberId),
        name: self.name,
        members,
        revision,
        compactRevision,
        keys: backup.keys,
        leases: backup.leases,
        clearedAlarms: restored.clearedAlarms.map(alarmRecord),
        command,
      });
      return;
    }
    await out.line(
      `Restored revision ${revision} with ${backup.keys} keys into ${flags["data-dir"]}: member ${self.name} ` +
        `(${toHexId(memberId)}) of the new cluster ${toHexId(clusterId)}`,
    );
    await out.line(`\nStart it with:\n${command}`);
  }

  /** Interrupted, it leaves nothing behind. */
  protected override async dispose(): Promise<void> {
    this.#ending.abort();
    await this.#restoring;
  }
}

async function* until(signal: AbortSignal, blocks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const block of blocks) {
    signal.throwIfAborted();
    yield block;
  }
}

function stdinUntil(signal: AbortSignal): AsyncIterable<Uint8Array> {
  signal.addEventListener("abort", () => process.stdin.destroy(), { once: true });
  return process.stdin;
}

/** What the member is to be started with; a lone one needs its directory alone. */
function startCommand(dataDir: string, { self, members, engine }: RestoredMember): string {
  const words = ["metastore serve", `--data-dir ${shellWord(dataDir)}`];
  if (engine !== "memory") words.push(`--storage ${engine}`);
  if (members.length > 1) {
    const all = members.flatMap(({ name, peerUrls }) => peerUrls.map((url) => `${name}=${url}`));
    words.push(
      `--name ${shellWord(self.name)}`,
      `--initial-advertise-peer-urls ${shellWord(self.peerUrls.join(","))}`,
      `--initial-cluster ${shellWord(all.join(","))}`,
    );
  }
  return words.join(" ");
}
