import {
  CommandError,
  type Connected,
  ConnectedCommand,
  exitCode,
  type FoundLeader,
  findLeader,
  findMember,
  memberArg,
  memberLabel,
  toHexId,
  toMemberRecord,
} from "../../cli/index.ts";
import type { Member } from "../../client/index.ts";

export default class LeaderMove extends ConnectedCommand {
  static override summary = "Hand leadership to another voter.";
  static override description =
    "The leader is found through --endpoints and asked to hand over, so any member may be named there. Writes wait a moment; none is lost.";
  static override hiddenAliases = ["move-leader"];
  static override examples = [
    "<%= config.bin %> <%= command.id %> n2",
    "<%= config.bin %> <%= command.id %> 9cdbedab9482b298",
  ];
  static override args = { member: memberArg };

  protected override async execute(): Promise<void> {
    const { args, flags } = await this.parse(LeaderMove);
    const out = this.outputFor(flags);
    const connected = await this.connect(flags);
    const found = await findLeader(connected);
    const target = findMember(found.members, args.member);
    if (target.id !== found.leader.id) await move(connected, found, target);
    if (out.isJson) {
      await out.json({ from: toMemberRecord(found.leader), to: toMemberRecord(target) });
    } else if (target.id === found.leader.id) {
      await out.line(`${memberLabel(target)} is the leader already`);
    } else {
      await out.line(`Leadership transferred from ${toHexId(found.leader.id)} to ${toHexId(target.id)}`);
    }
  }
}

/** Asks the leader behind an endpoint that was named, else where it says that clients find it. */
async function move(
  { client, library, options }: Connected,
  found: FoundLeader,
  target: Member,
): Promise<void> {
  const { leader, endpointIndex } = found;
  if (endpointIndex !== undefined) return client.maintenance.moveLeader(target.id, { endpointIndex });
  if (leader.clientUrls.length === 0) {
    throw new CommandError(
      "UNAVAILABLE",
      exitCode.unavailable,
      `the leader ${memberLabel(leader)} has not told where clients reach it`,
      "name its address in --endpoints",
    );
  }
  const there = library.connect({ ...options, endpoints: leader.clientUrls });
  try {
    await there.maintenance.moveLeader(target.id);
  } finally {
    there.close();
  }
}
