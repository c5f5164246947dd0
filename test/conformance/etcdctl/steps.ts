/** One etcdctl command that both servers get. `{name}` in arguments stands for a value captured before. */
export interface Step {
  readonly name: string;
  readonly args: readonly string[];
  readonly stdin?: string;
  /** Captures group 1 of the pattern from stdout, for later arguments; it is shown as <name>. */
  readonly capture?: { readonly name: string; readonly pattern: RegExp };
  /** Milliseconds to wait before the command. */
  readonly waitMs?: number;
  /** For commands that go on until stopped: run these meanwhile, then stop at so many lines of stdout. */
  readonly meanwhile?: readonly (readonly string[])[];
  readonly lines?: number;
}

const step = (line: string, more: Partial<Step> = {}): Step => ({ name: line, args: words(line), ...more });

/** Splits at spaces; 'single quotes' hold a word together, and '' is the empty word. */
export function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
}

const txn = (name: string, stdin: string, flags = ""): Step => ({
  name,
  args: words(`txn ${flags}`.trim()),
  stdin,
});

const fresh: readonly Step[] = [
  step("get nothing"),
  step("get nothing -w json"),
  step("endpoint hashkv -w json"),
  step("alarm list"),
  step("lease list"),
  step("member list"),
  step("member list -w json"),
  step("member list -w fields"),
  step("endpoint health"),
  step("endpoint health -w json"),
  step("endpoint status"),
  step("endpoint status -w json"),
  step("endpoint status -w table"),
  step("endpoint status -w fields"),
];

const puts: readonly Step[] = [
  step("put a 1"),
  step("put a 2 --prev-kv"),
  step("put b 2 -w json"),
  step("put b 3 --prev-kv -w json"),
  step("put b 3 --prev-kv -w fields"),
  step("put c from-stdin", {
    name: "put c with the value from stdin",
    args: ["put", "c"],
    stdin: "from stdin\n",
  }),
  step("put 'key with spaces' 'value with spaces'"),
  step("put empty ''"),
  step("put -- dash -value"),
  step("put a --ignore-value"),
  step("put a 9 --ignore-value"),
  step("put missing --ignore-value"),
  step("put a 3 --ignore-lease"),
  step("put missing 1 --ignore-lease"),
  step("put a 3 --lease=7ead"),
  step("put a 3 --lease=nonsense"),
  step("put"),
  step("put a b c"),
  step("put '' v"),
  ...["1", "2", "3", "4", "5"].map((n) => step(`put n/${n} v${6 - Number(n)}`)),
  step("put n/3 again"),
];

const gets: readonly Step[] = [
  step("get a"),
  step("get a -w json"),
  step("get a -w fields"),
  step("get a --hex"),
  step("get a --print-value-only"),
  step("get empty"),
  step("get 'key with spaces'"),
  step("get dash"),
  step("get n/ --prefix"),
  step("get n/ --prefix -w json"),
  step("get n/ --prefix --keys-only"),
  step("get n/ --prefix --limit 2"),
  step("get n/ --prefix --limit 2 -w json"),
  step("get n/2 n/4"),
  step("get n/4 n/2"),
  step("get n/4 --from-key"),
  step("get '' --from-key --keys-only"),
  step("get '' --prefix --keys-only"),
  step("get n/ --prefix --from-key"),
  step("get n/1 n/2 --prefix"),
  ...["CREATE", "KEY", "MODIFY", "VALUE", "VERSION"].flatMap((target) => [
    step(`get n/ --prefix --sort-by ${target} --order ASCEND`),
    step(`get n/ --prefix --sort-by ${target} --order DESCEND --limit 3`),
    step(`get n/ --prefix --sort-by ${target}`),
  ]),
  step("get n/ --prefix --sort-by NONSENSE"),
  step("get n/ --prefix --order NONSENSE"),
  step("get a --rev 2"),
  step("get a --rev 2 -w json"),
  step("get a --rev 1"),
  step("get a --rev 100000"),
  step("get a --consistency s"),
  step("get a --consistency l"),
  step("get a --consistency x"),
  step("get"),
  step("get ''"),
  step("endpoint hashkv"),
  step("endpoint hashkv -w json"),
  step("endpoint hashkv --rev 5 -w json"),
  step("endpoint hashkv --rev 100000"),
];

