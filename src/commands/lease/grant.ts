import { Args } from "@oclif/core";
import { ConnectedCommand, parseDuration, toHexId } from "../../cli/index.ts";
import { UsageError } from "../../lib/errors.ts";

export default class LeaseGrant extends ConnectedCommand {
  static override summary = "Create a lease.";
  static override description =
    "Keys put with --lease are deleted when the lease ends. The server raises a TTL that is too short for it and prints what it granted.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> 60",
    "<%= config.bin %> <%= command.id %> 5m -o json",
  ];
  static override args = {
    ttl: Args.string({
      required: true,
      ignoreStdin: true,
      description: "Seconds, or a duration such as 5m",
    }),
  };

  protected override async execute(): Promise<void> {
    const { args, flags } = await this.parse(LeaseGrant);
    const out = this.outputFor(flags);
    const ttlMs = parseDuration(args.ttl);
    if (ttlMs < 1_000 || ttlMs % 1_000 !== 0) {
      throw new UsageError(`${args.ttl} is not a whole number of seconds`, "give at least 1s");
    }
    const { client } = await this.connect(flags);
    const lease = await client.lease.grant(ttlMs / 1_000);
    if (out.isJson)
      await out.json({ id: toHexId(lease.id), ttl: lease.ttl, revision: lease.header.revision });
    else await out.line(`lease ${toHexId(lease.id)} granted with TTL(${lease.ttl}s)`);
  }
}
