import { MemberChangeCommand, memberArg } from "../../cli/index.ts";

export default class MemberRemove extends MemberChangeCommand {
  static override summary = "Remove a member for good.";
  static override description =
    "Its server stops by itself, and its id never comes back: to bring the computer back, empty its data directory and add it as a new member. Refused when the rest could not form a quorum.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> n4",
    "<%= config.bin %> <%= command.id %> f47d65768e3e6222",
  ];
  static override args = { member: memberArg };

  protected override async execute(): Promise<void> {
    const { args, flags } = await this.parse(MemberRemove);
    await this.change(flags, args.member, "removed from", (cluster, { id }) => cluster.memberRemove(id));
  }
}