const deletes: readonly Step[] = [
  step("del missing"),
  step("del missing -w json"),
  step("del empty"),
  step("del 'key with spaces' --prev-kv"),
  step("put d/1 1"),
  step("put d/2 2"),
  step("put d/3 3"),
  step("del d/1 d/3 --prev-kv"),
  step("del d/ --prefix -w json"),
  step("put d/1 1"),
  step("put d/2 2"),
  step("del d/ --prefix --prev-kv -w json"),
  step("put zz/1 1"),
  step("del zz --from-key"),
  step("del"),
  step("del a b c"),
  step("del n/ --prefix --from-key"),
];

const txns: readonly Step[] = [
  txn("txn that succeeds", 'value("a") = "b"\n\nput a 10\nget a\n\nput a 11\n\n'),
  txn("txn that fails", 'value("a") = "nothing"\n\nput a 12\n\nget a\ndel b\n\n'),
  txn("txn of every compare", 'version("a") > "0"\nmod("a") > "1"\ncreate("a") < "99"\n\nget a\n\nget b\n\n'),
  txn("txn without compares", "\nput e 1\nget e\nget n/ --prefix --limit 2\n\n\n"),
  txn("txn as json", 'mod("e") > "0"\n\nput e 2 --prev-kv\n\n\n', "-w json"),
  txn("txn as fields", 'create("e") = "0"\n\nget e\n\ndel e --prev-kv\n\n', "-w fields"),
  txn("txn with a duplicate key", "\nput e 1\nput e 2\n\n\n"),
  txn("txn with a put in a deleted range", "\ndel e/ --prefix\nput e/1 1\n\n\n"),
  txn(
    "txn with too many operations",
    `\n${Array.from({ length: 129 }, (_, i) => `put m/${i} v`).join("\n")}\n\n\n`,
  ),
  txn(
    "txn with 128 operations",
    `\n${Array.from({ length: 128 }, (_, i) => `put m/${i} v`).join("\n")}\n\n\n`,
  ),
  txn("txn with an unknown lease", "\nput e 5\nput f 1 --lease=7ead\n\n\n"),
  txn("txn with nothing in it", "\n\n\n"),
  txn("txn with a bad compare", "nonsense\n\nget a\n\n\n"),
  txn("txn of the past", "\nget a --rev 2\n\n\n"),
  txn("txn of the future", "\nget a --rev 100000\n\n\n"),
  step("get m/ --prefix --keys-only --limit 1 -w fields"),
  step("get e"),
  step("endpoint hashkv -w json", { name: "endpoint hashkv after deletes and txns" }),
];

const watches: readonly Step[] = [
  step("watch w", {
    meanwhile: [
      ["put", "w", "1"],
      ["put", "w", "2"],
      ["del", "w"],
    ],
    lines: 9,
  }),
  step("watch w/ --prefix", {
    meanwhile: [
      ["put", "w/1", "1"],
      ["put", "w/2", "2"],
      ["del", "w/", "--prefix"],
    ],
    lines: 12,
  }),
  step("watch w/1 w/3", {
    meanwhile: [
      ["put", "w/1", "1"],
      ["put", "w/3", "no"],
      ["put", "w/2", "2"],
    ],
    lines: 6,
  }),
  step("watch w --prev-kv", {
    meanwhile: [
      ["put", "w", "1"],
      ["put", "w", "2"],
      ["del", "w"],
    ],
    lines: 12,
  }),
  step("watch a --rev 2", { meanwhile: [], lines: 18 }),
  step("watch n/ --prefix --rev 2", { meanwhile: [["put", "n/9", "new"]], lines: 21 }),
  step("watch w -w json", { meanwhile: [["put", "w", "1"]], lines: 1 }),
  step("watch w -w fields", { meanwhile: [["put", "w", "1"]], lines: 11 }),
  step("watch w -- echo changed", {
    meanwhile: [
      ["put", "w", "1"],
      ["put", "w", "2"],
    ],
    lines: 8,
  }),
  step("watch"),
];

