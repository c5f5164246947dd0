import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Plugin } from "@oclif/core";

/**
 * Writes oclif.manifest.json in `root` from the built commands: with it a start reads one file in place of every
 * command. Part of the build.
 */
export async function writeManifest(root: string): Promise<void> {
  const plugin = new Plugin({
    root,
    type: "core",
    ignoreManifest: true,
    errorOnManifestCreate: true,
    respectNoCacheDefault: true,
  });
  await plugin.load();
  await writeFile(join(root, "oclif.manifest.json"), `${JSON.stringify(plugin.manifest)}\n`);
}
