import type { Random } from "./random.ts";

/** Which directed links do not deliver. */
export type Blocked = (from: bigint, to: bigint) => boolean;

/** A partition of some kind: a split, one member alone, one direction only, a bridge, or single links. */
export function drawPartition(random: Random, ids: readonly bigint[]): Blocked {
  const shuffled = random.shuffled(ids);
  const some = new Set(shuffled.slice(0, random.below(ids.length)));
  const one = shuffled[0]!;
  switch (random.below(6)) {
    case 0:
      return (from, to) => some.has(from) !== some.has(to);
    case 1:
      return (from, to) => from === one || to === one;
    case 2:
      return (from, to) => some.has(from) && !some.has(to);
    case 3:
      return (_, to) => to === one;
    case 4:
      // The first sees both sides, which do not see each other.
      return (from, to) => from !== one && to !== one && some.has(from) !== some.has(to);
    default: {
      const links = new Set(
        ids.flatMap((from) => ids.filter(() => random.chance(0.3)).map((to) => `${from}>${to}`)),
      );
      return (from, to) => links.has(`${from}>${to}`);
    }
  }
}
