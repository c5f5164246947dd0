import type { ClusterModel } from "./cluster-model.ts";
import { firstScreenState, type ScreenAbilities, type ScreenState } from "./screen-state.ts";

/** All that one frame is drawn from. */
export interface ScreenView {
  readonly model: ClusterModel | undefined;
  readonly state: ScreenState;
  readonly size: { readonly columns: number; readonly rows: number };
  readonly now: { readonly atMs: number; readonly wallMs: number };
  /** Monotonic milliseconds of the next sample; undefined before the first. */
  readonly nextSampleAtMs: number | undefined;
  readonly abilities: ScreenAbilities;
}

/** The one place where the view lives; React subscribes to it. */
export class ScreenStore {
  #view: ScreenView;
  readonly #listeners = new Set<() => void>();

  constructor(start: Pick<ScreenView, "size" | "now" | "abilities">) {
    this.#view = { ...start, model: undefined, state: firstScreenState, nextSampleAtMs: undefined };
  }

  readonly get = (): ScreenView => this.#view;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  set(change: Partial<ScreenView>): void {
    this.#view = { ...this.#view, ...change };
    for (const listener of this.#listeners) listener();
  }
}
