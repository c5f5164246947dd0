import { alarmAction, alarmType, type HashKvResponse, type StatusResponse } from "../codec/index.ts";
import { assert } from "../lib/assert.ts";
import { errorTable } from "../lib/errors.ts";
import type { Authenticator } from "./authenticator.ts";
import type { Connection } from "./connection.ts";
import type { EndpointPool } from "./endpoint-pool.ts";
import { MetaStoreError } from "./errors.ts";
import { type Header, toHeader } from "./key-value.ts";
import { methods } from "./methods.ts";
import { toRangeRequest } from "./operations.ts";
import type { CallOptions, ResolvedOptions } from "./options.ts";
import { SnapshotDownload } from "./snapshot-download.ts";
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

/** What one endpoint answered: `status`, or else the `error`. */
export interface EndpointStatus {
  /** host:port */
  readonly endpoint: string;
  readonly endpointIndex: number;
  readonly status: StatusResponse | undefined;
  readonly error: MetaStoreError | undefined;
}

/** Whether the member behind an endpoint can take part in serving the cluster. */
export interface EndpointHealth {
  /** host:port */
  readonly endpoint: string;
  readonly isHealthy: boolean;
  /** Duration of the read that was tried. */
  readonly tookMs: number;
  /** Why the read failed; undefined when it was answered. Learners refuse it, healthy or not. */
  readonly error: MetaStoreError | undefined;
  /** Raised alarms, of any member. */
  readonly alarms: readonly Alarm[];
}

/** The key that etcd's own health checks read. It need not exist. */
const healthKey = "health";

/** Looking after members. Every method throws MetaStoreError. */
export class MaintenanceClient {
  readonly #caller: UnaryCaller;
  readonly #pool: EndpointPool;
  readonly #authenticator: Authenticator;
  readonly #resolved: ResolvedOptions;

  constructor(
    caller: UnaryCaller,
    pool: EndpointPool,
    authenticator: Authenticator,
    resolved: ResolvedOptions,
  ) {
    this.#caller = caller;
    this.#pool = pool;
    this.#authenticator = authenticator;
    this.#resolved = resolved;
  }

  /** How one member is: sizes in bytes, leader 0n when it knows none. */
  status(options: MemberCallOptions = {}): Promise<StatusResponse> {
    return this.#caller.call(methods.status, undefined, this.#at(options));
  }

