import { assert } from "../../lib/assert.ts";

/** A member of an ExpiryHeap. The heap writes `heapIndex`; `dueMs` changes only through the heap. */
export interface HeapNode {
  readonly id: bigint;
  /** Monotonic milliseconds. */
  dueMs: number;
  /** Place in the heap; NOT_IN_HEAP when it is in none. */
  heapIndex: number;
}

export const NOT_IN_HEAP = -1;

/**
 * A binary heap by `dueMs` whose nodes know their place, so that one of them moves or leaves in O(log n). A node is
 * in at most one heap.
 *
 * H1: no node is due before its parent. H2: nodes[n.heapIndex] === n for each node n inside.
 */
export class ExpiryHeap<N extends HeapNode> {
  readonly #nodes: N[] = [];

  get size(): number {
    return this.#nodes.length;
  }

  /** The node due first. */
  peek(): N | undefined {
    return this.#nodes[0];
  }

  /** Inserts `node`, due at `dueMs`, or moves it when it is inside already. */
  set(node: N, dueMs: number): void {
    const previousMs = node.dueMs;
    node.dueMs = dueMs;
    if (node.heapIndex === NOT_IN_HEAP) {
      this.#nodes.push(node);
      this.#siftUp(node, this.#nodes.length - 1);
      return;
    }
    assert(this.#nodes[node.heapIndex] === node, "H2: the node belongs to another heap");
    if (dueMs < previousMs) this.#siftUp(node, node.heapIndex);
    else this.#siftDown(node, node.heapIndex);
  }

  /** Takes `node` out; nothing happens when it is in no heap. */
  remove(node: N): void {
    const index = node.heapIndex;
    if (index === NOT_IN_HEAP) return;
    assert(this.#nodes[index] === node, "H2: the node belongs to another heap");
    const last = this.#nodes.pop()!;
    node.heapIndex = NOT_IN_HEAP;
    if (last === node) return;
    if (last.dueMs < node.dueMs) this.#siftUp(last, index);
    else this.#siftDown(last, index);
  }

  /** Takes out the first node when it is due at `nowMs`. */
  popDue(nowMs: number): N | undefined {
    const first = this.#nodes[0];
    if (first === undefined || first.dueMs > nowMs) return undefined;
    this.remove(first);
    return first;
  }

  clear(): void {
    for (const node of this.#nodes) node.heapIndex = NOT_IN_HEAP;
    this.#nodes.length = 0;
  }

  #place(node: N, index: number): void {
    this.#nodes[index] = node;
    node.heapIndex = index;
  }

  #siftUp(node: N, start: number): void {
    let index = start;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#nodes[parentIndex]!;
      if (parent.dueMs <= node.dueMs) break;
      this.#place(parent, index);
      index = parentIndex;
    }
    this.#place(node, index);
  }

  #siftDown(node: N, start: number): void {
    let index = start;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = this.#nodes[childIndex];
      if (child === undefined) break;
      const right = this.#nodes[childIndex + 1];
      if (right !== undefined && right.dueMs < child.dueMs) {
        child = right;
        childIndex++;
      }
      if (child.dueMs >= node.dueMs) break;
      this.#place(child, index);
      index = childIndex;
    }
    this.#place(node, index);
  }
}
