import type { Member } from "../../../codec/index.ts";

/**
 * The command that starts an added member, by the short flags. --id is the position in --cluster; where members
 * between are gone or have names of another kind, the member's own URL says which position it has.
 */
export function joinCommand(number: string, id: bigint, members: readonly Member[]): string {
  const ordered = members
    .map((member) => ({ url: member.peerUrls[0] ?? "", rank: member.id === id ? number : member.name }))
    .sort((left, right) => rankOf(left.rank) - rankOf(right.rank));
  const own = members.find((member) => member.id === id)?.peerUrls[0] ?? "";
  const urls = ordered.map(({ url }) => url);
  const position = urls.indexOf(own) + 1;
  const words = ["metastore serve", `--id ${number}`, `--cluster ${urls.join(",")}`, "--join"];
  if (String(position) !== number) words.push(`--initial-advertise-peer-urls ${own}`);
  return words.join(" ");
}

/** Members without a number come last. */
function rankOf(name: string): number {
  return /^[1-9]\d{0,4}$/.test(name) ? Number(name) : Number.MAX_SAFE_INTEGER;
}
