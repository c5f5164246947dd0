import assert from "node:assert/strict";
import { silentLog } from "../../../../src/lib/log.ts";
import { createPrng } from "../../../../src/lib/prng.ts";
import {
  createRaftLogger,
  emptyConfState,
  emptyHardState,
  LOCAL_APPEND,
  LOCAL_APPLY,
  MemoryLog,
  type RaftConfig,
  RawNode,
} from "../../../../src/server/raft/index.ts";

function start(config: Partial<RaftConfig>): RawNode {
  return new RawNode({
    id: 1n,
    electionTicks: 10,
    stableLog: new MemoryLog(),
    hardState: emptyHardState,
    confState: emptyConfState,
    applyBytesMax: 1_000,
    uncommittedBytesMax: 1_000,
    prng: createPrng(1),
    log: silentLog,
    ...config,
  });
}

describe("The settings of a member's consensus", () => {
  it("are refused when they cannot work", () => {
    for (const [config, text] of [
      [{ id: 0n }, /must not be 0/],
      [{ id: LOCAL_APPEND }, /local target/],
      [{ id: LOCAL_APPLY }, /local target/],
      [{ heartbeatTicks: 0 }, /heartbeat tick/],
      [{ heartbeatTicks: 10 }, /election tick/],
      [{ inflightMessagesMax: 0 }, /inflight messages/],
      [{ inflightBytesMax: 10, maxSizePerMessage: 11 }, /inflight bytes/],
      [{ readOnly: "leaseBased" }, /CheckQuorum/],
    ] as const) {
      assert.throws(() => start(config), text);
    }
    start({ readOnly: "leaseBased", checkQuorum: true, inflightBytesMax: 10, maxSizePerMessage: 10 });
  });

  it("send the core's lines to the member's log, and make no debug line that nobody wants", () => {
    const lines: string[] = [];
    const note = (text: string): void => {
      lines.push(text);
    };
    const log = { debug: note, info: note, warn: note, error: note };
    const logger = createRaftLogger(log);
    const levels = ["debug", "detail", "info", "warn", "error"] as const;
    for (const level of levels) logger[level](() => level);
    assert.deepEqual(lines, levels);
    createRaftLogger({ ...log, isDebugEnabled: false }).debug(() => assert.fail("made for nobody"));
    createRaftLogger({ ...log, isDebugEnabled: true }).debug(() => "wanted");
    assert.equal(lines.at(-1), "wanted");
  });
});
