import { EventEmitter } from "node:events";
import { constants } from "node:os";
import type { ReadStream, WriteStream } from "node:tty";
import { render } from "ink";
import { createDeferred } from "../../lib/deferred.ts";
import { advance } from "../advance.ts";
import type { ClusterSample } from "../cluster-sample.ts";
import { failureText } from "../failure-text.ts";
import { type Disturbance, type KeyPress, press, type ScreenEffect, settle } from "../screen-state.ts";
import { ScreenStore } from "../screen-store.ts";
import { Terminal } from "../terminal.ts";
import { App } from "./app.tsx";

export interface LiveScreenOptions {
  readonly stdin: ReadStream;
  readonly stdout: WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly isColored: boolean;
  /** Time between the starts of two samples, in milliseconds. */
  readonly intervalMs: number;
  readonly sample: () => Promise<ClusterSample>;
  /** Absent: the key is not offered. Takes a member's id in hexadecimal. */
  readonly moveLeader?: (memberId: string) => Promise<void>;
  /** For playgrounds. Resolves with what was done, in words. */
  readonly disturb?: (action: Disturbance, memberName: string) => Promise<string>;
}

/** Why the screen ended. */
export type LiveScreenEnd =
  | { readonly kind: "quit" }
  | { readonly kind: "interrupt" }
  | { readonly kind: "signal"; readonly signal: NodeJS.Signals };

const clockIntervalMs = 1_000;
/**
 * What ends a process unless it listens. Ink's signal-exit listens for them too, and ends the process without an
 * exit event when nobody else does. SIGINT is the base command's.
 */
const deadlySignals: readonly NodeJS.Signals[] = [
  ...(["SIGTERM", "SIGHUP", "SIGQUIT", "SIGABRT", "SIGALRM", "SIGUSR2"] as const),
  ...(["SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGSYS", "SIGTRAP"] as const),
];

/** How long the last line says how something went. */
const noticeMs = 8_000;
/** The longest pause between tries while nobody answers. */
const retryMsMax = 5_000;

/**
 * Shows the cluster until the person at the terminal has seen enough, or a signal ends it. The terminal is as it was
 * when this returns or throws.
 */
export async function runLiveScreen(options: LiveScreenOptions): Promise<LiveScreenEnd> {
  const screen = new LiveScreen(options);
  try {
    return await screen.run();
  } finally {
    screen.close();
  }
}

class LiveScreen {
  readonly #options: LiveScreenOptions;
  readonly #terminal: Terminal;
  readonly #store: ScreenStore;
  readonly #canvas: Canvas;
  readonly #end = createDeferred<LiveScreenEnd>();
  readonly #undo: (() => void)[] = [];
  #isOver = false;
  #wake: (() => void) | undefined;
  #stopClock: () => void = () => {};

