import { Args, Flags } from "@oclif/core";
import { ConnectedCommand, joinGuide, parsePeerUrls, toHexId, toMemberRecord } from "../../cli/index.ts";
import { UsageError } from "../../lib/errors.ts";

export default class MemberAdd extends ConnectedCommand {
  static override summary = "Let a new member into the cluster.";
  static override description =
    `Prints what to start it with: the variables that etcdctl prints, and the command line. Start it soon: a voter counts for the quorum from now on. With --learner it gets the data first and counts only once it is promoted; the safer way.

Add one member at a time, and only to a healthy cluster; an unsafe change is refused.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> n4 --peer-urls http://10.0.0.4:2380 --learner",
    "<%= config.bin %> <%= command.id %> n4 --peer-urls http://10.0.0.4:2380 -o json | jq -r .command",
  ];
  static override args = {
    name: Args.string({ required: true, ignoreStdin: true, description: "The name that it will have" }),
  };
  static override flags = {
    "peer-urls": Flags.string({
      required: true,
      description: "Where the other members will find it, separated by commas",
      helpValue: "<http://host:port,...>",
    }),
    learner: Flags.boolean({ description: "Without a vote until it is promoted" }),
  };

  protected override async execute(): Promise<void> {
    const { args, flags } = await this.parse(MemberAdd);
    const out = this.outputFor(flags);
    if (args.name === "") throw new UsageError("the name is empty", "give the new member a name");
    const peerUrls = parsePeerUrls(flags["peer-urls"]);
    const { client } = await this.connect(flags);
    const added = await client.cluster.memberAdd(peerUrls, { learner: flags.learner });
    const { environment, command } = joinGuide(added, args.name);
    if (out.isJson) {
      await out.json({
        clusterId: toHexId(added.header.clusterId),
        member: toMemberRecord(added.member),
        members: added.members.map(toMemberRecord),
        environment,
        command,
      });
      return;
    }
    const manner = flags.learner ? " as learner" : "";
    await out.line(
      `Member ${toHexId(added.member.id)} added${manner} to cluster ${toHexId(added.header.clusterId)}`,
    );
    const variables = Object.entries(environment).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
    await out.line(`\n${variables.join("\n")}\n\nStart it with:\n${command}`);
  }
}
