import type { ByteString } from "./bytes.ts";

const LEAF_ENTRIES_MAX = 64;
const INNER_CHILDREN_MAX = 64;
/** A node that shrinks below this is merged or evened out with a neighbour, so that no node ever runs empty. */
const NODE_ENTRIES_MIN = 16;
/** Two neighbours merge when both fit in this: a merged node has room before it splits again. */
const MERGED_NODE_ENTRIES_MAX = 48;

class Leaf<V> {
  keys: ByteString[];
  values: V[];
  next: Leaf<V> | undefined;

  constructor(keys: ByteString[], values: V[], next: Leaf<V> | undefined) {
    this.keys = keys;
    this.values = values;
    this.next = next;
  }
}

/** children[i] holds the keys k with separators[i-1] <= k < separators[i]; sizes[i] is how many. */
class Inner<V> {
  separators: ByteString[];
  children: Node<V>[];
  sizes: number[];

  constructor(separators: ByteString[], children: Node<V>[], sizes: number[]) {
    this.separators = separators;
    this.children = children;
    this.sizes = sizes;
  }
}

type Node<V> = Leaf<V> | Inner<V>;

/** A node, its first key, and how many entries are in and below it. */
interface Subtree<V> {
  readonly node: Node<V>;
  readonly first: ByteString;
  readonly size: number;
}

/** Walks entries in ascending key order. Valid until the map changes. */
export class SortedMapCursor<V> {
  #leaf: Leaf<V> | undefined;
  #index: number;

  /** Made by SortedMap.seek. */
  constructor(leaf: Leaf<V>, index: number) {
    this.#leaf = leaf;
    this.#index = index;
    this.#settle();
  }

  /** Whether the cursor stands past the last entry; key and value may be read only while it does not. */
  get isDone(): boolean {
    return this.#leaf === undefined;
  }

  get key(): ByteString {
    return (this.#leaf as Leaf<V>).keys[this.#index] as ByteString;
  }

  get value(): V {
    return (this.#leaf as Leaf<V>).values[this.#index] as V;
  }

  advance(): void {
    this.#index++;
    this.#settle();
  }

  #settle(): void {
    while (this.#leaf !== undefined && this.#index >= this.#leaf.keys.length) {
      this.#leaf = this.#leaf.next;
      this.#index = 0;
    }
  }
}

/**
 * A map in byte order of its keys: a B+tree that also counts, so that the number of keys in a range costs two
 * descents. Get, set, delete, seek and rank are O(log n).
 */
export class SortedMap<V> {
  #root: Node<V> = new Leaf<V>([], [], undefined);
  /** Levels of inner nodes above the leaves. */
  #height = 0;
  #size = 0;
  /** The way of the last descent, root first: reused, so that a descent allocates nothing. */
  readonly #pathNodes: Inner<V>[] = [];
  readonly #pathIndexes: number[] = [];

  /** The map of leaves in ascending order, linked to each other, none of them empty; made by SortedMapBuilder. */
  static ofLeaves<V>(leaves: readonly Leaf<V>[]): SortedMap<V> {
    const map = new SortedMap<V>();
    let level = leaves.map((node): Subtree<V> => {
      const { keys } = node;
      return { node, first: keys[0] as ByteString, size: keys.length };
    });
    while (level.length > 1) {
      const below = level;
      level = evenly(below.length, MERGED_NODE_ENTRIES_MAX).map(([from, to]) => {
        const children = below.slice(from, to);
        const separators = children.slice(1).map(({ first }) => first);
        const sizes = children.map(({ size }) => size);
        const node = new Inner<V>(
          separators,
          children.map((child) => child.node),
          sizes,
        );
        return { node, first: (below[from] as Subtree<V>).first, size: sum(sizes) };
      });
      map.#height++;
    }
    const [top] = level;
    if (top !== undefined) [map.#root, map.#size] = [top.node, top.size];
    return map;
  }

  get size(): number {
    return this.#size;
  }

  get(key: ByteString): V | undefined {
    const leaf = this.#leafOf(key);
    const index = lowerBound(leaf.keys, key);
    return leaf.keys[index] === key ? leaf.values[index] : undefined;
  }

  /** Sets the value of `key`. True when the key is new. */
  set(key: ByteString, value: V): boolean {
    const leaf = this.#descend(key);
    const index = lowerBound(leaf.keys, key);
    if (leaf.keys[index] === key) {
      leaf.values[index] = value;
      return false;
    }
    insertAt(leaf.keys, index, key);
    insertAt(leaf.values, index, value);
    this.#size++;
    this.#addToPath(1);
    if (leaf.keys.length > LEAF_ENTRIES_MAX) this.#splitLeaf(leaf, index);
    return true;
  }

  /** Removes `key`. False when there is no such key. */
  delete(key: ByteString): boolean {
    const leaf = this.#descend(key);
    const index = lowerBound(leaf.keys, key);
    if (leaf.keys[index] !== key) return false;
    removeAt(leaf.keys, index);
    removeAt(leaf.values, index);
    this.#size--;
    this.#addToPath(-1);
    if (leaf.keys.length < NODE_ENTRIES_MIN) this.#rebalance();
    return true;
  }

  clear(): void {
    this.#root = new Leaf<V>([], [], undefined);
    this.#height = 0;
    this.#size = 0;
    this.#pathNodes.length = 0;
    this.#pathIndexes.length = 0;
  }

  /** A cursor on the first entry with a key at or after `key`. */
  seek(key: ByteString): SortedMapCursor<V> {
    const leaf = this.#leafOf(key);
    return new SortedMapCursor(leaf, lowerBound(leaf.keys, key));
  }

  /** How many keys come before `key`. */
  rank(key: ByteString): number {
    let node = this.#root;
    let rank = 0;
    for (let level = this.#height; level > 0; level--) {
      const inner = node as Inner<V>;
      const index = upperBound(inner.separators, key);
      for (let i = 0; i < index; i++) rank += inner.sizes[i] as number;
      node = inner.children[index] as Node<V>;
    }
    return rank + lowerBound((node as Leaf<V>).keys, key);
  }

  #leafOf(key: ByteString): Leaf<V> {
    let node = this.#root;
    for (let level = this.#height; level > 0; level--) {
      const inner = node as Inner<V>;
      node = inner.children[upperBound(inner.separators, key)] as Node<V>;
    }
    return node as Leaf<V>;
  }

