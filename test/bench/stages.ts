export const IDLE = "idle";

/** What a function of the server works for, by the file it is in: the first pattern that fits tells. */
const areas: readonly (readonly [pattern: RegExp, stage: string])[] = [
  [/node_modules\/prom-client\//, "metrics"],
  [/node_modules\/@grpc\//, "wire"],
  [/node_modules\/rocksdb-native\//, "storage"],
  [/node_modules\//, "other packages"],
  [/^src\/codec\//, "codec"],
  [/^src\/server\/api\/http\//, "http"],
  [/^src\/server\/api\/(services\/|[^/]+$)/, "services"],
  // What is left of api/ are the transports.
  [/^src\/server\/api\//, "wire"],
  [/^src\/server\/node\//, "node"],
  [/^src\/server\/raft\//, "raft"],
  [/^src\/server\/peer\//, "peer"],
  [/^src\/server\/storage\/(wal|record-log|segment)/, "wal"],
  [/^src\/server\/storage\//, "storage"],
  [/^src\/server\/mvcc\/watch/, "watch"],
  [/^src\/server\/mvcc\//, "mvcc"],
  [/^src\/server\/state\//, "state"],
  [/^src\/server\/lease\//, "lease"],
  [/^src\/(server\/metrics|lib\/(metrics|histogram|event-loop-lag))/, "metrics"],
  [/^src\/lib\/(fs|file-operations|crc)/, "wal"],
  [/^src\/lib\//, "lib"],
  [/^src\/server\//, "server"],
  [/^src\//, "cli"],
  [/^node:(internal\/)?http2/, "node: http2"],
  [/^node:(internal\/)?(net|tls|_tls|stream)/, "node: net and streams"],
  [/^node:(timers|internal\/(timers|process|async|priority_queue|linkedlist))/, "node: timers and tasks"],
  [/^node:(internal\/)?fs/, "node: files"],
  [/^node:/, "node: other"],
];

/** What V8 names where no function runs. */
const states: Readonly<Record<string, string>> = {
  "(garbage collector)": "node: gc",
  "(program)": "node: native",
  "(idle)": IDLE,
};

/**
 * Undefined for what V8 has in itself and belongs to who calls it, such as Map.get. `file` is a path in the repository,
 * node:NAME, or empty.
 */
export function stageOf(functionName: string, file: string): string | undefined {
  if (file === "") return states[functionName];
  return areas.find(([pattern]) => pattern.test(file))?.[1] ?? "other";
}
