// Two folders side by side: which cases got better, which worse; and one case of both.
import { createPlane } from "/static/plane.js";
import { ask, make, number, pick, remember, shape, tell } from "/static/view.js";
import { layerButtons, legend } from "/static/decision.js";

const ORDERS = [["losses", "worse first"], ["gains", "better first"], ["changes", "most changed first"], ["id", "by name"]];
const chosen = { sort: "losses" };
let order = []; // [first, second] numbers as listed last

export async function showCompare(page, state) {
  const verdict = make("p", { className: "verdict", role: "status" });
  const counts = make("p", { id: "counts" });
  const plot = make("figure", { className: "chart", hidden: true });
  const list = make("div", { className: "pairs" });
  const more = make("button", { type: "button", hidden: true }, "Show more");
  const bar = make("div", { className: "bar" });
  const kept = remember();
  let offset = 0;
  let turn = 0;
  page.append(verdict, counts, plot, bar, list, make("p", {}, more));
  bar.append(pick(chosen, "sort", "Order", ORDERS, () => read(true)));
  more.addEventListener("click", () => read(false));
  const names = () => state.folders.map((folder) => folder.folder);

  async function read(anew) {
    const mine = ++turn;
    const from = anew ? 0 : offset;
    let found;
    try { found = await ask(`/api/compare?sort=${chosen.sort}&offset=${from}`); } catch (error) { tell(error); return; }
    if (mine !== turn) return;
    if (anew) order = [];
    verdict.textContent = found.verdict ? found.verdict.sentence : `${found.count} cases are in both; without a truth they have no score.`;
    verdict.dataset.word = found.verdict ? found.verdict.word : "";
    const only = found.only.map((count, n) => (count ? `; ${count} only in ${names()[n]}` : "")).join("");
    counts.textContent = found.verdict ? `${found.better} cases better, ${found.worse} worse, ${found.equal} equal${only}` : only.slice(2);
    const known = found.points.filter(([one, other]) => one !== null && other !== null);
    plot.hidden = !known.length;
    if (known.length) plot.replaceChildren(make("figcaption", {}, `${state.folders[0].metric}, a point for each case`), scatter(known, names()));
    const rows = found.pairs.map((pair) => {
      order.push([pair.first, pair.second]);
      return kept.get(JSON.stringify(pair), () => row(pair));
    });
    if (anew) list.replaceChildren(...rows);
    else list.append(...rows);
    offset = from + found.pairs.length;
    more.hidden = offset >= found.count;
  }

  function row(pair) {
    const picture = (of, n) => make("img", { src: `/api/${n}/thumbnail?of=${of}`, alt: `${pair.id} of ${names()[of]}`, loading: "lazy" });
    const values = pair.values.map((value, n) => (value === null ? `${pair.predicted[n]} pixels predicted` : number(value)));
    const size = pair.gain === null ? `${pair.changed} pixels` : Math.abs(pair.gain).toFixed(4);
    const word = pair.gain === null ? "changed by" : pair.gain > 0 ? "better by" : "worse by";
    const change = (pair.gain === null ? pair.changed : pair.gain) === 0 ? "equal" : `${word} ${size}`;
    return make("a", { className: "pair", href: `#/pair/${pair.first}/${pair.second}` },
      make("b", {}, pair.id), picture(0, pair.first), picture(1, pair.second),
      make("span", {}, `${names()[0]}: ${values[0]}`), make("span", {}, `${names()[1]}: ${values[1]}`),
      make("span", { className: "change" }, change));
  }

  await read(true);
  return {
    update(now) {
      state = now;
      if (offset <= 100) read(true);
    },
  };
}