  /** Like #leafOf, and keeps the way. */
  #descend(key: ByteString): Leaf<V> {
    let node = this.#root;
    for (let depth = 0; depth < this.#height; depth++) {
      const inner = node as Inner<V>;
      const index = upperBound(inner.separators, key);
      this.#pathNodes[depth] = inner;
      this.#pathIndexes[depth] = index;
      node = inner.children[index] as Node<V>;
    }
    return node as Leaf<V>;
  }

  #addToPath(count: number): void {
    for (let depth = 0; depth < this.#height; depth++) {
      const inner = this.#pathNodes[depth] as Inner<V>;
      const index = this.#pathIndexes[depth] as number;
      inner.sizes[index] = (inner.sizes[index] as number) + count;
    }
  }

  #splitLeaf(leaf: Leaf<V>, insertedAt: number): void {
    // Keys that arrive in order would leave every leaf half empty: split at the end then.
    const isAppend = leaf.next === undefined && insertedAt === LEAF_ENTRIES_MAX;
    const at = isAppend ? insertedAt : leaf.keys.length >> 1;
    const right = new Leaf<V>(leaf.keys.slice(at), leaf.values.slice(at), leaf.next);
    leaf.keys = leaf.keys.slice(0, at);
    leaf.values = leaf.values.slice(0, at);
    leaf.next = right;
    this.#insertSibling(leaf, right, right.keys[0] as ByteString, right.keys.length);
  }

  /** Hangs `right` beside `left` in the tree, splitting inner nodes as far up as needed. */
  #insertSibling(left: Node<V>, right: Node<V>, separator: ByteString, rightSize: number): void {
    for (let depth = this.#height - 1; depth >= 0; depth--) {
      const parent = this.#pathNodes[depth] as Inner<V>;
      const index = this.#pathIndexes[depth] as number;
      parent.sizes[index] = (parent.sizes[index] as number) - rightSize;
      insertAt(parent.separators, index, separator);
      insertAt(parent.children, index + 1, right);
      insertAt(parent.sizes, index + 1, rightSize);
      if (parent.children.length <= INNER_CHILDREN_MAX) return;

      const isAppend = index + 2 === parent.children.length;
      const at = isAppend ? parent.children.length - 2 : parent.children.length >> 1;
      left = parent;
      separator = parent.separators[at - 1] as ByteString;
      right = new Inner<V>(parent.separators.slice(at), parent.children.slice(at), parent.sizes.slice(at));
      rightSize = sum(right.sizes);
      parent.separators = parent.separators.slice(0, at - 1);
      parent.children = parent.children.slice(0, at);
      parent.sizes = parent.sizes.slice(0, at);
    }
    this.#root = new Inner<V>([separator], [left, right], [this.#size - rightSize, rightSize]);
    this.#height++;
  }

  /** After a removal: gives the too small nodes on the way of the last descent company, leaf first. */
  #rebalance(): void {
    for (let depth = this.#height - 1; depth >= 0; depth--) {
      const parent = this.#pathNodes[depth] as Inner<V>;
      const index = this.#pathIndexes[depth] as number;
      const left = index + 1 < parent.children.length ? index : index - 1;
      const isLeafParent = depth === this.#height - 1;
      const isMerged = isLeafParent ? rebalanceLeaves(parent, left) : rebalanceInners(parent, left);
      if (!isMerged || parent.children.length >= NODE_ENTRIES_MIN) break;
    }
    while (this.#height > 0 && (this.#root as Inner<V>).children.length === 1) {
      this.#root = (this.#root as Inner<V>).children[0] as Node<V>;
      this.#height--;
    }
    this.#pathNodes.length = 0;
  }
}

