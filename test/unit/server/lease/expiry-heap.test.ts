import { strict as assert } from "node:assert";
import fc from "fast-check";
import type { HeapNode } from "../../../../src/server/lease/index.ts";
import { ExpiryHeap, NOT_IN_HEAP } from "../../../../src/server/lease/index.ts";

function createNode(id: number): HeapNode {
  return { id: BigInt(id), dueMs: 0, heapIndex: NOT_IN_HEAP };
}

type Step =
  | { readonly kind: "set"; readonly node: number; readonly dueMs: number }
  | { readonly kind: "remove"; readonly node: number }
  | { readonly kind: "pop"; readonly nowMs: number }
  | { readonly kind: "clear" };

const node = fc.nat(15);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("set" as const), node, dueMs: fc.nat(50) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("remove" as const), node }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("pop" as const), nowMs: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.constant({ kind: "clear" as const }) },
);

function perform(heap: ExpiryHeap<HeapNode>, nodes: HeapNode[], model: Map<HeapNode, number>, step: Step) {
  switch (step.kind) {
    case "set":
      heap.set(nodes[step.node]!, step.dueMs);
      model.set(nodes[step.node]!, step.dueMs);
      return;
    case "remove":
      heap.remove(nodes[step.node]!);
      model.delete(nodes[step.node]!);
      return;
    case "pop": {
      const popped = heap.popDue(step.nowMs);
      const leastMs = Math.min(...model.values());
      if (popped === undefined) assert(leastMs > step.nowMs);
      else {
        assert.equal(model.get(popped), leastMs);
        assert(leastMs <= step.nowMs);
        model.delete(popped);
      }
      return;
    }
    case "clear":
      heap.clear();
      model.clear();
  }
}

describe("ExpiryHeap", () => {
  it("holds what a plain map holds, and gives the least first, after any steps", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const heap = new ExpiryHeap<HeapNode>();
        const nodes = Array.from({ length: 16 }, (_, id) => createNode(id));
        const model = new Map<HeapNode, number>();
        for (const one of steps) {
          perform(heap, nodes, model, one);
          assert.equal(heap.size, model.size);
          assert.equal(heap.peek()?.dueMs ?? Infinity, Math.min(...model.values()));
          for (const node of nodes) assert.equal(node.heapIndex !== NOT_IN_HEAP, model.has(node));
        }
        const drained: number[] = [];
        for (let next = heap.popDue(Infinity); next !== undefined; next = heap.popDue(Infinity)) {
          drained.push(next.dueMs);
        }
        assert.deepEqual(
          drained,
          [...model.values()].sort((left, right) => left - right),
        );
      }),
      { numRuns: 300 },
    );
  });

  it("refuses a node that is in another heap", () => {
    const [first, second] = [new ExpiryHeap<HeapNode>(), new ExpiryHeap<HeapNode>()];
    const node = createNode(1);
    first.set(node, 5);
    assert.throws(() => second.set(node, 6), /H2/);
    assert.throws(() => second.remove(node), /H2/);
  });
});
