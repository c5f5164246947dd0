import { Args, Flags } from "@oclif/core";
import { ConnectedCommand, type Output, parseLeaseId, toHexId } from "../../cli/index.ts";
import type { LeaseKeeper } from "../../client/index.ts";

export default class LeaseKeepAlive extends ConnectedCommand {
  static override summary = "Renew a lease until Ctrl-C, or once.";
  static override description =
    "Renews every third of the TTL and prints a line each time. A lease that expires or is revoked ends with exit code 3.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> 694d5765fc71500b",
    "<%= config.bin %> <%= command.id %> 694d5765fc71500b --once",
  ];
  static override args = {
    id: Args.string({ required: true, ignoreStdin: true, description: "The lease's hexadecimal id" }),
  };
  static override flags = {
    once: Flags.boolean({ description: "Renew one time and end" }),
  };

  protected override async execute(): Promise<void> {
    const { args, flags } = await this.parse(LeaseKeepAlive);
    const out = this.outputFor(flags);
    const id = parseLeaseId(args.id);
    const { client } = await this.connect(flags);
    // The first renewal decides, within --timeout, whether there is a server and a lease.
    await printRenewal(out, id, await client.lease.keepAliveOnce(id));
    if (flags.once) return;
    const keeper = client.lease.keepAlive(id);
    keeper.on("disconnected", (error) =>
      out.notice(`lost ${error.endpoint}: ${error.message}; reconnecting`),
    );
    await printUntilLost(out, keeper);
  }
}

function printUntilLost(out: Output, keeper: LeaseKeeper): Promise<never> {
  let isFirst = true;
  return new Promise((_, reject) => {
    keeper.on("lost", reject);
    keeper.on("renewed", (ttl) => {
      // Starting to keep it renews it at once; that second was already printed.
      if (!isFirst) printRenewal(out, keeper.id, ttl).catch(reject);
      isFirst = false;
    });
  });
}

async function printRenewal(out: Output, id: bigint, ttl: number): Promise<void> {
  if (out.isJson) await out.json({ id: toHexId(id), ttl });
  else await out.line(`lease ${toHexId(id)} keepalived with TTL(${ttl})`);
}