  /** How all members behind the client's endpoints are, asked at the same time. Throws nothing. */
  statuses(options: CallOptions = {}): Promise<EndpointStatus[]> {
    return this.#atEach(async (endpointIndex, endpoint) => {
      const answer = await settled(
        this.#caller.call(methods.status, undefined, this.#once({ ...options, endpointIndex })),
      );
      return answer instanceof MetaStoreError
        ? { endpoint, endpointIndex, status: undefined, error: answer }
        : { endpoint, endpointIndex, status: answer, error: undefined };
    });
  }

  /**
   * Whether the members behind the client's endpoints can serve linearizable reads and no alarm is raised, as
   * `etcdctl endpoint health` asks. Throws nothing.
   */
  healths(options: CallOptions = {}): Promise<EndpointHealth[]> {
    return this.#atEach((endpointIndex, endpoint) => this.#healthOf(endpoint, { ...options, endpointIndex }));
  }

  async #healthOf(endpoint: string, options: MemberCallOptions): Promise<EndpointHealth> {
    // Connects: the time that counts is that of the read alone, and if this fails the read says why.
    const status = await settled(this.#caller.call(methods.status, undefined, this.#once(options)));
    const startedMs = performance.now();
    const read = await settled(
      this.#caller.call(methods.range, toRangeRequest(healthKey, { limit: 1 }), this.#once(options)),
    );
    const tookMs = performance.now() - startedMs;
    if (
      read instanceof MetaStoreError &&
      read.etcdCode === "learner" &&
      !(status instanceof MetaStoreError)
    ) {
      // It does what learners are for as long as it follows a leader.
      return { endpoint, isHealthy: status.leader !== 0n, tookMs, error: read, alarms: [] };
    }
    // A user who may not read the key has been told so by a member that serves.
    if (read instanceof MetaStoreError && read.code !== "PERMISSION_DENIED") {
      return { endpoint, isHealthy: false, tookMs, error: read, alarms: [] };
    }
    const alarms = await settled(this.#alarms(this.#once(options)));
    return alarms instanceof MetaStoreError
      ? { endpoint, isHealthy: false, tookMs, error: alarms, alarms: [] }
      : { endpoint, isHealthy: alarms.length === 0, tookMs, error: undefined, alarms };
  }

  /**
   * Hands leadership to the voter `target`. Only the leader can: it is found among the endpoints unless one is named.
   * Throws MetaStoreError notLeader when it is behind none of them.
   */
  async moveLeader(target: bigint, options: MemberCallOptions = {}): Promise<void> {
    const endpointIndex = options.endpointIndex ?? (await this.#leaderEndpoint(options));
    await this.#caller.call(
      methods.moveLeader,
      { targetId: target },
      this.#at({ ...options, endpointIndex }),
    );
  }

  async #leaderEndpoint(options: CallOptions): Promise<number> {
    const statuses = await this.statuses(options);
    const found = statuses.find(
      ({ status }) => status !== undefined && status.leader === status.header?.memberId,
    );
    if (found !== undefined) return found.endpointIndex;
    throw (
      statuses.find(({ error }) => error !== undefined)?.error ??
      new MetaStoreError({
        grpc: errorTable.notLeader.grpc,
        message: errorTable.notLeader.text,
        endpoint: this.#pool.current().endpoint.name,
        outcome: "not-applied",
        retryable: false,
      })
    );
  }

  alarms(options: MemberCallOptions = {}): Promise<Alarm[]> {
    return this.#alarms(this.#at(options));
  }

  async #alarms(options: CallOptions & CallTarget): Promise<Alarm[]> {
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

  /**
   * A backup of all that one member holds, while it goes on serving; dialled when it is iterated. `timeoutMs` is the
   * longest wait for the next bytes, not for all. Throws nothing; iterating throws MetaStoreError.
   */
  snapshot(options: MemberCallOptions = {}): SnapshotDownload {
    return new SnapshotDownload({
      pool: this.#pool,
      authenticator: this.#authenticator,
      resolved: this.#resolved,
      connection: this.#connectionOf(options),
      silenceMsMax: options.timeoutMs ?? this.#resolved.timeoutMs,
      signal: options.signal,
    });
  }

  /** Gives the space that compaction freed back to the file system, on one member. */
  async defragment(options: MemberCallOptions = {}): Promise<Header> {
    const response = await this.#caller.call(methods.defragment, undefined, this.#at(options));
    return toHeader(response.header);
  }

  #atEach<T>(ask: (endpointIndex: number, endpoint: string) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#pool.endpoints.map(({ name }, i) => ask(i, name)));
  }

  #once(options: MemberCallOptions): CallOptions & CallTarget {
    return { ...this.#at(options), isTriedOnce: true };
  }

  #at(options: MemberCallOptions): CallOptions & CallTarget {
    const connection = this.#connectionOf(options);
    return connection === undefined ? options : { ...options, connection };
  }

  #connectionOf({ endpointIndex }: MemberCallOptions): Connection | undefined {
    if (endpointIndex === undefined) return undefined;
    assert(endpointIndex < this.#pool.size, "endpointIndex names one of the client's endpoints");
    return this.#pool.at(endpointIndex);
  }
}

/** The value, or the MetaStoreError as a value. */
function settled<T>(call: Promise<T>): Promise<T | MetaStoreError> {
  return call.catch((error: unknown) => {
    if (error instanceof MetaStoreError) return error;
    throw error;
  });
}

const alarmNames = Object.entries(alarmType) as [keyof typeof alarmType, number][];

function toAlarm(alarm: { readonly memberId: bigint; readonly alarm: number }): Alarm {
  const name = alarmNames.find(([, number]) => number === alarm.alarm)?.[0];
  return { memberId: alarm.memberId, type: name ?? "unknown" };
}
