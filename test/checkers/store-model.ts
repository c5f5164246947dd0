import type { ModelRequest, ModelResponse } from "./history.ts";
import type { SequentialModel } from "./linearizability.ts";
import { applyRequest, emptyStore, isSameResponse, keysInRange, type StoreState } from "./store-state.ts";

/** A request as the search sees it. */
export interface StoreRequest {
  readonly request: ModelRequest;
  /** Where an unknown outcome is known to have its effect, from what others saw of it (history-resolution.ts). */
  readonly pinnedRevision: number | undefined;
}

/** The whole store as one object: revisions span keys, so histories cannot be cut by key. */
export const storeModel: SequentialModel<StoreState, StoreRequest, ModelResponse> = {
  init: emptyStore,
  step(state, { request, pinnedRevision }, response) {
    if (response === undefined) {
      if (pinnedRevision !== undefined && pinnedRevision !== state.revision + 1) return undefined;
      const { state: after, events } = applyRequest(state, request);
      return pinnedRevision !== undefined && events.length === 0 ? undefined : after;
    }
    // Most wrong guesses are seen without working the request out.
    if (response.kind !== "refused") {
      const ahead = response.revision - state.revision;
      if (ahead !== 0 && ahead !== 1) return undefined;
    }
    const outcome = applyRequest(state, request);
    if (request.kind === "range" && request.revision > 0) {
      if (response.kind !== outcome.response.kind) return undefined;
      if (response.kind === "range") return response.revision === state.revision ? state : undefined;
    }
    return isSameResponse(outcome.response, response) ? outcome.state : undefined;
  },
  stateKey,
};

const keysOfStates = new WeakMap<StoreState, string>();

function stateKey(state: StoreState): string {
  let key = keysOfStates.get(state);
  if (key === undefined) {
    const kvs = keysInRange(state.keys, "\0", "\0").map(
      (kv) => `${kv.key}=${kv.value}@${kv.createRevision}.${kv.modRevision}.${kv.version}.${kv.lease}`,
    );
    const leases = state.leases === undefined ? [] : [...state.leases].sort();
    key = [state.revision, state.compactRevision, leases.join(), ...kvs].join("|");
    keysOfStates.set(state, key);
  }
  return key;
}
