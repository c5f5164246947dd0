import { ConnectedCommand, toHexId } from "../../cli/index.ts";

export default class LeaseList extends ConnectedCommand {
  static override summary = "List the leases.";
  static override description = "Prints one id per line.";
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> | xargs -n1 <%= config.bin %> lease show",
  ];

  protected override async execute(): Promise<void> {
    const { flags } = await this.parse(LeaseList);
    const out = this.outputFor(flags);
    const { client } = await this.connect(flags);
    const ids = (await client.lease.list()).map(toHexId);
    if (out.format === "json") await out.json({ leases: ids.map((id) => ({ id })) });
    else if (out.format === "jsonl") for (const id of ids) await out.json({ id });
    else for (const id of ids) await out.line(id);
    out.remark(`${ids.length} leases`);
  }
}
