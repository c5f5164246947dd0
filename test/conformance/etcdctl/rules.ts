/** What must differ between two servers, and nothing more: each rule names what it hides and why. */
export interface Rule {
  readonly name: string;
  readonly reason: string;
  readonly pattern: RegExp;
  readonly replacement: string;
}

export const rules: readonly Rule[] = [
  {
    name: "address",
    reason: "each server listens on ports of its own",
    pattern: /(https?:\/\/)?127\.0\.0\.1:\d+/g,
    replacement: "$1<address>",
  },
  {
    name: "ids in json",
    reason: "cluster and member ids are hashes of names and addresses",
    pattern: /"(cluster_id|member_id|leader|ID)":\d+/g,
    replacement: '"$1":<id>',
  },
  {
    name: "ids in fields",
    reason: "as in json",
    pattern: /"(ClusterID|MemberID|ID|Leader)" : \d+/g,
    replacement: '"$1" : <id>',
  },
  {
    name: "ids in hex",
    reason: "as in json; simple and table output print 11 to 16 hex digits",
    pattern: /\b[0-9a-f]{11,16}\b/g,
    replacement: "<id>",
  },
  {
    name: "raft position",
    reason: "terms and indexes count internal entries as well",
    pattern: /"(raft_?[Tt]erm|raftIndex|raftAppliedIndex)":\d+/g,
    replacement: '"$1":<position>',
  },
  {
    name: "raft position in fields",
    reason: "as in json",
    pattern: /"(Raft\w+)" : \d+/g,
    replacement: '"$1" : <position>',
  },
  {
    name: "version and sizes",
    reason:
      "MetaStore has a version of its own (that of a key is a number and stays), and the size of a store is its engine's affair",
    pattern: /"(version|dbSize|dbSizeInUse)":("[^"]*"|(?<=Size.*)\d+)/g,
    replacement: '"$1":<own>',
  },
  {
    name: "version and sizes in fields",
    reason: "as in json",
    pattern: /"(Version|DBSize\w*)" : ("[^"]*"|(?<=Size.*)\d+)/g,
    replacement: '"$1" : <own>',
  },
  {
    name: "status line",
    reason: "version, size, term and indexes as above, in the table and the simple line of endpoint status",
    pattern:
      /(<id>[ ,|]+)[\w.+-]+([ ,|]+)[\d.]+ [kM]?B([ ,|]+)(true|false)([ ,|]+)(true|false)([ ,|]+)\d+([ ,|]+)\d+([ ,|]+)\d+/g,
    replacement: "$1<own>$2<own>$3$4$5$6$7<position>$8<position>$9<position>",
  },
  {
    name: "table width",
    reason: "columns are as wide as the values hidden above",
    pattern: /-{3,}\+|[ ]*\|[ ]*/g,
    replacement: "|",
  },
  {
    name: "durations",
    reason: "time passes",
    pattern: /(took = |remaining\(|"took":")[\d.]+\S{0,2}s/g,
    replacement: "$1<time>",
  },
  {
    name: "remaining ttl in json",
    reason: "time passes; the granted ttl stays as it is",
    pattern: /"ttl":\d+,"granted/g,
    replacement: '"ttl":<time>,"granted',
  },
  {
    name: "remaining ttl in fields",
    reason: "as in json",
    pattern: /"TTL" : \d+\n/g,
    replacement: '"TTL" : <time>\n',
  },
  {
    name: "attached keys",
    reason: "etcd lists the keys of a lease in the order of a Go map",
    pattern: /attached keys\(\[([^\]]*)\]\)/g,
    replacement: "attached keys($1)",
  },
  {
    name: "timestamps",
    reason: "etcdctl logs errors with the time of day and its own source line",
    pattern: /"ts":"[^"]*"|"caller":"[^"]*"/g,
    replacement: "<log>",
  },
];

export function normalise(text: string, captured: ReadonlyMap<string, string>): string {
  let out = text;
  for (const [name, value] of captured) {
    out = out.replaceAll(value, `<${name}>`).replaceAll(String(BigInt(`0x${value}`)), `<${name}>`);
  }
  for (const rule of rules) out = out.replace(rule.pattern, rule.replacement);
  return sortAttachedKeys(out);
}

function sortAttachedKeys(text: string): string {
  return text
    .replace(
      /attached keys\(([^)]*)\)/g,
      (_, keys: string) => `attached keys(${keys.split(" ").sort().join(" ")})`,
    )
    .replace(/"keys":\[([^\]]*)\]/g, (_, keys: string) => `"keys":[${keys.split(",").sort().join(",")}]`);
}
