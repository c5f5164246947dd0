import assert from "node:assert/strict";
import fc from "fast-check";
import { toJsonField, toLine } from "../../../src/cli/bytes-text.ts";
import { Output, type OutputFormat, wantsColor } from "../../../src/cli/output.ts";
import { toHexId } from "../../../src/cli/record.ts";
import { formatSize, formatTable } from "../../../src/cli/table.ts";

function capture(format: OutputFormat, isTerminal: boolean, isQuiet = false) {
  const written = { stdout: "", stderr: "" };
  const stream = (name: "stdout" | "stderr") => ({
    isTTY: isTerminal,
    columns: 20,
    write: (chunk: string | Uint8Array) => {
      written[name] += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("latin1");
      return true;
    },
    once: () => undefined,
  });
  const out = new Output({ format, isColored: false, isQuiet }, stream("stdout"), stream("stderr"));
  return { out, written };
}

describe("output", () => {
  it("puts remarks on stderr, for people at a terminal only", () => {
    for (const [format, isTerminal, isQuiet, expected] of [
      ["table", true, false, "rev 1\n"],
      ["simple", false, false, ""],
      ["json", true, false, ""],
      ["table", true, true, ""],
    ] as const) {
      const { out, written } = capture(format, isTerminal, isQuiet);
      out.remark("rev 1");
      assert.deepEqual(written, { stdout: "", stderr: expected });
    }
  });

  it("prints JSON on one line in a pipe and indented on a terminal", async () => {
    const piped = capture("json", false);
    await piped.out.json({ a: 1 });
    assert.equal(piped.written.stdout, '{"a":1}\n');
    const terminal = capture("json", true);
    await terminal.out.json({ a: 1 });
    assert.equal(terminal.written.stdout, '{\n  "a": 1\n}\n');
    const lines = capture("jsonl", true);
    await lines.out.json({ a: 1 });
    assert.equal(lines.written.stdout, '{"a":1}\n');
  });

  it("passes bytes through unchanged and waits for a slow reader", async () => {
    let drain: (() => void) | undefined;
    const stdout = {
      write: () => false,
      once: (_event: "drain", listener: () => void) => {
        drain = listener;
      },
    };
    const out = new Output({ format: "simple", isColored: false, isQuiet: false }, stdout, stdout);
    let isDone = false;
    const written = out.bytes(Buffer.from([0xff])).then(() => {
      isDone = true;
    });
    await Promise.resolve();
    assert.equal(isDone, false);
    drain?.();
    await written;
  });

  it("uses colours on a terminal, unless NO_COLOR or a dumb terminal say no", () => {
    assert.equal(wantsColor(true, {}), true);
    assert.equal(wantsColor(false, {}), false);
    assert.equal(wantsColor(true, { NO_COLOR: "1" }), false);
    assert.equal(wantsColor(true, { TERM: "dumb" }), false);
  });
});

describe("a table", () => {
  it("aligns its columns and cuts lines at the terminal's width", () => {
    const rows = [
      ["a", "1"],
      ["long name", "2"],
    ];
    assert.equal(formatTable(["NAME", "N"], rows), "NAME       N\na          1\nlong name  2\n");
    assert.equal(formatTable(["NAME", "N"], rows, 8).split("\n")[2], "long na…");
  });

  it("prints sizes in decimal units", () => {
    assert.deepEqual([0, 999, 1_000, 20_480, 2_100_000_000].map(formatSize), [
      "0 B",
      "999 B",
      "1.0 kB",
      "20 kB",
      "2.1 GB",
    ]);
  });
});

describe("bytes as text", () => {
  it("are one line without tabs, whatever they are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is the promise
        assert.doesNotMatch(toLine(Buffer.from(bytes)), /[\u0000-\u001f\u007f]/);
      }),
    );
    assert.equal(toLine(Buffer.from("naïve ✓ a\\b\t")), "naïve ✓ a\\\\b\\t");
    assert.equal(toLine(Buffer.from([0x61, 0xff])), "a\\xff");
  });

  it("differ when the bytes differ", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 6 }), fc.uint8Array({ maxLength: 6 }), (left, right) => {
        const isSame = Buffer.compare(left, right) === 0;
        assert.equal(toLine(Buffer.from(left)) === toLine(Buffer.from(right)), isSame);
      }),
      { numRuns: 2_000 },
    );
  });

  it("are text in JSON when they are UTF-8, and base64 under another name when not", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
        const field = toJsonField("value", Buffer.from(bytes));
        const back =
          "valueB64" in field
            ? Buffer.from(field["valueB64"]!, "base64")
            : Buffer.from(JSON.parse(JSON.stringify(field["value"])) as string, "utf8");
        assert.deepEqual(back, Buffer.from(bytes));
      }),
    );
  });

  it("of ids are hexadecimal, negative ones as unsigned", () => {
    assert.equal(toHexId(0n), "0");
    assert.equal(toHexId(-1n), "ffffffffffffffff");
  });
});
