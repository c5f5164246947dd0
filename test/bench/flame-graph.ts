import type { Frame } from "./cpu-profile.ts";
import { IDLE } from "./stages.ts";

const WIDTH = 1_400;
const ROW_HEIGHT = 17;
const LETTER_WIDTH = 6.6;
/** Narrower frames are not drawn. */
const WIDTH_MIN = 0.4;

interface Box {
  readonly frame: Frame;
  readonly x: number;
  readonly depth: number;
  readonly width: number;
}

/** A page of its own: the stacks as boxes as wide as their time, callers above. A click zooms, a search marks. */
export function flameGraph(root: Frame, title: string, totalCalls: number): string {
  const busyUs = root.totalUs - (idleOf(root)?.totalUs ?? 0);
  const boxes: Box[] = [];
  const place = (frame: Frame, x: number, depth: number): void => {
    const width = (frame.totalUs / busyUs) * WIDTH;
    if (width < WIDTH_MIN) return;
    boxes.push({ frame, x, depth, width });
    let left = x;
    for (const child of [...frame.children.values()].sort((a, b) => b.totalUs - a.totalUs)) {
      place(child, left, depth + 1);
      left += (child.totalUs / busyUs) * WIDTH;
    }
  };
  let left = 0;
  for (const child of [...root.children.values()].sort((a, b) => b.totalUs - a.totalUs)) {
    if (child.stage === IDLE) continue;
    place(child, left, 0);
    left += (child.totalUs / busyUs) * WIDTH;
  }
  const height = (Math.max(0, ...boxes.map(({ depth }) => depth)) + 1) * ROW_HEIGHT;
  const stages = [...new Set(boxes.map(({ frame }) => frame.stage))].sort();
  const colours = new Map(stages.map((stage, index) => [stage, colourOf(index, stages.length)]));
  const legend = stages.map((stage) => `<b style="background:${colours.get(stage)}">${escaped(stage)}</b>`);
  return [
    "<!doctype html>",
    `<meta charset="utf-8"><title>${escaped(title)}</title>`,
    `<style>${style}</style>`,
    `<h1>${escaped(title)}</h1>`,
    `<p>${legend.join(" ")} <input placeholder="search"> <span></span></p>`,
    `<svg viewBox="0 0 ${WIDTH} ${height}" width="100%" height="${height}" preserveAspectRatio="none">`,
    ...boxes.map((box) => drawn(box, { busyUs, totalCalls, colour: colours.get(box.frame.stage) ?? "#ccc" })),
    "</svg>",
    `<script>${script}</script>`,
    "",
  ].join("\n");
}

function idleOf(root: Frame): Frame | undefined {
  return [...root.children.values()].find(({ stage }) => stage === IDLE);
}

/** Each stage a hue of its own. */
function colourOf(index: number, count: number): string {
  return `hsl(${Math.round((index * 360) / count)} 65% ${index % 2 === 0 ? 72 : 80}%)`;
}

function drawn(
  { frame, x, depth, width }: Box,
  { busyUs, totalCalls, colour }: { busyUs: number; totalCalls: number; colour: string },
): string {
  const { name, place, stage, totalUs, selfUs } = frame;
  const share = (us: number): string => `${((100 * us) / busyUs).toFixed(2)} %`;
  const perCall = (us: number): string => `${(us / totalCalls).toFixed(2)} µs a call`;
  const tip =
    `${name}  ${place}\n${stage}\ntotal ${share(totalUs)}, ${perCall(totalUs)}\n` +
    `self ${share(selfUs)}, ${perCall(selfUs)}`;
  const letters = Math.floor(width / LETTER_WIDTH);
  const text = letters < 3 ? "" : name.slice(0, letters);
  const y = depth * ROW_HEIGHT;
  return (
    `<g data-x="${x.toFixed(2)}" data-w="${width.toFixed(2)}" data-d="${depth}" data-n="${escaped(name)}">` +
    `<rect x="${x.toFixed(2)}" y="${y}" width="${width.toFixed(2)}" height="${ROW_HEIGHT - 1}" fill="${colour}"/>` +
    `<text x="${(x + 2).toFixed(2)}" y="${y + 12}">${escaped(text)}</text><title>${escaped(tip)}</title></g>`
  );
}

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

const style = `
body { font: 13px sans-serif; margin: 12px } h1 { font-size: 16px }
b { font-weight: normal; padding: 1px 6px; border-radius: 3px }
text { font: 11px monospace; pointer-events: none } g { cursor: pointer }
g:hover rect { stroke: #000 } g.found rect { fill: #d0f } g.above { opacity: .5 }`;

/** Zooms into the clicked frame: boxes beside it go, those of its callers become as wide as the page. */
const script = `
const all = [...document.querySelectorAll("g")].map((g) => ({ g, x: +g.dataset.x, w: +g.dataset.w, d: +g.dataset.d }));
function zoom(to) {
  for (const { g, x, w, d } of all) {
    const isCaller = d < to.d && x <= to.x + .01 && x + w >= to.x + to.w - .01;
    const isWithin = d >= to.d && x >= to.x - .01 && x + w <= to.x + to.w + .01;
    g.style.display = isCaller || isWithin ? "" : "none";
    g.classList.toggle("above", isCaller);
    if (!isCaller && !isWithin) continue;
    const k = ${WIDTH} / to.w;
    const left = isCaller ? 0 : (x - to.x) * k;
    const width = isCaller ? ${WIDTH} : w * k;
    const [rect, text] = g.children;
    rect.setAttribute("x", left); rect.setAttribute("width", width); text.setAttribute("x", left + 2);
    const letters = Math.floor(width / ${LETTER_WIDTH});
    text.textContent = letters < 3 ? "" : g.dataset.n.slice(0, letters);
  }
}
const whole = { x: 0, w: ${WIDTH}, d: -1 };
let zoomed = whole;
for (const box of all) box.g.onclick = () => { zoomed = zoomed === box ? whole : box; zoom(zoomed); };
document.querySelector("input").oninput = ({ target }) => {
  const wanted = target.value.toLowerCase();
  let count = 0;
  for (const { g } of all) {
    const isFound = wanted !== "" && g.querySelector("title").textContent.toLowerCase().includes(wanted);
    g.classList.toggle("found", isFound);
    if (isFound) count++;
  }
  document.querySelector("span").textContent = wanted === "" ? "" : count + " found";
};`;