/** Makes a map of entries that come in ascending order, each key once, without a search for any of them. */
export class SortedMapBuilder<V> {
  readonly #leaves: Leaf<V>[] = [];
  /** What comes into the next leaf, which gets arrays of just the size. */
  readonly #keys: ByteString[] = [];
  readonly #values: V[] = [];
  #count = 0;

  add(key: ByteString, value: V): void {
    if (this.#count === MERGED_NODE_ENTRIES_MAX) this.#endLeaf();
    this.#keys[this.#count] = key;
    this.#values[this.#count] = value;
    this.#count++;
  }

  /** The map of all that was added. To be called once. */
  finish(): SortedMap<V> {
    if (this.#count > 0) this.#endLeaf();
    const [beforeLast, last] = this.#leaves.slice(-2);
    if (beforeLast !== undefined && last !== undefined && last.keys.length < NODE_ENTRIES_MIN)
      shareEvenly(beforeLast, last);
    return SortedMap.ofLeaves(this.#leaves);
  }

  #endLeaf(): void {
    const leaf = new Leaf<V>(this.#keys.slice(0, this.#count), this.#values.slice(0, this.#count), undefined);
    const previous = this.#leaves.at(-1);
    if (previous !== undefined) previous.next = leaf;
    this.#leaves.push(leaf);
    this.#count = 0;
  }
}

/** The bounds of the fewest pieces of `count` entries that hold at most `most` each, nearly equal in size. */
function evenly(count: number, most: number): [from: number, to: number][] {
  const pieces = Math.ceil(count / most);
  return Array.from({ length: pieces }, (_, i) => [
    Math.floor((i * count) / pieces),
    Math.floor(((i + 1) * count) / pieces),
  ]);
}

/** Merges two neighbour leaves when they fit together (true), or else shares their entries evenly (false). */
function rebalanceLeaves<V>(parent: Inner<V>, index: number): boolean {
  const left = parent.children[index] as Leaf<V>;
  const right = parent.children[index + 1] as Leaf<V>;
  if (left.keys.length + right.keys.length <= MERGED_NODE_ENTRIES_MAX) {
    left.keys = left.keys.concat(right.keys);
    left.values = left.values.concat(right.values);
    left.next = right.next;
    dropChild(parent, index + 1);
    return true;
  }
  shareEvenly(left, right);
  parent.separators[index] = right.keys[0] as ByteString;
  parent.sizes[index] = left.keys.length;
  parent.sizes[index + 1] = right.keys.length;
  return false;
}

/** Gives half of what two neighbours have to each. */
function shareEvenly<V>(left: Leaf<V>, right: Leaf<V>): void {
  const keys = left.keys.concat(right.keys);
  const values = left.values.concat(right.values);
  const half = keys.length >> 1;
  left.keys = keys.slice(0, half);
  left.values = values.slice(0, half);
  right.keys = keys.slice(half);
  right.values = values.slice(half);
}

/** The same for two neighbour inner nodes. */
function rebalanceInners<V>(parent: Inner<V>, index: number): boolean {
  const left = parent.children[index] as Inner<V>;
  const right = parent.children[index + 1] as Inner<V>;
  const separators = left.separators.concat(parent.separators[index] as ByteString, right.separators);
  const children = left.children.concat(right.children);
  const sizes = left.sizes.concat(right.sizes);
  if (children.length <= MERGED_NODE_ENTRIES_MAX) {
    left.separators = separators;
    left.children = children;
    left.sizes = sizes;
    dropChild(parent, index + 1);
    return true;
  }
  const half = children.length >> 1;
  left.separators = separators.slice(0, half - 1);
  left.children = children.slice(0, half);
  left.sizes = sizes.slice(0, half);
  right.separators = separators.slice(half);
  right.children = children.slice(half);
  right.sizes = sizes.slice(half);
  parent.separators[index] = separators[half - 1] as ByteString;
  parent.sizes[index] = sum(left.sizes);
  parent.sizes[index + 1] = sum(right.sizes);
  return false;
}

/** Takes the child at `index`, whose entries have moved into the one before it, out of its parent. */
function dropChild<V>(parent: Inner<V>, index: number): void {
  parent.sizes[index - 1] = (parent.sizes[index - 1] as number) + (parent.sizes[index] as number);
  removeAt(parent.separators, index - 1);
  removeAt(parent.children, index);
  removeAt(parent.sizes, index);
}

/** The first index whose key is at or after `key`. */
function lowerBound(keys: readonly ByteString[], key: ByteString): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as ByteString) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The first index whose key is after `key`. */
function upperBound(keys: readonly ByteString[], key: ByteString): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as ByteString) <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function insertAt<T>(array: T[], index: number, item: T): void {
  array.push(item);
  for (let i = array.length - 1; i > index; i--) array[i] = array[i - 1] as T;
  array[index] = item;
}

function removeAt<T>(array: T[], index: number): void {
  for (let i = index + 1; i < array.length; i++) array[i - 1] = array[i] as T;
  array.pop();
}

function sum(numbers: readonly number[]): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
