import assert from "node:assert/strict";
import type { PutRequest } from "../../../../src/codec/index.ts";
import { EMPTY, fromUtf8 } from "../../../../src/lib/bytes.ts";
import type { NodeOptions } from "../../../../src/server/node/index.ts";
import { SimClock } from "../../../sim/clock.ts";
import { type CrashMode, SimFs } from "../../../sim/disk.ts";
import type { SimDiskDatabase } from "../../../sim/disk-database.ts";
import { type SimMember, startMember } from "../../../sim/member.ts";

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A clock that seems to take its time: each look at it finds `stepMs` more gone. */
export class SlowClock extends SimClock {
  stepMs = 0;
  #gainedMs = 0;
  readonly #bootedAtMs: number;

  /** `bootedAtMs`: wall time at its zero, after that of every clock before it. */
  constructor(bootedAtMs = 0) {
    super();
    this.#bootedAtMs = bootedAtMs;
  }

  override wallMs(): number {
    return super.wallMs() + this.#bootedAtMs;
  }

  override nowMs(): number {
    this.#gainedMs += this.stepMs;
    return super.nowMs() + this.#gainedMs;
  }
}

/** A member over a simulated disk and clock; a restart begins with a new clock, as a new process would. */
export class NodeWorld {
  fs: SimFs;
  clock: SlowClock;
  #member: SimMember | undefined;
  #starts = 0;
  #passedMs = 0;

  database: SimDiskDatabase | undefined;
  /** `database`: the records are on disk, there. */
  constructor(fs = new SimFs({ seed: 1 }), database?: SimDiskDatabase) {
    this.fs = fs;
    this.database = database;
    this.clock = new SlowClock();
  }

  get member(): SimMember {
    if (this.#member === undefined) throw new Error("the member does not run");
    return this.#member;
  }

  get node(): SimMember["node"] {
    return this.member.node;
  }

  async start(changed: Partial<NodeOptions> = {}): Promise<void> {
    this.#passedMs += this.clock.nowMs();
    this.clock = new SlowClock(this.#passedMs);
    this.#member = await this.settle(
      startMember(this.fs, this.clock, ++this.#starts, changed, this.database),
    );
  }

  async restart(changed: Partial<NodeOptions> = {}): Promise<void> {
    await this.settle(this.member.close());
    this.database = this.database?.reboot("clean", { seed: this.#starts });
    await this.start(changed);
  }

  /** The process is killed; what it wrote to files is there, and of the database what `mode` says. */
  async crash(mode: CrashMode = "clean"): Promise<void> {
    this.fs = this.fs.reboot("clean", { seed: 2 });
    this.database = this.database?.reboot(mode, { seed: this.#starts });
    await this.start();
  }

  /** Moves the clock and the disk on until `work` is done. */
  async settle<T>(work: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = (): void => {
      isSettled = true;
    };
    work.then(settled, settled);
    while (!isSettled) {
      this.clock.advance(1);
      await nextTurn();
    }
    return work;
  }

  /** Time passes, and the disk has time to write what that brings about. */
  async pass(durationMs: number): Promise<void> {
    for (let passedMs = 0; passedMs < durationMs; passedMs += 50) {
      this.clock.advance(50);
      for (let turn = 0; turn < 5; turn++) await nextTurn();
    }
  }

  put(key: string, value = "v", lease = 0n) {
    return this.node.propose({ kind: "put", request: putRequest(key, value, lease) });
  }

  /** Seconds left of a lease, -1 when it is gone. */
  async ttl(id: bigint): Promise<number> {
    return (await this.settle(this.node.leaseTimeToLive(id, false))).ttl;
  }

  value(key: string): string | undefined {
    const read = this.node.kv.range({
      key: fromUtf8(key),
      rangeEnd: EMPTY,
      limit: 0,
      revision: 0,
      sortOrder: 0,
      sortTarget: 0,
      serializable: true,
      keysOnly: false,
      countOnly: false,
      minModRevision: 0,
      maxModRevision: 0,
      minCreateRevision: 0,
      maxCreateRevision: 0,
    });
    assert.ok(!(read instanceof Promise));
    return read.kvs[0]?.value;
  }
}

export function putRequest(key: string, value: string, lease = 0n): PutRequest {
  return {
    key: fromUtf8(key),
    value: fromUtf8(value),
    lease,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
  };
}
