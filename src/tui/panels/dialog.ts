import type { ClusterModel } from "../cluster-model.ts";
import type { MoveDialog } from "../screen-state.ts";
import { plain, type StyledLine } from "../styled-line.ts";

/** The question before leadership moves; two lines, since small screens have no more. */
export function dialogLines(dialog: MoveDialog, model: ClusterModel | undefined): StyledLine[] {
  const leader = model?.members.find(({ id }) => id === model.leaderId);
  const from = leader === undefined ? "" : ` from ${leader.name}`;
  if (dialog.phase === "running") return [plain(`moving leadership${from} to ${dialog.targetName} ...`)];
  const complaint: StyledLine =
    dialog.complaint === undefined ? [] : [{ text: `   ${dialog.complaint}`, tone: "warning" }];
  return [
    plain(
      `Move leadership${from} to ${dialog.targetName}? Type ${dialog.targetName} and Enter; Esc cancels.`,
    ),
    [{ text: "> ", tone: "accent" }, { text: `${dialog.typed}█` }, ...complaint],
  ];
}
