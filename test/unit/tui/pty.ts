import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { findProgram } from "../../harness/index.ts";

/** Makes a terminal of the given size, runs a command in it, and copies between it and its own pipes. */
const script = `
import fcntl, os, pty, select, signal, struct, sys, termios, time
rows, columns, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
pid, master = pty.fork()
if pid == 0:
    time.sleep(0.05)
    os.execvp(command[0], command)
before = termios.tcgetattr(master)
def resize(rows, columns):
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
resize(rows, columns)
sys.stderr.write("pid %d\\n" % pid); sys.stderr.flush()
status = None
sources = [master, 0]
while True:
    ready, _, _ = select.select(sources, [], [], 0.05)
    if 0 in ready:
        data = os.read(0, 65536)
        if not data:
            sources.remove(0)
        elif data.startswith(b"resize "):
            resize(*[int(word) for word in data.split()[1:3]])
        else:
            os.write(master, data)
    if master in ready:
        try:
            data = os.read(master, 65536)
        except OSError:
            data = b""
        if data:
            os.write(1, data)
        else:
            sources.remove(master)
        continue
    if status is None:
        done, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
        if done != 0 and os.WIFSTOPPED(status):
            sys.stderr.write("stopped\\n"); sys.stderr.flush()
        if done == 0 or os.WIFSTOPPED(status):
            status = None
    else:
        break
after = termios.tcgetattr(master)
code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
sys.stderr.write("modes %s\\n" % ("same" if before[:4] == after[:4] else "changed"))
sys.stderr.write("exit %d\\n" % code)
`;

/** How a command in a terminal ended. */
export interface TerminalEnd {
  /** The exit code, or the number of the signal below zero. */
  readonly code: number;
  /** Whether the line discipline (raw mode, echo) is what it was. */
  readonly areModesSame: boolean;
  /** All that was written to the terminal. */
  readonly output: string;
}

/** A command that runs in a terminal of its own. */
export class PseudoTerminal {
  readonly #helper: ChildProcess;
  #output = "";
  #report = "";

  private constructor(helper: ChildProcess) {
    this.#helper = helper;
    helper.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.#output += text;
    });
    helper.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.#report += text;
    });
  }

  /** Whether this computer can make terminals for tests: with Python, since Node cannot. */
  static get isPossible(): boolean {
    return process.platform !== "win32" && findProgram("python3") !== undefined;
  }

  static run(
    command: readonly string[],
    options: {
      readonly rows?: number;
      readonly columns?: number;
      readonly env?: Record<string, string>;
    } = {},
  ): PseudoTerminal {
    const { rows = 24, columns = 80, env = {} } = options;
    const inherited = Object.entries(process.env).filter(
      ([name]) => !/^(METASTORE|ETCD|NODE_OPTIONS|NODE_V8|NO_COLOR|FORCE_COLOR|CI$)/.test(name),
    );
    return new PseudoTerminal(
      spawn("python3", ["-c", script, String(rows), String(columns), ...command], {
        env: { ...Object.fromEntries(inherited), TERM: "xterm-256color", ...env },
        stdio: ["pipe", "pipe", "pipe"],
      }),
    );
  }

  get output(): string {
    return this.#output;
  }

  /** The process in the terminal. */
  get pid(): number {
    const pid = Number(/^pid (\d+)$/m.exec(this.#report)?.[1]);
    if (!Number.isInteger(pid)) throw new Error(`no process yet: ${this.#report}`);
    return pid;
  }

  type(keys: string): void {
    this.#helper.stdin!.write(keys);
  }

  resize(rows: number, columns: number): void {
    this.#helper.stdin!.write(`resize ${rows} ${columns}`);
  }

  /** Waits until the text or pattern was written, after position `from` of the output. */
  async shows(pattern: RegExp | string, from = 0, timeoutMs = 15_000): Promise<void> {
    const isShown = (text: string): boolean =>
      typeof pattern === "string" ? text.includes(pattern) : pattern.test(text);
    await this.#until(() => isShown(this.#output.slice(from)), String(pattern), timeoutMs);
  }

  /** Waits until the process is stopped (job control): a SIGCONT sent earlier would be lost. */
  async stops(timeoutMs = 15_000): Promise<void> {
    await this.#until(() => /^stopped$/m.test(this.#report), "the stop of the process", timeoutMs);
  }

  async #until(isSo: () => boolean, what: string, timeoutMs: number): Promise<void> {
    const endMs = performance.now() + timeoutMs;
    while (!isSo()) {
      if (performance.now() > endMs)
        throw new Error(`${what} did not appear:\n${this.#output.slice(-3_000)}`);
      if (this.#helper.exitCode !== null) throw new Error(`it ended before ${what}:\n${this.#output}`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  async end(): Promise<TerminalEnd> {
    if (this.#helper.exitCode === null) await once(this.#helper, "close");
    const code = /^exit (-?\d+)$/m.exec(this.#report)?.[1];
    if (code === undefined) throw new Error(`the helper failed: ${this.#report}`);
    return { code: Number(code), areModesSame: this.#report.includes("modes same"), output: this.#output };
  }

  /** For `after`: ends what a failed test left running. */
  kill(): void {
    if (this.#helper.exitCode === null) this.#helper.kill("SIGKILL");
  }
}
