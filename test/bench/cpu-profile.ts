import { readFileSync } from "node:fs";
import { OriginalPlaces } from "./original-places.ts";
import { stageOf } from "./stages.ts";

/** V8's profile: a node for every stack, and which one each sample found. */
interface V8Profile {
  readonly nodes: readonly V8Node[];
  readonly samples: readonly number[];
  /** µs before each sample. */
  readonly timeDeltas: readonly number[];
}

interface V8Node {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
    readonly columnNumber: number;
  };
  readonly children?: readonly number[];
}

/** A function in the stack of its callers. */
export interface Frame {
  readonly name: string;
  /** file:line, or empty. */
  readonly place: string;
  readonly stage: string;
  /** Of a function of Node the stage that had it called, its own when none did; else the stage. */
  readonly caller: string;
  readonly children: Map<string, Frame>;
  selfUs: number;
  totalUs: number;
}

const NODE = "node: ";
const ROOT_STAGE = "node: native";

/** Reads a .cpuprofile; the answer is the root of all stacks. Frames are one where name and place are. */
export function readProfile(file: string): Frame {
  const profile = JSON.parse(readFileSync(file, "utf8")) as V8Profile;
  const selfUs = new Map<number, number>();
  for (const [index, id] of profile.samples.entries()) {
    // The time after a sample is its own; V8 gives the one before it.
    selfUs.set(id, (selfUs.get(id) ?? 0) + (profile.timeDeltas[index + 1] ?? 0));
  }
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const places = new OriginalPlaces();
  const add = (node: V8Node, parent: Frame): void => {
    const { functionName, url, lineNumber, columnNumber } = node.callFrame;
    const { file: source, line } = places.find(url, lineNumber, columnNumber);
    const name = functionName === "" ? "(anonymous)" : functionName;
    const place = source === "" ? "" : `${source}:${line}`;
    const stage = stageOf(functionName, source) ?? parent.stage;
    const isNodes = stage.startsWith(NODE) && !parent.caller.startsWith(NODE);
    const frame = childOf(parent, { name, place, stage, caller: isNodes ? parent.caller : stage });
    frame.selfUs += selfUs.get(node.id) ?? 0;
    for (const id of node.children ?? []) {
      const child = byId.get(id);
      if (child !== undefined) add(child, frame);
    }
  };
  const root = newFrame({ name: "all", place: "", stage: ROOT_STAGE, caller: ROOT_STAGE });
  const [top] = profile.nodes;
  for (const id of top?.children ?? []) {
    const child = byId.get(id);
    if (child !== undefined) add(child, root);
  }
  sum(root);
  return root;
}

type FrameName = Pick<Frame, "name" | "place" | "stage" | "caller">;

const newFrame = (named: FrameName): Frame => ({ ...named, children: new Map(), selfUs: 0, totalUs: 0 });

function childOf(parent: Frame, named: FrameName): Frame {
  const key = `${named.name} ${named.place}`;
  const known = parent.children.get(key);
  if (known !== undefined) return known;
  const fresh = newFrame(named);
  parent.children.set(key, fresh);
  return fresh;
}

function sum(frame: Frame): number {
  frame.totalUs = frame.selfUs;
  for (const child of frame.children.values()) frame.totalUs += sum(child);
  return frame.totalUs;
}

/** Self time in µs, by what `keyOf` says of a frame; most first. */
export function selfTimes(root: Frame, keyOf: (frame: Frame) => string): [key: string, selfUs: number][] {
  const times = new Map<string, number>();
  const visit = (frame: Frame): void => {
    if (frame.selfUs > 0) times.set(keyOf(frame), (times.get(keyOf(frame)) ?? 0) + frame.selfUs);
    for (const child of frame.children.values()) visit(child);
  };
  visit(root);
  return [...times].sort(([, a], [, b]) => b - a);
}
