import { alarmAction, alarmType, type HashKvResponse, type StatusResponse } from "../codec/index.ts";
import { assert } from "../lib/assert.ts";
import type { EndpointPool } from "./endpoint-pool.ts";
import { type Header, toHeader } from "./key-value.ts";
import { methods } from "./methods.ts";
import type { CallOptions } from "./options.ts";
import type { CallTarget, UnaryCaller } from "./unary-caller.ts";

export interface Alarm {
  readonly memberId: bigint;
  readonly type: keyof typeof alarmType | "unknown";
}

/** Calls about one member name its endpoint, written as it was given to connect(). */
export interface MemberCallOptions extends CallOptions {
  /** Position in the list of endpoints; absent: the one in use. */
  readonly endpointIndex?: number;
}

/** Looking after members. Every method throws MetaStoreError. */
export class MaintenanceClient {
  readonly #caller: UnaryCaller;
  readonly #pool: EndpointPool;

  constructor(caller: UnaryCaller, pool: EndpointPool) {
    this.#caller = caller;
    this.#pool = pool;
  }

  /** How one member is: sizes in bytes, leader 0n when it knows none. */
  status(options: MemberCallOptions = {}): Promise<StatusResponse> {
    return this.#caller.call(methods.status, undefined, this.#at(options));
  }

  async alarms(options: CallOptions = {}): Promise<Alarm[]> {
    const request = { action: alarmAction.get, memberId: 0n, alarm: alarmType.none };
    const response = await this.#caller.call(methods.alarm, request, options, true);
    return response.alarms.map(toAlarm);
  }

  /** Clears one alarm and answers those that were cleared. */
  async disarm(
    alarm: { readonly memberId: bigint; readonly type: "noSpace" | "corrupt" },
    options: CallOptions = {},
  ): Promise<Alarm[]> {
    const request = {
      action: alarmAction.deactivate,
      memberId: alarm.memberId,
      alarm: alarmType[alarm.type],
    };
    const response = await this.#caller.call(methods.alarm, request, options);
    return response.alarms.map(toAlarm);
  }

  /**
   * The hash of one member's key space, equal on all members for the same revision and compaction.
   *
   * @param revision 0: the latest
   */
  hashKv(revision: number, options: MemberCallOptions = {}): Promise<HashKvResponse> {
    return this.#caller.call(methods.hashKv, { revision }, this.#at(options));
  }

  /** Gives the space that compaction freed back to the file system, on one member. */
  async defragment(options: MemberCallOptions = {}): Promise<Header> {
    const response = await this.#caller.call(methods.defragment, undefined, this.#at(options));
    return toHeader(response.header);
  }

  #at(options: MemberCallOptions): CallOptions & CallTarget {
    if (options.endpointIndex === undefined) return options;
    assert(options.endpointIndex < this.#pool.size, "endpointIndex names one of the client's endpoints");
    return { ...options, connection: this.#pool.at(options.endpointIndex) };
  }
}

const alarmNames = Object.entries(alarmType) as [keyof typeof alarmType, number][];

function toAlarm(alarm: { readonly memberId: bigint; readonly alarm: number }): Alarm {
  const name = alarmNames.find(([, number]) => number === alarm.alarm)?.[0];
  return { memberId: alarm.memberId, type: name ?? "unknown" };
}
