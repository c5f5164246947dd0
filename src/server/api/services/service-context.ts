import type { Clock } from "../../../lib/clock.ts";
import type { Log } from "../../../lib/log.ts";
import type { ServerNode } from "../../node/index.ts";
import type { Guard } from "../guard.ts";

/** What every service works with. */
export interface ServiceContext {
  readonly node: ServerNode;
  readonly guard: Guard;
  readonly clock: Clock;
  readonly log: Log;
  /** Largest command (--max-request-bytes). */
  readonly requestBytesMax: number;
  /** Operations per list of a transaction (--max-txn-ops). */
  readonly txnOpsMax: number;
}
