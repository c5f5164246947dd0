import { Args, Flags } from "@oclif/core";
import { ConnectedCommand, parseWhole } from "../cli/index.ts";

export default class Compact extends ConnectedCommand {
  static override summary = "Forget the history before a revision.";
  static override description =
    "Reads and watches of older revisions fail from then on (exit code 8). What is there now stays.";
  static override hiddenAliases = ["compaction"];
  static override examples = [
    "<%= config.bin %> <%= command.id %> 1200",
    "<%= config.bin %> <%= command.id %> 1200 --physical",
  ];
  static override args = {
    revision: Args.string({
      required: true,
      ignoreStdin: true,
      description: "The oldest revision that stays readable",
    }),
  };
  static override flags = {
    physical: Flags.boolean({ description: "Wait until the space is given back on the answering member" }),
  };

  protected override async execute(): Promise<void> {
    const { args, flags } = await this.parse(Compact);
    const out = this.outputFor(flags);
    const revision = parseWhole(args.revision, "REVISION");
    const { client } = await this.connect(flags);
    const header = await client.kv.compact(revision, { physical: flags.physical });
    if (out.isJson) await out.json({ revision: header.revision, compacted: revision });
    else await out.line(`compacted revision ${revision}`);
  }
}
