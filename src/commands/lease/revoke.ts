import { Args } from "@oclif/core";
import { ConnectedCommand, parseLeaseId, toHexId } from "../../cli/index.ts";

export default class LeaseRevoke extends ConnectedCommand {
  static override summary = "End a lease now and delete its keys.";
  static override examples = ["<%= config.bin %> <%= command.id %> 694d5765fc71500b"];
  static override args = {
    id: Args.string({ required: true, ignoreStdin: true, description: "The lease's hexadecimal id" }),
  };

  protected override async execute(): Promise<void> {
    const { args, flags } = await this.parse(LeaseRevoke);
    const out = this.outputFor(flags);
    const id = parseLeaseId(args.id);
    const { client } = await this.connect(flags);
    const header = await client.lease.revoke(id);
    if (out.isJson) await out.json({ id: toHexId(id), revision: header.revision });
    else await out.line(`lease ${toHexId(id)} revoked`);
  }
}