const leases: readonly Step[] = [
  step("lease grant 600", { capture: { name: "lease", pattern: /lease (\w+) granted/ } }),
  step("lease grant 0"),
  step("lease grant 9000000001"),
  step("lease grant nonsense"),
  step("lease grant"),
  step("lease timetolive {lease}"),
  step("put l/1 1 --lease={lease}"),
  step("put l/2 2 --lease={lease}"),
  step("get l/1 -w json"),
  step("lease timetolive {lease} --keys"),
  step("lease timetolive {lease} --keys -w json"),
  step("lease timetolive {lease} -w fields"),
  step("lease timetolive 7ead"),
  step("lease timetolive 7ead -w json"),
  step("lease keep-alive {lease} --once"),
  step("lease keep-alive 7ead --once"),
  step("lease keep-alive {lease}", { meanwhile: [], lines: 1 }),
  step("put l/1 3", { name: "put l/1 without its lease" }),
  step("lease timetolive {lease} --keys", { name: "lease timetolive after the detach" }),
  step("put l/2 4 --ignore-lease"),
  step("lease revoke {lease}"),
  step("get l/ --prefix", { name: "get l/ after the revoke" }),
  step("lease revoke {lease}", { name: "lease revoke again" }),
  step("lease revoke"),
  step("lease timetolive {lease}", { name: "lease timetolive after the revoke" }),
  step("lease grant 2", { capture: { name: "short", pattern: /lease (\w+) granted/ } }),
  step("put l/short 1 --lease={short}"),
  step("get l/short", { name: "get l/short after its lease expired", waitMs: 5_000 }),
  step("lease timetolive {short}", { name: "lease timetolive after the expiry" }),
];

const compactions: readonly Step[] = [
  step("compaction 10"),
  step("compaction 10", { name: "compaction of the same revision again" }),
  step("compaction 5"),
  step("compaction 1000000"),
  step("compaction nonsense"),
  step("compaction"),
  step("get a --rev 5", { name: "get of a compacted revision" }),
  step("get a --rev 10", { name: "get at the compact revision" }),
  step("watch a --rev 5", { name: "watch of a compacted revision", meanwhile: [], lines: 1 }),
  step("compaction 20 --physical"),
  step("endpoint hashkv --rev 15", { name: "endpoint hashkv of a compacted revision" }),
  step("defrag"),
  step("get n/ --prefix", { name: "get n/ after the defragmentation" }),
  step("alarm list", { name: "alarm list again" }),
  step("alarm disarm"),
];

const concurrency: readonly Step[] = [
  step("lock mutex echo held"),
  step("lock mutex", {
    name: "lock held until stopped",
    meanwhile: [["get", "mutex", "--prefix", "--keys-only"]],
    lines: 1,
  }),
  step("elect seat me", { meanwhile: [], lines: 2 }),
  step("get seat --prefix", { name: "get seat after the election" }),
];

const cluster: readonly Step[] = [
  step("put big -", {
    name: "put a value over the request limit",
    args: ["put", "big"],
    stdin: "x".repeat(1_600 * 1024),
  }),
  step("put big -", {
    name: "put a value of one megabyte",
    args: ["put", "big"],
    stdin: "x".repeat(1024 * 1024),
  }),
  step("del big"),
  step("member remove 1234"),
  step("move-leader 1234"),
  step("endpoint status -w json", { name: "endpoint status at the end" }),
];

/** Every step in order. HashKV comes before the first lease: lease ids are the server's choice and are hashed. */
export const steps: readonly Step[] = [
  ...fresh,
  ...puts,
  ...gets,
  ...deletes,
  ...txns,
  ...watches,
  ...leases,
  ...compactions,
  ...concurrency,
  ...cluster,
];
