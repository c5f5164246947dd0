import { Args } from "@oclif/core";
import type { Member, MemberList } from "../client/index.ts";
import { type Connected, ConnectedCommand } from "./base-command.ts";
import type { ConnectionFlagValues, OutputFlagValues } from "./flags.ts";
import { findMember, toMemberRecord } from "./members.ts";
import { toHexId } from "./record.ts";

export const memberArg = Args.string({
  required: true,
  ignoreStdin: true,
  description: "The member's hexadecimal id, or its name",
});

/** A command that changes one member and prints that it did. */
export abstract class MemberChangeCommand extends ConnectedCommand {
  /**
   * @param text the id or name that was given
   * @param participle what happened to the member: "removed from"
   */
  protected async change(
    flags: ConnectionFlagValues & OutputFlagValues,
    text: string,
    participle: string,
    change: (cluster: Connected["client"]["cluster"], member: Member) => Promise<MemberList>,
  ): Promise<void> {
    const out = this.outputFor(flags);
    const { client } = await this.connect(flags);
    const { members } = await client.cluster.memberList();
    const member = findMember(members, text);
    const changed = await change(client.cluster, member);
    const clusterId = toHexId(changed.header.clusterId);
    if (out.isJson) {
      const now = changed.members.find(({ id }) => id === member.id) ?? member;
      await out.json({
        clusterId,
        member: toMemberRecord(now),
        members: changed.members.map(toMemberRecord),
      });
      return;
    }
    await out.line(`Member ${toHexId(member.id)} ${participle} cluster ${clusterId}`);
  }
}
