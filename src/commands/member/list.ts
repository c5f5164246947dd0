import { Flags } from "@oclif/core";
import { ConnectedCommand, hasStarted, toHexId, toLine, toMemberRecord } from "../../cli/index.ts";
import type { Member } from "../../client/index.ts";

export default class MemberList extends ConnectedCommand {
  static override summary = "List the members.";
  static override description =
    `In a pipe one line per member, as etcdctl prints it: id, started or unstarted, name, peer URLs, client URLs, whether it is a learner.

An unstarted member was added and has not served yet; it counts for the quorum unless it is a learner.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> -o jsonl | jq -r 'select(.started|not).id'",
    "<%= config.bin %> <%= command.id %> --serializable --endpoints 10.0.0.1:2379",
  ];
  static override flags = {
    serializable: Flags.boolean({
      description: "Answer from the asked member's own state, which needs no leader and may be old",
    }),
    consistency: Flags.string({ hidden: true, options: ["l", "s"], description: "As in etcdctl" }),
  };

  protected override async execute(): Promise<void> {
    const { flags } = await this.parse(MemberList);
    const out = this.outputFor(flags);
    const { client } = await this.connect(flags);
    const { members, header } = await client.cluster.memberList({
      serializable: flags.serializable || flags.consistency === "s",
    });
    switch (out.format) {
      case "json":
        await out.json({ clusterId: toHexId(header.clusterId), members: members.map(toMemberRecord) });
        break;
      case "jsonl":
        for (const member of members) await out.json(toMemberRecord(member));
        break;
      case "table":
        await out.table(
          ["ID", "STATUS", "NAME", "PEER URLS", "CLIENT URLS", "LEARNER"],
          members.map((member) => cells(member).map((cell) => cell || "-")),
        );
        break;
      case "simple":
        for (const member of members) await out.line(cells(member).join(", "));
        break;
    }
    out.remark(`${members.length} members, cluster ${toHexId(header.clusterId)}`);
  }
}

function cells(member: Member): string[] {
  return [
    toHexId(member.id),
    hasStarted(member) ? "started" : "unstarted",
    toLine(Buffer.from(member.name)),
    member.peerUrls.join(","),
    member.clientUrls.join(","),
    String(member.isLearner),
  ];
}
