import assert from "node:assert/strict";
import fc from "fast-check";
import {
  firstScreenState,
  type KeyPress,
  press,
  type ScreenEffect,
  type ScreenState,
  selectedMember,
  settle,
} from "../../../src/tui/screen-state.ts";
import { healthy, member, modelOf, silent, status } from "./samples.ts";

const model = modelOf(healthy);
const abilities = { canMoveLeader: true, canDisturb: false };
const blank: KeyPress = {
  input: "",
  up: false,
  down: false,
  enter: false,
  escape: false,
  backspace: false,
  ctrl: false,
};
const named = { up: "up", down: "down", enter: "enter", escape: "escape", backspace: "backspace" } as const;

/** "down", "ctrl-c" or a character. */
function key(name: string): KeyPress {
  if (name in named) return { ...blank, [name]: true };
  if (name.startsWith("ctrl-")) return { ...blank, input: name.slice(5), ctrl: true };
  return { ...blank, input: name };
}

/** The state after keys, and all that they asked for. */
function afterKeys(
  keys: readonly string[],
  of = model,
  can = abilities,
  state: ScreenState = firstScreenState,
) {
  const effects: ScreenEffect[] = [];
  for (const name of keys) {
    const outcome = press(state, key(name), of, can);
    state = outcome.state;
    if (outcome.effect !== undefined) effects.push(outcome.effect);
  }
  return { state, effects };
}

describe("The keys", () => {
  it("quit with q, and with Ctrl-C even out of a dialog", () => {
    assert.deepEqual(afterKeys(["q"]).effects, [{ kind: "quit", isInterrupt: false }]);
    assert.deepEqual(afterKeys(["down", "m", "q", "ctrl-c"]).effects, [{ kind: "quit", isInterrupt: true }]);
  });

  it("select members and stay at the ends of the list", () => {
    assert.equal(selectedMember(afterKeys([]).state, model)?.name, "n1");
    assert.equal(selectedMember(afterKeys(["down", "j"]).state, model)?.name, "n3");
    assert.equal(selectedMember(afterKeys(["down", "down", "down", "up"]).state, model)?.name, "n2");
    assert.equal(selectedMember(afterKeys(["up", "k"]).state, model)?.name, "n1");
  });

  it("keep the selected member when the list changes, and take the first when it is gone", () => {
    const { state } = afterKeys(["down", "down"]);
    assert.equal(selectedMember(state, modelOf([member(0), ...healthy]))?.name, "n3");
    assert.equal(selectedMember(state, modelOf([member(1), member(2)]))?.name, "n1");
    assert.equal(selectedMember(state, undefined), undefined);
  });

  it("open and close details and help", () => {
    assert.equal(afterKeys(["enter"]).state.view, "details");
    assert.equal(afterKeys(["enter", "enter"]).state.view, "main");
    assert.equal(afterKeys(["?"]).state.view, "help");
    assert.equal(afterKeys(["?", "escape"]).state.view, "main");
  });

  it("move the leader only after its future name was typed", () => {
    const { state, effects } = afterKeys(["down", "m", "n", "2", "enter"]);
    assert.deepEqual(effects, [{ kind: "moveLeader", targetId: "a2" }]);
    assert.equal(state.dialog?.phase, "running");
    assert.deepEqual(afterKeys(["q", "enter", "x"], model, abilities, state).effects, []);
    assert.equal(settle(state, "leadership has moved").dialog, undefined);
  });

  it("complain of another name, take corrections, and forget it all with Escape", () => {
    const wrong = afterKeys(["down", "m", "n", "3", "enter"]);
    assert.deepEqual(wrong.effects, []);
    assert.equal(wrong.state.dialog?.complaint, "type n2 to confirm");
    const mended = afterKeys(["backspace", "2", "enter"], model, abilities, wrong.state);
    assert.equal(mended.effects.length, 1);
    assert.equal(afterKeys(["escape"], model, abilities, wrong.state).state.dialog, undefined);
  });

  it("refuse to move leadership to the leader, a learner, or one that does not answer", () => {
    const learner = member(3, { isLearner: true, status: status({ isLearner: true }) });
    const mixed = modelOf([member(1), silent(2), learner]);
    const notices = [["m"], ["down", "m"], ["down", "down", "m"]].map((keys) => afterKeys(keys, mixed).state);
    for (const state of notices) assert.equal(state.dialog, undefined);
    assert.deepEqual(
      notices.map(({ notice }) => notice),
      [
        "n1 leads already: select the member that is to lead",
        "n2 does not answer: it cannot lead now",
        "n3 is a learner: it cannot lead",
      ],
    );
  });

  it("disturb members in a playground, and nowhere else", () => {
    const playground = { canMoveLeader: true, canDisturb: true };
    assert.deepEqual(afterKeys(["down", "x", "p"], model, playground).effects, [
      { kind: "disturb", action: "killOrStart", member: "n2" },
      { kind: "disturb", action: "pauseOrContinue", member: "n2" },
    ]);
    assert.deepEqual(afterKeys(["x", "p"]).effects, []);
    assert.equal(
      afterKeys(["down", "m"], model, { canMoveLeader: false, canDisturb: false }).state.dialog,
      undefined,
    );
  });

  it("do nothing harmful in any order, with any model", () => {
    const names = [
      "up",
      "down",
      "enter",
      "escape",
      "backspace",
      "m",
      "x",
      "?",
      "q",
      "n",
      "1",
      "ctrl-l",
      "\u0000",
      "é",
    ];
    const models = [undefined, model, modelOf([]), modelOf([silent(1)])];
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...names), fc.constantFrom(...models))), (steps) => {
        let state = firstScreenState;
        for (const [name, seen] of steps) {
          const { effect, state: next } = press(state, key(name), seen, abilities);
          state = next;
          if (effect?.kind === "moveLeader") assert.equal(state.dialog?.typed, state.dialog?.targetName);
        }
      }),
    );
  });
});
