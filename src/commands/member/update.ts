import { Flags } from "@oclif/core";
import { MemberChangeCommand, memberArg, parsePeerUrls } from "../../cli/index.ts";

export default class MemberUpdate extends MemberChangeCommand {
  static override summary = "Give a member other peer URLs.";
  static override description =
    "Do it before the member moves: the others look for it at the new URLs from then on. Then restart it with --listen-peer-urls at its new place.";
  static override examples = ["<%= config.bin %> <%= command.id %> n4 --peer-urls http://10.0.0.14:2380"];
  static override args = { member: memberArg };
  static override flags = {
    "peer-urls": Flags.string({
      required: true,
      description: "Where the other members will find it from now on, separated by commas",
      helpValue: "<http://host:port,...>",
    }),
  };

  protected override async execute(): Promise<void> {
    const { args, flags } = await this.parse(MemberUpdate);
    const peerUrls = parsePeerUrls(flags["peer-urls"]);
    await this.change(flags, args.member, "updated in", (cluster, { id }) =>
      cluster.memberUpdate(id, peerUrls),
    );
  }
}
