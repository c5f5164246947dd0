import { CommandHelp, Help } from "@oclif/core";

/** Examples stand right after the usage: they are what most people come for. */
class ExamplesFirstHelp extends CommandHelp {
  /** KEY [VALUE] [FLAGS]: the flags have a section of their own. */
  protected override defaultUsage(): string {
    const args = Object.values(this.command.args ?? {})
      .filter((arg) => !arg.hidden)
      .map((arg) => {
        const name = arg.name.replace(/[A-Z]/g, "_$&").toUpperCase() + (arg.multiple ? "..." : "");
        return arg.required ? name : `[${name}]`;
      });
    return [...args, "[FLAGS]"].join(" ");
  }

  protected override sections(): ReturnType<CommandHelp["sections"]> {
    const sections = super.sections();
    const order = ["EXAMPLES", "USAGE", "DESCRIPTION"];
    const rank = (header: string): number => {
      const index = order.indexOf(header);
      return index < 0 ? order.length : index;
    };
    return [...sections].sort((left, right) => rank(left.header) - rank(right.header));
  }
}

/** The help of metastore, named in package.json (oclif.helpClass). */
export default class MetaStoreHelp extends Help {
  protected override readonly CommandHelpClass = ExamplesFirstHelp;
}
