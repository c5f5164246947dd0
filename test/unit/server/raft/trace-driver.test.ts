import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Directive, formatDirectives, parseDirectives } from "../../../traces/directives.ts";
import { quote } from "../../../traces/printing.ts";
import { runTraces } from "../../../traces/run-traces.ts";
import { describeDifference, runTraceFile, type TraceResult } from "../../../traces/trace-file.ts";

const folder = mkdtempSync(join(tmpdir(), "metastore-traces-"));
after(() => rmSync(folder, { recursive: true }));

function run(text: string): TraceResult {
  const path = join(folder, "trace.txt");
  writeFileSync(path, text);
  return runTraceFile(path);
}

function directivesOf(text: string): Directive[] {
  return parseDirectives(text).flatMap((section) => ("directive" in section ? [section.directive] : []));
}

describe("The trace driver", () => {
  it("reads commands, arguments of all shapes, input and output", () => {
    const text = `# comment

add-nodes 3 voters=(1, 2,3) empty= nested=(a,(b,c)) \\
  more=x
input 1
 input 2
----
out
 indented

second
----
----
with

blank
----
----

third
----`;
    const [first, second, third] = directivesOf(text);
    assert.deepEqual(first?.args, [
      { key: "3", values: [] },
      { key: "voters", values: ["1", "2", "3"] },
      { key: "empty", values: [""] },
      { key: "nested", values: ["a", "(b,c)"] },
      { key: "more", values: ["x"] },
    ]);
    assert.deepEqual([first.input, first.expected, first.line], ["input 1\n input 2", "out\n indented\n", 3]);
    assert.deepEqual([second?.command, second?.expected], ["second", "with\n\nblank\n"]);
    assert.deepEqual([third?.command, third?.args, third?.expected], ["third", [], ""]);
    const sections = parseDirectives(text);
    assert.equal(
      formatDirectives(sections, (directive) => directive.expected),
      `${text}\n`,
    );
  });

  it("refuses a file that does not parse", () => {
    assert.throws(() => parseDirectives("campaign 1\n"), /line 1: no ----/);
    assert.throws(() => parseDirectives("a (\n----\n----\nb\n"), /line 1: the output has no end/);
    assert.throws(() => parseDirectives("a b=(c\n----\n"), /line 1: unbalanced/);
    assert.deepEqual(directivesOf("a b=()\n----\n")[0]?.args, [{ key: "b", values: [] }]);
  });

  it("quotes bytes as Go does", () => {
    const bytes = (...parts: (string | number)[]): Uint8Array =>
      Buffer.concat(
        parts.map((part) => (typeof part === "string" ? Buffer.from(part) : Buffer.from([part]))),
      );
    assert.equal(quote(bytes('a "b" \\')), '"a \\"b\\" \\\\"');
    assert.equal(quote(bytes("\x07\b\f\n\r\t\v\x01\x7f")), '"\\a\\b\\f\\n\\r\\t\\v\\x01\\x7f"');
    assert.equal(quote(bytes("é日", 0xff, "\u200b\u{e0001}")), '"é日\\xff\\u200b\\U000e0001"');
    assert.equal(quote(bytes(0xe6, 0x97)), '"\\xe6\\x97"');
  });

  it("tells where a trace differs, and rewrites it", () => {
    const text =
      "add-nodes 1 voters=(1) index=5\n----\nINFO something else\nINFO 1 became follower at term 0\n";
    const { difference, rewritten } = run(text);
    assert.ok(difference !== undefined);
    const shown = describeDifference(difference);
    assert.match(shown, /^line 1: add-nodes 1/);
    assert.match(shown, /- INFO something else/);
    assert.match(shown, /\+ INFO 1 switched to configuration voters=\(1\)/);
    assert.equal(run(rewritten).difference, undefined);
  });

  it("prints mistakes in a trace as output, also where all else is silent", () => {
    const text = `log-level none
----
ok

campaign 7
----
there is no node 7

log-level loud
----
log levels must be one of [DEBUG INFO WARN ERROR FATAL NONE], not loud

add-nodes 1 voters=(1)
----
index must be specified as > 1 due to bootstrap

add-nodes 1 colour=blue
----
unknown argument colour

add-nodes 1 prevote=maybe
----
prevote wants true or false

add-nodes 1 inflight=many
----
inflight wants a number

dance 1
----
unknown command dance

add-nodes 1 voters=(1) index=2 content=x
----
ok

propose-conf-change 1 v1=true
v1 v2
----
v1 conf change can only have one operation and no transition

propose-conf-change 1 transition=sideways
v1
----
unknown transition sideways

propose-conf-change 1 colour=blue
v1
----
unknown argument colour

propose-conf-change 1
x1
----
unknown input: x1

propose-conf-change 1
v
----
unknown token v

transfer-leadership from=1
----
to must be given

deliver-msgs 1 type=MsgNothing
----
ok

process-append-thread 1
----
ok

_breakpoint
----
ok
`;
    const { difference } = run(text);
    assert.ok(difference === undefined, difference && describeDifference(difference));
  });

  it("shows a core that stops as a panic, and goes on to the next file", () => {
    const text =
      "add-nodes 1 voters=(1) index=2 inflight=0\n----\npanic: max inflight messages must be greater than 0\n";
    assert.equal(run(text).difference, undefined);
  });

  it("tells quorums and membership changes from interactions by their commands", () => {
    assert.equal(run("vote cfg=(1) votes=(y)\n----\nVoteWon\n").difference, undefined);
    assert.equal(run("simple\nv1\n----\nvoters=(1)\n1: StateProbe match=0 next=1\n").difference, undefined);
    assert.equal(
      run("committed cfg=(1,2) idx=(1)\n----\nerror: mismatched input (explicit or _) for voters 1 2: 1\n")
        .difference,
      undefined,
    );
    assert.equal(run("leave-joint\nv1\n----\nthis command takes no input\n").difference, undefined);
  });

  it("counts what passed, failed and was skipped, and says why", () => {
    const lines: string[] = [];
    const say = (line: string): void => {
      lines.push(line);
    };
    writeFileSync(join(folder, "trace.txt"), "campaign 1\n----\nok\n");
    writeFileSync(join(folder, "broken.txt"), "campaign 1\n");
    writeFileSync(join(folder, "right.txt"), "vote cfg=(1) votes=(n)\n----\nVoteLost\n");
    assert.equal(runTraces([folder, join(folder, "absent")], { isUpdate: false, say }), 1);
    assert.equal(lines.at(-1), "1 passed, 2 failed, 1 skipped");
    assert.match(lines.join("\n"), /absent: there is no such folder/);
    assert.match(lines.join("\n"), /- ok\n {4}\+ there is no node 1/);
    rmSync(join(folder, "broken.txt"));
    assert.equal(runTraces([folder], { isUpdate: true, say }), 0);
    assert.match(readFileSync(join(folder, "trace.txt"), "utf8"), /there is no node 1/);
    assert.equal(runTraces([join(folder, "trace.txt")], { isUpdate: false, say }), 0);
    assert.equal(lines.at(-1), "1 passed, 0 failed, 0 skipped");
    for (const name of ["trace.txt", "right.txt"]) rmSync(join(folder, name));
    assert.equal(runTraces([folder], { isUpdate: false, say }), 0);
    assert.equal(lines.at(-1), "0 passed, 0 failed, 1 skipped");
  });
});
