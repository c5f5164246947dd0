import type { ClusterModel } from "./cluster-model.ts";
import type { MemberModel } from "./member-model.ts";

/** A key press, named as Ink names it. */
export interface KeyPress {
  readonly input: string;
  readonly up: boolean;
  readonly down: boolean;
  readonly enter: boolean;
  readonly escape: boolean;
  readonly backspace: boolean;
  readonly ctrl: boolean;
}

/** Moving leadership is confirmed by typing the name of the member that is to lead. */
export interface MoveDialog {
  readonly targetId: string;
  readonly targetName: string;
  readonly typed: string;
  readonly phase: "typing" | "running";
  readonly complaint: string | undefined;
}

export interface ScreenState {
  readonly view: "main" | "help" | "details";
  readonly selectedId: string | undefined;
  readonly dialog: MoveDialog | undefined;
  /** One line for the last thing asked for; undefined when there is none. */
  readonly notice: string | undefined;
}

export const firstScreenState: ScreenState = {
  view: "main",
  selectedId: undefined,
  dialog: undefined,
  notice: undefined,
};

/** What a key asks of the world outside the screen. */
export type ScreenEffect =
  | { readonly kind: "quit"; readonly isInterrupt: boolean }
  | { readonly kind: "suspend" }
  | { readonly kind: "repaint" }
  | { readonly kind: "moveLeader"; readonly targetId: string }
  | { readonly kind: "disturb"; readonly action: Disturbance; readonly member: string };

/** What a playground lets one do to its members. */
export type Disturbance = "killOrStart" | "pauseOrContinue";

export interface KeyOutcome {
  readonly state: ScreenState;
  readonly effect: ScreenEffect | undefined;
}

/** What may be asked for here. */
export interface ScreenAbilities {
  readonly canMoveLeader: boolean;
  readonly canDisturb: boolean;
}

/** The selected member: the one chosen, or the first while none is or the chosen one is gone. */
export function selectedMember(state: ScreenState, model: ClusterModel | undefined): MemberModel | undefined {
  const members = model?.members ?? [];
  return members.find(({ id }) => id === state.selectedId) ?? members[0];
}

/** The screen after a key. Pure. */
export function press(
  state: ScreenState,
  key: KeyPress,
  model: ClusterModel | undefined,
  abilities: ScreenAbilities,
): KeyOutcome {
  if (key.ctrl && key.input === "c") return asks(state, { kind: "quit", isInterrupt: true });
  if (key.ctrl && key.input === "z") return asks(state, { kind: "suspend" });
  if (key.ctrl && key.input === "l") return asks(state, { kind: "repaint" });
  if (key.ctrl) return becomes(state);
  if (state.dialog !== undefined) return pressInDialog(state, state.dialog, key);
  if (key.input === "q") return asks(state, { kind: "quit", isInterrupt: false });
  const calm = { ...state, notice: undefined };
  if (key.up || key.input === "k") return becomes(select(calm, model, -1));
  if (key.down || key.input === "j") return becomes(select(calm, model, 1));
  if (key.input === "?") return becomes({ ...calm, view: state.view === "help" ? "main" : "help" });
  if (key.enter) return becomes({ ...calm, view: state.view === "details" ? "main" : "details" });
  if (key.escape) return becomes({ ...calm, view: "main" });
  const member = selectedMember(state, model);
  if (member === undefined) return becomes(calm);
  if (key.input === "m" && abilities.canMoveLeader) return becomes(openMoveDialog(calm, member));
  if (abilities.canDisturb && (key.input === "x" || key.input === "p")) {
    const action = key.input === "x" ? "killOrStart" : "pauseOrContinue";
    return asks(calm, { kind: "disturb", action, member: member.name });
  }
  return becomes(calm);
}

/** The screen after what it asked for has ended: done, or failed with a reason. */
export function settle(state: ScreenState, notice: string): ScreenState {
  return { ...state, dialog: undefined, notice };
}

function becomes(state: ScreenState): KeyOutcome {
  return { state, effect: undefined };
}

function asks(state: ScreenState, effect: ScreenEffect): KeyOutcome {
  return { state, effect };
}

function select(state: ScreenState, model: ClusterModel | undefined, step: number): ScreenState {
  const members = model?.members ?? [];
  const chosen = selectedMember(state, model);
  if (chosen === undefined) return state;
  const next = Math.min(members.length - 1, Math.max(0, members.indexOf(chosen) + step));
  return { ...state, selectedId: members[next]!.id };
}

function openMoveDialog(state: ScreenState, member: MemberModel): ScreenState {
  const refusal = moveRefusal(member);
  if (refusal !== undefined) return { ...state, notice: refusal };
  const dialog: MoveDialog = {
    targetId: member.id,
    targetName: member.name,
    typed: "",
    phase: "typing",
    complaint: undefined,
  };
  return { ...state, view: "main", dialog };
}

function moveRefusal(member: MemberModel): string | undefined {
  if (member.role === "leader") return `${member.name} leads already: select the member that is to lead`;
  if (member.isLearner) return `${member.name} is a learner: it cannot lead`;
  if (!member.isCurrent) return `${member.name} does not answer: it cannot lead now`;
  return undefined;
}

function pressInDialog(state: ScreenState, dialog: MoveDialog, key: KeyPress): KeyOutcome {
  if (key.escape) return becomes({ ...state, dialog: undefined });
  if (dialog.phase === "running") return becomes(state);
  const edit = (change: Partial<MoveDialog>): KeyOutcome =>
    becomes({ ...state, dialog: { ...dialog, complaint: undefined, ...change } });
  if (key.enter) {
    if (dialog.typed !== dialog.targetName)
      return edit({ complaint: `type ${dialog.targetName} to confirm` });
    const running: MoveDialog = { ...dialog, phase: "running", complaint: undefined };
    return asks({ ...state, dialog: running }, { kind: "moveLeader", targetId: dialog.targetId });
  }
  if (key.backspace) return edit({ typed: [...dialog.typed].slice(0, -1).join("") });
  if (key.input === "" || key.up || key.down) return becomes(state);
  return edit({ typed: (dialog.typed + key.input).slice(0, 200) });
}