  constructor(options: LiveScreenOptions) {
    this.#options = options;
    this.#terminal = new Terminal(options);
    this.#canvas = new Canvas(this.#terminal);
    this.#store = new ScreenStore({
      size: this.#terminal.size,
      now: nowOf(),
      abilities: {
        canMoveLeader: options.moveLeader !== undefined,
        canDisturb: options.disturb !== undefined,
      },
    });
  }

  async run(): Promise<LiveScreenEnd> {
    this.#listen();
    this.#terminal.enter();
    const instance = render(<App store={this.#store} onKey={(key) => this.#press(key)} />, {
      stdin: this.#options.stdin,
      stdout: this.#canvas as unknown as WriteStream,
      // In this mode Ink hands over whole frames, and never moves the cursor itself: the terminal draws them.
      debug: true,
      exitOnCtrlC: false,
      patchConsole: false,
    });
    this.#undo.push(() => instance.unmount());
    return await Promise.race([
      this.#end.promise,
      this.#poll(),
      // Ink ends by itself only when a component has thrown.
      instance.waitUntilExit().then(() => this.#end.promise),
    ]);
  }

  close(): void {
    this.#isOver = true;
    this.#wake?.();
    for (const undo of this.#undo.reverse()) undo();
    this.#terminal.leave();
  }

  #listen(): void {
    const { stdin, stdout } = this.#options;
    // Half a second after the samples, which are timed: drawing a frame takes some milliseconds.
    const tick = (delayMs: number): void => {
      const timer = setTimeout(() => {
        this.#store.set({ now: nowOf() });
        tick(clockIntervalMs);
      }, delayMs);
      this.#stopClock = () => clearTimeout(timer);
    };
    tick(clockIntervalMs / 2);
    this.#undo.push(() => this.#stopClock());
    this.#on(stdout, "resize", () => {
      this.#terminal.clear();
      this.#store.set({ size: this.#terminal.size, now: nowOf() });
    });
    for (const signal of deadlySignals.filter((name) => name in constants.signals)) {
      this.#on(process, signal, () => this.#end.resolve({ kind: "signal", signal }));
    }
    this.#on(process, "SIGTSTP", () => this.#stop());
    this.#on(process, "SIGCONT", () => {
      this.#terminal.enter();
      this.#terminal.repaint();
    });
    // A keyboard that is gone is a terminal that is gone.
    this.#on(stdin, "end", () => this.#end.resolve({ kind: "signal", signal: "SIGHUP" }));
    this.#on(stdin, "error", () => this.#end.resolve({ kind: "signal", signal: "SIGHUP" }));
  }

  #on(emitter: EventEmitter, event: string, listener: () => void): void {
    emitter.on(event, listener);
    this.#undo.push(() => emitter.off(event, listener));
  }

  #stop(): void {
    this.#terminal.leave();
    process.kill(process.pid, "SIGSTOP");
  }

  async #poll(): Promise<never> {
    let failures = 0;
    for (;;) {
      const startedMs = performance.now();
      const sample = await this.#options.sample();
      if (this.#isOver) return new Promise(() => {});
      const model = advance(this.#store.get().model, sample);
      failures = model.failure === undefined ? 0 : failures + 1;
      const pauseMs = failures <= 1 ? this.#options.intervalMs : retryMs(failures, this.#options.intervalMs);
      const nextSampleAtMs = Math.max(startedMs + pauseMs, performance.now());
      this.#store.set({ model, now: nowOf(), nextSampleAtMs });
      await this.#pause(nextSampleAtMs - performance.now());
    }
  }

  #pause(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, durationMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #press(key: KeyPress): void {
    const { state, model, abilities } = this.#store.get();
    const outcome = press(state, key, model, abilities);
    this.#store.set({ state: outcome.state, now: nowOf() });
    if (outcome.effect !== undefined) this.#carryOut(outcome.effect);
  }

  #carryOut(effect: ScreenEffect): void {
    switch (effect.kind) {
      case "quit":
        this.#end.resolve({ kind: effect.isInterrupt ? "interrupt" : "quit" });
        return;
      case "suspend":
        // To the whole group, as the terminal itself would: npx and the like have to stop with us.
        process.kill(0, "SIGTSTP");
        return;
      case "repaint":
        this.#terminal.repaint();
        return;
      case "moveLeader":
        this.#report(this.#options.moveLeader!(effect.targetId).then(() => "leadership has moved"));
        return;
      case "disturb":
        this.#report(this.#options.disturb!(effect.action, effect.member));
    }
  }

  /** Shows how it went, and what the cluster looks like after it. */
  #report(action: Promise<string>): void {
    void action
      .catch((error: unknown) => {
        if (!(error instanceof Error)) throw error;
        return `failed: ${failureText(error)}`;
      })
      .then((notice) => {
        this.#store.set({ state: settle(this.#store.get().state, notice) });
        this.#wake?.();
        this.#forgetLater(notice);
      }, this.#end.reject);
  }

  #forgetLater(notice: string): void {
    const timer = setTimeout(() => {
      const { state } = this.#store.get();
      if (state.notice === notice) this.#store.set({ state: { ...state, notice: undefined } });
    }, noticeMs);
    this.#undo.push(() => clearTimeout(timer));
  }
}

/** What Ink takes for its stdout: each write is a whole frame. */
class Canvas extends EventEmitter {
  /** Ink would otherwise write sequences of its own between the frames. */
  readonly isTTY = false;
  readonly #terminal: Terminal;

  constructor(terminal: Terminal) {
    super();
    this.#terminal = terminal;
  }

  get columns(): number {
    return this.#terminal.size.columns;
  }

  get rows(): number {
    return this.#terminal.size.rows;
  }

  write(frame: string): boolean {
    this.#terminal.draw(frame);
    return true;
  }
}

function retryMs(failures: number, intervalMs: number): number {
  return Math.max(intervalMs, Math.min(retryMsMax, intervalMs * failures));
}

function nowOf(): { readonly atMs: number; readonly wallMs: number } {
  return { atMs: performance.now(), wallMs: Date.now() };
}
