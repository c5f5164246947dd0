import { Command } from "@oclif/core";
import type { ConnectOptions, MetaStoreClient } from "../client/index.ts";
import { CommandError, ExitWith, exitCode } from "./exit-codes.ts";
import {
  type ConnectionFlagValues,
  connectionFlags,
  defaultFormat,
  type OutputFlagValues,
  outputFlags,
  toConnectOptions,
} from "./flags.ts";
import { Output, wantsColor } from "./output.ts";
import { watchForReaderGone } from "./reader-gone.ts";
import { readInput } from "./stdin.ts";

type ClientLibrary = typeof import("../client/index.ts");

/** A connected client, with the library it comes from: commands load it only when they connect. */
export interface Connected {
  readonly client: MetaStoreClient;
  readonly library: ClientLibrary;
  readonly timeoutMs: number;
  /** What the client was made with, for commands that make further ones. */
  readonly options: ConnectOptions;
}

/**
 * What every command has in common: output by the contract, Ctrl-C ends it with 130, a closed stdout ends it with
 * 0, and its errors go up to main(), which alone prints them.
 */
export abstract class BaseCommand extends Command {
  static override baseFlags: typeof outputFlags = outputFlags;
  /** True for a command that ends by its own rules: neither Ctrl-C nor a closed stdout ends it from here. */
  static readonly isService: boolean = false;

  protected abstract execute(): Promise<void>;

  /** Called, and waited for, when the command is over, however it ended. */
  protected async dispose(): Promise<void> {}

  override async run(): Promise<void> {
    const { isService } = this.constructor as typeof BaseCommand;
    const isOver = new AbortController();
    try {
      if (isService) await this.execute();
      else
        await Promise.race([
          this.execute(),
          this.#stdoutClosed(isOver.signal),
          this.#interrupted(isOver.signal),
        ]);
    } finally {
      isOver.abort();
      await this.dispose();
    }
  }

  /** oclif's own printing, exit codes and stack traces give way to main(). */
  protected override async catch(error: Error): Promise<never> {
    throw error;
  }

  protected outputFor(flags: OutputFlagValues): Output {
    const isTerminal = process.stdout.isTTY === true;
    const format = defaultFormat(flags.json ? "json" : flags.output, isTerminal, process.env);
    const isColored = !flags["no-color"] && wantsColor(isTerminal, process.env);
    return new Output({ format, isColored, isQuiet: flags.quiet }, process.stdout, process.stderr);
  }

  #stdoutClosed(isOver: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      process.stdout.on("error", (error: NodeJS.ErrnoException) => {
        if (error.code === "EPIPE") resolve();
        else reject(new CommandError("OUTPUT", exitCode.runtime, `cannot write to stdout: ${error.message}`));
      });
      watchForReaderGone(isOver, resolve);
    });
  }

  #interrupted(isOver: AbortSignal): Promise<void> {
    return new Promise((_, reject) => {
      const onInterrupt = (): void => reject(new ExitWith(exitCode.interrupted));
      process.on("SIGINT", onInterrupt);
      isOver.addEventListener("abort", () => process.off("SIGINT", onInterrupt));
    });
  }
}

/** A command that talks to a server. */
export abstract class ConnectedCommand extends BaseCommand {
  static override baseFlags: typeof outputFlags & typeof connectionFlags = {
    ...outputFlags,
    ...connectionFlags,
  };

  #client: MetaStoreClient | undefined;

  /** @throws UsageError when the flags name no server */
  protected async connect(flags: ConnectionFlagValues): Promise<Connected> {
    const options = await toConnectOptions(flags, process.env, readInput);
    const library = await import("../client/index.ts");
    const client = library.connect(options);
    this.#client = client;
    return { client, library, timeoutMs: options.timeoutMs, options };
  }

  protected override async dispose(): Promise<void> {
    this.#client?.close();
  }
}
