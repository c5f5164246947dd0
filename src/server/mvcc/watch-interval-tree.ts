import type { ByteString } from "../../lib/bytes.ts";
import { OPEN_END } from "../../lib/bytes.ts";
import type { Prng } from "../../lib/prng.ts";
import type { KeyInterval } from "../storage/index.ts";

interface TreeNode<V> {
  readonly start: ByteString;
  readonly end: ByteString;
  readonly value: V;
  readonly priority: number;
  /** The furthest end in this subtree. */
  endMax: ByteString;
  left: TreeNode<V> | undefined;
  right: TreeNode<V> | undefined;
}

/**
 * Distinct key ranges with a value each, and the question "which ranges hold this key" in O(log n + matches). A
 * treap ordered by (start, end), each node knowing the furthest end below it. Ends in etcd's notation: OPEN_END is
 * beyond every key; single keys (end "") do not belong here.
 */
export class WatchIntervalTree<V> {
  readonly #prng: Prng;
  #root: TreeNode<V> | undefined;
  #size = 0;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  get size(): number {
    return this.#size;
  }

  get(range: KeyInterval): V | undefined {
    let node = this.#root;
    while (node !== undefined) {
      const order = compareRanges(range, node);
      if (order === 0) return node.value;
      node = order < 0 ? node.left : node.right;
    }
    return undefined;
  }

  /** The range must not be in the tree. */
  insert(range: KeyInterval, value: V): void {
    const node: TreeNode<V> = {
      start: range.start,
      end: range.end,
      value,
      priority: this.#prng.below(0x1_0000_0000),
      endMax: range.end,
      left: undefined,
      right: undefined,
    };
    this.#root = insertNode(this.#root, node);
    this.#size++;
  }

  /** The range must be in the tree. */
  remove(range: KeyInterval): void {
    this.#root = removeNode(this.#root, range);
    this.#size--;
  }

  /** Adds the values of all ranges that hold `key` to `found`, in the order of the ranges. */
  collect(key: ByteString, found: V[]): void {
    if (this.#root !== undefined) collectFrom(this.#root, key, found);
  }
}

function collectFrom<V>(node: TreeNode<V>, key: ByteString, found: V[]): void {
  if (!isBefore(key, node.endMax)) return;
  if (node.left !== undefined) collectFrom(node.left, key, found);
  if (key < node.start) return;
  if (isBefore(key, node.end)) found.push(node.value);
  if (node.right !== undefined) collectFrom(node.right, key, found);
}

function insertNode<V>(root: TreeNode<V> | undefined, node: TreeNode<V>): TreeNode<V> {
  if (root === undefined) return node;
  if (node.priority > root.priority) {
    const [left, right] = split(root, node);
    node.left = left;
    node.right = right;
    return refreshed(node);
  }
  if (compareRanges(node, root) < 0) root.left = insertNode(root.left, node);
  else root.right = insertNode(root.right, node);
  return refreshed(root);
}

function removeNode<V>(root: TreeNode<V> | undefined, range: KeyInterval): TreeNode<V> | undefined {
  if (root === undefined) return undefined;
  const order = compareRanges(range, root);
  if (order === 0) return join(root.left, root.right);
  if (order < 0) root.left = removeNode(root.left, range);
  else root.right = removeNode(root.right, range);
  return refreshed(root);
}

/** The parts of `root` below and above `range`. */
function split<V>(
  root: TreeNode<V> | undefined,
  range: KeyInterval,
): [TreeNode<V> | undefined, TreeNode<V> | undefined] {
  if (root === undefined) return [undefined, undefined];
  if (compareRanges(root, range) < 0) {
    const [left, right] = split(root.right, range);
    root.right = left;
    return [refreshed(root), right];
  }
  const [left, right] = split(root.left, range);
  root.left = right;
  return [left, refreshed(root)];
}

/** Everything in `left` is below everything in `right`. */
function join<V>(left: TreeNode<V> | undefined, right: TreeNode<V> | undefined): TreeNode<V> | undefined {
  if (left === undefined) return right;
  if (right === undefined) return left;
  if (left.priority > right.priority) {
    left.right = join(left.right, right);
    return refreshed(left);
  }
  right.left = join(left, right.left);
  return refreshed(right);
}

function refreshed<V>(node: TreeNode<V>): TreeNode<V> {
  let endMax = node.end;
  if (node.left !== undefined) endMax = laterEnd(endMax, node.left.endMax);
  if (node.right !== undefined) endMax = laterEnd(endMax, node.right.endMax);
  node.endMax = endMax;
  return node;
}

function isBefore(key: ByteString, end: ByteString): boolean {
  return end === OPEN_END || key < end;
}

function laterEnd(left: ByteString, right: ByteString): ByteString {
  return compareEnds(left, right) >= 0 ? left : right;
}

function compareEnds(left: ByteString, right: ByteString): number {
  if (left === right) return 0;
  if (left === OPEN_END) return 1;
  if (right === OPEN_END) return -1;
  return left < right ? -1 : 1;
}

function compareRanges(left: KeyInterval, right: KeyInterval): number {
  if (left.start !== right.start) return left.start < right.start ? -1 : 1;
  return compareEnds(left.end, right.end);
}
