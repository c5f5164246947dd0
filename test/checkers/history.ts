/**
 * What clients saw, in a form that checkers read: recorded by the simulator and by the runs against real processes.
 * Keys and values are text; values are unique, so that a value names the write it came from.
 */
export interface Operation {
  /** Each client has one operation outstanding at a time. */
  readonly client: number;
  /** On one clock for all clients. */
  readonly callMs: number;
  /** Infinity: the outcome is unknown, it may have happened at any time after the call, or never. */
  readonly returnMs: number;
  readonly request: ModelRequest;
  /** undefined when the outcome is unknown. A failure that surely had no effect is not recorded. */
  readonly response: ModelResponse | undefined;
}

export type ModelRequest =
  | { readonly kind: "range"; readonly key: string; readonly rangeEnd: string; readonly revision: number }
  /** Branches without compares take `success`. Puts and deletes are transactions of one operation. */
  | {
      readonly kind: "txn";
      readonly compares: readonly Compare[];
      readonly success: readonly WriteOrRead[];
      readonly failure: readonly WriteOrRead[];
    }
  | { readonly kind: "leaseGrant"; readonly lease: string; readonly ttlSeconds: number }
  | { readonly kind: "leaseRevoke"; readonly lease: string }
  | { readonly kind: "compaction"; readonly revision: number };

export interface Compare {
  readonly key: string;
  readonly target: "modRevision" | "version" | "value";
  readonly equals: number | string;
}

export type WriteOrRead =
  | { readonly kind: "put"; readonly key: string; readonly value: string; readonly lease: string }
  | { readonly kind: "delete"; readonly key: string; readonly rangeEnd: string }
  | { readonly kind: "range"; readonly key: string; readonly rangeEnd: string };

export interface KeyValueSeen {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  /** "" when it has none. */
  readonly lease: string;
}

/** `revision` is the header's. */
export type ModelResponse =
  | { readonly kind: "range"; readonly revision: number; readonly kvs: readonly KeyValueSeen[] }
  | {
      readonly kind: "txn";
      readonly revision: number;
      readonly succeeded: boolean;
      readonly results: readonly (
        | { readonly kind: "put" }
        | { readonly kind: "delete"; readonly deleted: number }
        | { readonly kind: "range"; readonly kvs: readonly KeyValueSeen[] }
      )[];
    }
  | { readonly kind: "done"; readonly revision: number }
  /** Refused by the state, with etcd's text; no effect. */
  | { readonly kind: "refused"; readonly error: string };

/** One watch of one client, from its creation to its end or the end of the run; a resumed watch is one watch. */
export interface WatchHistory {
  readonly client: number;
  readonly key: string;
  readonly rangeEnd: string;
  /** 0: from the next event on. */
  readonly startRevision: number;
  readonly prevKv: boolean;
  readonly responses: readonly WatchSeen[];
}

export type WatchSeen =
  | { readonly kind: "created"; readonly atMs: number; readonly revision: number }
  | { readonly kind: "progress"; readonly atMs: number; readonly revision: number }
  | { readonly kind: "compacted"; readonly atMs: number; readonly compactRevision: number }
  /** The stream broke; it was opened again from `fromRevision`. */
  | { readonly kind: "resumed"; readonly atMs: number; readonly fromRevision: number }
  | {
      readonly kind: "events";
      readonly atMs: number;
      /** The header's. */
      readonly revision: number;
      readonly events: readonly EventSeen[];
    };

export interface EventSeen {
  readonly type: "put" | "delete";
  readonly kv: KeyValueSeen;
  readonly prev: KeyValueSeen | undefined;
}
