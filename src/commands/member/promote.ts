import { MemberChangeCommand, memberArg } from "../../cli/index.ts";

export default class MemberPromote extends MemberChangeCommand {
  static override summary = "Make a learner a voter.";
  static override description =
    "Refused until the learner has nearly caught up with the leader; cluster status shows how far it lags.";
  static override examples = ["<%= config.bin %> <%= command.id %> n4"];
  static override args = { member: memberArg };

  protected override async execute(): Promise<void> {
    const { args, flags } = await this.parse(MemberPromote);
    await this.change(flags, args.member, "promoted in", (cluster, { id }) => cluster.memberPromote(id));
  }
}
