import { useInput } from "ink";
import { useSyncExternalStore } from "react";
import type { KeyPress } from "../screen-state.ts";
import type { ScreenStore } from "../screen-store.ts";
import { Screen } from "./screen.tsx";

/** The screen, with the keyboard. */
export function App({
  store,
  onKey,
}: {
  readonly store: ScreenStore;
  readonly onKey: (key: KeyPress) => void;
}) {
  const view = useSyncExternalStore(store.subscribe, store.get);
  useInput((input, key) => {
    const named = {
      up: key.upArrow,
      down: key.downArrow,
      enter: key.return,
      escape: key.escape,
      backspace: key.backspace || key.delete,
      ctrl: key.ctrl,
    };
    const isNamed = named.up || named.down || named.enter || named.escape || named.backspace || named.ctrl;
    if (isNamed) onKey({ input, ...named });
    // Quick typing and pasting come as one text: it is typed key by key all the same.
    else for (const character of input) onKey({ ...named, ...fromCharacter(character) });
  });
  return <Screen view={view} />;
}

function fromCharacter(character: string): Pick<KeyPress, "input" | "enter" | "backspace"> {
  const isEnter = character === "\r" || character === "\n";
  const isBackspace = character === "\u007f" || character === "\b";
  return { input: isEnter || isBackspace ? "" : character, enter: isEnter, backspace: isBackspace };
}
