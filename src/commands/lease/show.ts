import { Args, Flags } from "@oclif/core";
import {
  CommandError,
  ConnectedCommand,
  exitCode,
  parseLeaseId,
  toHexId,
  toJsonField,
  toLine,
} from "../../cli/index.ts";

export default class LeaseShow extends ConnectedCommand {
  static override summary = "Show what a lease has left, and its keys.";
  static override description = "A lease that does not exist ends with exit code 3.";
  static override hiddenAliases = ["lease:timetolive"];
  static override examples = ["<%= config.bin %> <%= command.id %> 694d5765fc71500b --keys"];
  static override args = {
    id: Args.string({ required: true, ignoreStdin: true, description: "The lease's hexadecimal id" }),
  };
  static override flags = {
    keys: Flags.boolean({ description: "Print the keys attached to it" }),
  };

  protected override async execute(): Promise<void> {
    const { args, flags } = await this.parse(LeaseShow);
    const out = this.outputFor(flags);
    const id = parseLeaseId(args.id);
    const { client } = await this.connect(flags);
    const lease = await client.lease.timeToLive(id, { keys: flags.keys });
    if (lease === undefined) {
      throw new CommandError(
        "NOT_FOUND",
        exitCode.notFound,
        `lease ${toHexId(id)} does not exist`,
        "metastore lease list",
      );
    }
    if (out.isJson) {
      await out.json({
        id: toHexId(id),
        ttl: lease.ttl,
        grantedTtl: lease.grantedTtl,
        ...(flags.keys ? { keys: lease.keys.map((key) => toJsonField("key", key)) } : {}),
      });
      return;
    }
    await out.line(`lease ${toHexId(id)} granted with TTL(${lease.grantedTtl}s), remaining(${lease.ttl}s)`);
    for (const key of lease.keys) await out.line(toLine(key));
  }
}
