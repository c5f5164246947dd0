import { ConnectedCommand, findLeader, memberLabel, toHexId, toMemberRecord } from "../../cli/index.ts";

export default class LeaderShow extends ConnectedCommand {
  static override summary = "Show which member leads.";
  static override description = "Exit code 4 when there is no leader.";
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> -o json | jq -r .leader.clientUrls[0]",
  ];

  protected override async execute(): Promise<void> {
    const { flags } = await this.parse(LeaderShow);
    const out = this.outputFor(flags);
    const { leader, term } = await findLeader(await this.connect(flags));
    if (out.isJson) await out.json({ leader: toMemberRecord(leader), term });
    else if (out.format === "table") {
      await out.table(
        ["NAME", "ID", "CLIENT URLS", "TERM"],
        [[leader.name || "-", toHexId(leader.id), leader.clientUrls.join(",") || "-", String(term)]],
      );
    } else await out.line(memberLabel(leader));
  }
}