// Scores of the first folder to the right, of the second upwards: above the line the second is better.
function scatter(points, names) {
  const all = points.flat();
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const span = high - low || 1;
  const x = (value) => 60 + ((value - low) / span) * 340;
  const y = (value) => 310 - ((value - low) / span) * 290;
  const svg = shape("svg", { viewBox: "0 0 420 350", role: "img", "aria-label": `scores of ${names[0]} and ${names[1]}` });
  svg.append(shape("line", { x1: x(low), y1: y(low), x2: x(high), y2: y(high), stroke: "#8b98a5", "stroke-dasharray": "4 4" }));
  svg.append(shape("line", { x1: 56, x2: 56, y1: 16, y2: 314, stroke: "#51606e" }), shape("line", { x1: 56, x2: 404, y1: 314, y2: 314, stroke: "#51606e" }));
  for (const value of low === high ? [low] : [low, high]) {
    svg.append(shape("text", { x: x(value), y: 329, "text-anchor": value === low ? "start" : "end" }, value.toFixed(3)));
    svg.append(shape("text", { x: 52, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(3)));
  }
  svg.append(shape("text", { x: 230, y: 345, "text-anchor": "middle" }, names[0]), shape("text", { x: 62, y: 12 }, names[1]));
  for (const [one, other] of points) svg.append(shape("circle", { cx: x(one), cy: y(other), r: 3.5, fill: "#0b5f97", "fill-opacity": 0.55 }));
  return svg;
}

// One case of both folders on top of each other; a slider shows more of the one or of the other.
export async function showPair(page, state, first, second) {
  const [info, other] = await Promise.all([ask(`/api/${first}/about?of=0`), ask(`/api/${second}/about?of=1`)]);
  const volume = info.shape.length === 3;
  const cross = volume ? info.shape.map((length) => Math.floor(length / 2)) : null;
  const names = state.folders.map((folder) => folder.folder);
  const axis = 0;
  const planes = [[0, first, info], [1, second, other]].map(([of, at, about]) => createPlane({
    of, at, info: about, state: state.folders[of], axis, cross, text: () => "",
    moved: (box) => { planes[1 - of].take(box); swipe(); },
    picked: () => {},
  }));
  const above = planes[1].canvas;
  const cut = make("div", { className: "cut" });
  const stack = make("div", { className: "stack" }, planes[0].canvas, above, cut);
  const share = make("input", { type: "range", id: "swipe", min: "0", max: "100", value: "50", "aria-label": `how much of ${names[1]} is shown` });
  const swipe = () => {
    const hidden = 100 - Number(share.value);
    cut.style.left = `calc(${above.style.width || "100%"} * ${hidden / 100})`; // the canvas may be narrower than the page
    above.style.clipPath = `inset(0 0 0 ${hidden}%)`;
  };
  share.addEventListener("input", swipe);
  const redraw = async () => {
    await Promise.all(planes.map((one) => one.draw()));
    swipe();
    page.dataset.drawn = String(Number(page.dataset.drawn || 0) + 1);
  };
  const { buttons, toggle } = layerButtons(state.folders[0], redraw);
  const values = [info, other].map((one, n) => make("p", {}, `${names[n]}: ${one.truth ? number(one.value) : `${one.predicted} pixels predicted`}`));
  const panel = make("aside", { className: "panel" }, make("h2", {}, info.id), make("p", {}, state.folders[0].metric), ...values,
    make("div", { className: "row" }, ...buttons), legend(state.folders[0]),
    make("label", {}, `Left ${names[0]}, right ${names[1]}`, share));
  if (volume) {
    const at = make("input", { type: "range", id: "plane", min: "0", max: String(info.shape[axis] - 1), value: String(cross[axis]) });
    at.addEventListener("input", () => { cross[axis] = Number(at.value); redraw(); });
    panel.append(make("label", {}, `Plane across ${info.axes[axis]}`, at));
  }
  panel.append(make("p", {}, "j and k: next and previous case. Wheel: zoom. Drag: move. 0: whole."));
  page.append(make("div", { className: "case" }, make("div", { className: "canvases" }, stack), panel));
  swipe();

  function keys(event) {
    if (["INPUT", "SELECT"].includes(document.activeElement.tagName) || event.ctrlKey || event.metaKey) return;
    if (toggle(event.key)) return;
    if (event.key === "0") planes[0].whole();
    else if (event.key === "j" || event.key === "k") {
      const next = order[order.findIndex(([one]) => one === first) + (event.key === "j" ? 1 : -1)];
      if (next) location.hash = `#/pair/${next[0]}/${next[1]}`;
    }
  }
  document.addEventListener("keydown", keys);
  await redraw();
  return { leave: () => document.removeEventListener("keydown", keys) };
}
