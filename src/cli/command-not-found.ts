import type { Hook } from "@oclif/core";
import { UsageError } from "../lib/errors.ts";
import { suggest } from "./suggestion.ts";

/** oclif's hook for unknown commands: an error with the nearest command, and never a question. */
const commandNotFound: Hook.CommandNotFound = async function commandNotFound({ id, config }) {
  // Without a command oclif takes the arguments for parts of its name.
  const words = id.split(":");
  const names = [...new Set(config.commandIDs.map((command) => command.replaceAll(":", " ")))];
  const nearest = suggest(words.slice(0, 2).join(" "), names) ?? suggest(words[0]!, names);
  const hint = nearest === undefined ? `${config.bin} --help` : `${config.bin} ${nearest}`;
  throw new UsageError(`there is no command ${JSON.stringify(words[0])}`, hint);
};

export default commandNotFound;
