import type { Hook } from "@oclif/core";
import { UsageError } from "../lib/errors.ts";
import { suggest } from "./suggestion.ts";

/** oclif's hook for unknown commands: an error with the nearest command, and never a question. */
const commandNotFound: Hook.CommandNotFound = async function commandNotFound({ id, config }) {
  const spaced = id.replaceAll(":", " ");
  const names = [...new Set(config.commandIDs.map((command) => command.replaceAll(":", " ")))];
  const nearest = suggest(spaced, names);
  const hint = nearest === undefined ? `${config.bin} --help` : `${config.bin} ${nearest}`;
  throw new UsageError(`there is no command ${JSON.stringify(spaced)}`, hint);
};

export default commandNotFound;
