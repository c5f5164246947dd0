/** Keys in byte order, and what belongs to each beside it. */
export interface Sorted<Key, Value> {
  readonly keys: readonly Key[];
  readonly values: readonly Value[];
}

/**
 * Sorts keys, none of which is there twice, with the value that stands at the same place. A natural merge sort: what is
 * loaded comes in runs, those of a transaction or of a writer, and merging goes through memory in order, where sorting the
 * keys and looking each value up does not. The arrays given may be among those returned.
 */
export function sortTogether<Key extends string, Value>(keys: Key[], values: Value[]): Sorted<Key, Value> {
  let starts = runStarts(keys);
  let [from, to] = [
    { keys, values },
    { keys: new Array<Key>(keys.length), values: new Array<Value>(keys.length) },
  ] as const;
  while (starts.length > 1) {
    const merged: number[] = [];
    for (let run = 0; run < starts.length; run += 2) {
      const start = starts[run] as number;
      const middle = starts[run + 1] ?? keys.length;
      merge(from, to, start, middle, starts[run + 2] ?? keys.length);
      merged.push(start);
    }
    starts = merged;
    [from, to] = [to, from];
  }
  return from;
}

/** Where the stretches begin in which each key is greater than the one before. */
function runStarts(keys: readonly string[]): number[] {
  const starts: number[] = [];
  for (let at = 0; at < keys.length; at++) {
    if (at === 0 || (keys[at] as string) < (keys[at - 1] as string)) starts.push(at);
  }
  return starts;
}

/** Merges [start, middle) and [middle, end) of `from` into `to`. */
function merge<Key extends string, Value>(
  from: { readonly keys: Key[]; readonly values: Value[] },
  to: { readonly keys: Key[]; readonly values: Value[] },
  start: number,
  middle: number,
  end: number,
): void {
  let left = start;
  let right = middle;
  for (let at = start; at < end; at++) {
    const isLeft =
      right === end || (left < middle && (from.keys[left] as string) < (from.keys[right] as string));
    const source = isLeft ? left++ : right++;
    to.keys[at] = from.keys[source] as Key;
    to.values[at] = from.values[source] as Value;
  }
}
