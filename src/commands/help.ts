import { Args } from "@oclif/core";
import { BaseCommand, exitCodeMeanings } from "../cli/index.ts";

export default class HelpCommand extends BaseCommand {
  static override summary = "Show the help of a command, or the table of exit codes.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> put",
    "<%= config.bin %> <%= command.id %> lease grant",
    "<%= config.bin %> <%= command.id %> exit-codes",
  ];
  static override args = {
    topic: Args.string({
      ignoreStdin: true,
      multiple: true,
      description: "A command, a topic, or exit-codes",
    }),
  };

  protected override async execute(): Promise<void> {
    const { args, flags } = await this.parse(HelpCommand);
    const out = this.outputFor(flags);
    const words = (args.topic ?? []) as unknown as string[];
    if (words[0] === "exit-codes") {
      const rows = exitCodeMeanings.map(([code, meaning]) => [String(code), meaning]);
      await out.table(["CODE", "MEANING"], rows);
      return;
    }
    const { loadHelpClass } = await import("@oclif/core");
    const Help = await loadHelpClass(this.config);
    await new Help(this.config).showHelp(words.length === 0 ? [] : [words.join(":")]);
  }
}
