import type { ClusterModel } from "../cluster-model.ts";
import { bar, formatCount, formatSize } from "../format.ts";
import { plain, type StyledLine, type Tone } from "../styled-line.ts";

/** From where the fullness of the quota deserves a look, and from where action. */
const fullShareWarning = 0.8;
const fullShareBad = 0.95;

export function spaceLines({ space }: ClusterModel, width: number): StyledLine[] {
  const { dbSizeBytes, inUseBytes, quotaBytes } = space;
  const size = plain(`size ${formatSize(dbSizeBytes)}`);
  const used = dbSizeBytes === 0 ? "" : ` (${Math.round((inUseBytes / dbSizeBytes) * 100)} %)`;
  const inUse = plain(`in use ${formatSize(inUseBytes)}${used}`);
  // An unlimited quota is told as the greatest number there is.
  if (quotaBytes <= 0 || quotaBytes >= Number.MAX_SAFE_INTEGER) {
    return [plain(quotaBytes <= 0 ? "quota unknown" : "no quota"), size, inUse];
  }
  const share = dbSizeBytes / quotaBytes;
  const percent = ` ${share > 0 && share < 0.01 ? "<1" : Math.round(share * 100)} %`;
  const head = `quota ${formatSize(quotaBytes)} `;
  const barWidth = Math.min(20, Math.max(4, width - head.length - percent.length));
  return [
    [{ text: head }, { text: bar(share, barWidth), tone: toneOf(share) }, { text: percent }],
    size,
    inUse,
  ];
}

function toneOf(share: number): Tone {
  if (share >= fullShareBad) return "bad";
  return share >= fullShareWarning ? "warning" : "good";
}

export function dataLines({ space }: ClusterModel): StyledLine[] {
  const { keys, compactRevision, watchers, slowWatchers } = space;
  const slow = slowWatchers === undefined || slowWatchers === 0 ? "" : ` (${formatCount(slowWatchers)} slow)`;
  return [
    plain(`keys ${keys === undefined ? "-" : formatCount(keys)}`),
    plain(
      compactRevision === undefined
        ? "compacted -"
        : compactRevision <= 0
          ? "never compacted"
          : `compacted to ${formatCount(compactRevision)}`,
    ),
    plain(`watchers ${watchers === undefined ? "-" : formatCount(watchers)}${slow}`),
  ];
}

export function alarmLines({ alarms }: ClusterModel, rows: number): StyledLine[] {
  if (alarms.length === 0) return [[{ text: "none", tone: "good" }]];
  const shown = alarms.length <= rows ? alarms : alarms.slice(0, rows - 1);
  const lines: StyledLine[] = shown.map((alarm) => [{ text: `✖ ${alarm}`, tone: "bad" }]);
  return shown.length === alarms.length
    ? lines
    : [...lines, plain(`and ${alarms.length - shown.length} more`)];
}
