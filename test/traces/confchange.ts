import { AssertionError } from "../../src/lib/assert.ts";
import { describeConfig, describeProgress } from "../../src/server/raft/description.ts";
import { Changer } from "../../src/server/raft/membership.ts";
import { compareIds, emptyTrackerConfig, type Membership } from "../../src/server/raft/tracker.ts";
import { readFlag } from "./add-nodes.ts";
import { readChanges } from "./conf-change-input.ts";
import type { Directive } from "./directives.ts";

/** Membership changes alone (datadriven-format section 8). One per file. */
export class ConfChanges {
  #membership: Membership = { config: emptyTrackerConfig, progress: new Map() };
  #lastIndex = 0;

  run(directive: Directive): string {
    try {
      this.#membership = this.#change(directive);
    } catch (error) {
      if (!(error instanceof AssertionError)) throw error;
      return error.message;
    } finally {
      this.#lastIndex++;
    }
    const { config, progress } = this.#membership;
    const peers = [...progress.values()].sort((left, right) => compareIds(left.id, right.id));
    const lines = peers.map((peer) => `${peer.id}: ${describeProgress(peer)}\n`);
    return `${describeConfig(config)}\n${lines.join("")}`;
  }

  #change({ command, args, input }: Directive): Membership {
    const changer = new Changer(this.#membership, this.#lastIndex, {
      inflightMessagesMax: 10,
      inflightBytesMax: Number.POSITIVE_INFINITY,
    });
    switch (command) {
      case "simple":
        return changer.simple(readChanges(input));
      case "enter-joint": {
        const autoLeave = args.find(({ key }) => key === "autoleave");
        return changer.enterJoint(autoLeave !== undefined && readFlag(autoLeave), readChanges(input));
      }
      case "leave-joint":
        if (input !== "") throw new AssertionError("this command takes no input");
        return changer.leaveJoint();
      default:
        throw new Error(`unknown command ${command}`);
    }
  }
}
