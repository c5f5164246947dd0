import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { ReadStream, WriteStream } from "node:tty";
import { Terminal } from "../../../src/tui/terminal.ts";

/** A terminal that remembers what is written to it; it can be told to be slow. */
class FakeStream extends EventEmitter {
  columns = 20;
  rows = 4;
  destroyed = false;
  isRaw = false;
  isSlow = false;
  written = "";

  write(text: string): boolean {
    this.written += text;
    return !this.isSlow;
  }

  setRawMode(isRaw: boolean): this {
    this.isRaw = isRaw;
    return this;
  }

  /** What was written since the last call. */
  take(): string {
    const { written } = this;
    this.written = "";
    return written;
  }
}

function open(isColored = true) {
  const [stdin, stdout, stderr] = [new FakeStream(), new FakeStream(), new FakeStream()];
  const terminal = new Terminal({
    stdin: stdin as unknown as ReadStream,
    stdout: stdout as unknown as WriteStream,
    stderr: stderr as unknown as NodeJS.WriteStream,
    isColored,
  });
  return { terminal, stdin, stdout, stderr };
}

describe("The terminal of the live screen", () => {
  it("enters the alternate screen and undoes all of it, once, however often it is told to leave", () => {
    const { terminal, stdin, stdout } = open();
    const listeners = process.listenerCount("exit");
    terminal.enter();
    assert.equal(stdin.isRaw, true);
    assert.ok(stdout.take().startsWith("\u001b[?1049h\u001b[?25l\u001b[?7l"));
    assert.equal(process.listenerCount("exit"), listeners + 1);
    terminal.leave();
    terminal.leave();
    assert.equal(stdin.isRaw, false);
    assert.equal(stdout.take(), "\u001b[0m\u001b[?7h\u001b[?25h\u001b[?1049l");
    assert.equal(process.listenerCount("exit"), listeners);
  });

  it("writes only the lines that have changed, each at its place", () => {
    const { terminal, stdout } = open();
    terminal.enter();
    terminal.draw("one\ntwo\nthree");
    stdout.take();
    terminal.draw("one\nTWO\nthree");
    assert.equal(stdout.take(), "\u001b[?2026h\u001b[2;1HTWO\u001b[0m\u001b[K\u001b[?2026l");
    terminal.draw("one\nTWO\nthree");
    assert.equal(stdout.take(), "");
    terminal.draw("one");
    assert.equal(
      stdout.take(),
      "\u001b[?2026h\u001b[2;1H\u001b[0m\u001b[K\u001b[3;1H\u001b[0m\u001b[K\u001b[?2026l",
    );
    terminal.leave();
  });

  it("does not clear behind a line that fills its row: that would take its last character away", () => {
    const { terminal, stdout } = open();
    terminal.enter();
    stdout.take();
    terminal.draw(`\u001b[2m${"─".repeat(20)}\u001b[22m`);
    assert.ok(!stdout.take().includes("\u001b[K"));
    terminal.leave();
  });

  it("draws everything anew when the size has changed, and never more lines than there are rows", () => {
    const { terminal, stdout } = open();
    terminal.enter();
    terminal.draw("a\nb\nc\nd\ne\nf");
    assert.ok(!stdout.take().includes("\u001b[5;1H"));
    terminal.repaint();
    const drawn = stdout.take();
    assert.ok(drawn.startsWith("\u001b[2J"));
    for (const row of [1, 2, 3, 4]) assert.ok(drawn.includes(`\u001b[${row};1H`));
    terminal.leave();
  });

  it("never draws below the last row, where a terminal that was made smaller would overwrite it", () => {
    const { terminal, stdout } = open();
    terminal.enter();
    terminal.draw("1\n2\n3\n4");
    stdout.rows = 2;
    stdout.take();
    terminal.clear();
    terminal.repaint();
    terminal.draw("a\nb");
    const drawn = stdout.take();
    assert.ok(drawn.includes("\u001b[2;1Hb"));
    assert.ok(!drawn.includes("\u001b[3;1H"));
    terminal.leave();
  });

  it("sends no colours where none are wanted", () => {
    const { terminal, stdout } = open(false);
    terminal.enter();
    stdout.take();
    terminal.draw("\u001b[32mhealthy\u001b[39m");
    assert.ok(stdout.take().includes("\u001b[1;1Hhealthy\u001b[0m"));
    terminal.leave();
  });

  it("gives a slow terminal the last frame, not all of them", () => {
    const { terminal, stdout } = open();
    terminal.enter();
    stdout.isSlow = true;
    terminal.draw("1");
    stdout.take();
    for (const frame of ["2", "3", "4"]) terminal.draw(frame);
    assert.equal(stdout.take(), "");
    stdout.isSlow = false;
    stdout.emit("drain");
    const drawn = stdout.take();
    assert.ok(drawn.includes("H4") && !drawn.includes("H3"));
    terminal.leave();
  });

  it("holds back what is written to stderr, and prints it when the screen is gone", () => {
    const { terminal, stderr } = open();
    terminal.enter();
    stderr.write("a warning\n");
    assert.equal(stderr.take(), "");
    terminal.leave();
    assert.equal(stderr.take(), "a warning\n");
    stderr.write("later\n");
    assert.equal(stderr.take(), "later\n");
  });

  it("draws nothing after it has left, and does not touch a terminal that is gone", () => {
    const { terminal, stdin, stdout } = open();
    terminal.enter();
    stdin.destroyed = true;
    stdout.destroyed = true;
    stdout.take();
    terminal.leave();
    terminal.draw("late");
    assert.equal(stdout.take(), "");
  });
});
