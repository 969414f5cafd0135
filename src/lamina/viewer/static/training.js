// Curves of training, read on while it runs.
import { ask, make, tell } from "/static/view.js";

const PAINT = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#7B3FF2", "#8C6D1F"];
const LEFT_OUT = new Set(["epoch", "step", "best", "skipped", "seconds", "train_seconds", "share", "stage"]);
const NAMES = { loss: "loss", validation_loss: "validation loss", monitor: "monitor", lr: "learning rate" };
const EVERY = 2000; // milliseconds

export async function showTraining(page) {
  const folds = {};
  const ends = {};
  const told = make("p", { role: "status", id: "rows" });
  const charts = make("div", { className: "charts" });
  page.append(told, charts);
  let timer = null;
  let left = false;

  async function read() {
    if (!document.hidden) {
      try {
        const found = await ask(`/api/curves?since=${encodeURIComponent(JSON.stringify(ends))}`);
        let fresh = false;
        for (const [fold, { rows, end }] of Object.entries(found)) {
          folds[fold] = end < (ends[fold] || 0) ? rows : (folds[fold] || []).concat(rows);
          fresh = fresh || rows.length > 0;
          ends[fold] = end;
        }
        if (fresh || !charts.children.length) draw();
      } catch (error) { tell(error); }
    }
    if (!left) timer = setTimeout(read, EVERY);
  }

  function draw() {
    const count = Object.values(folds).reduce((sum, rows) => sum + rows.length, 0);
    told.textContent = count ? `${count} epochs of ${Object.keys(folds).length} folds` : "no epoch has ended yet";
    const keys = new Set();
    for (const rows of Object.values(folds)) for (const row of rows) for (const [key, value] of Object.entries(row)) if (typeof value === "number" && !LEFT_OUT.has(key)) keys.add(key);
    const first = ["loss", "validation_loss", "monitor"].filter((key) => keys.has(key));
    const rest = [...keys].filter((key) => !first.includes(key) && key !== "lr");
    charts.replaceChildren(...[...first, ...rest, ...(keys.has("lr") ? ["lr"] : [])].map(chart));
  }

  function chart(key) {
    const lines = Object.entries(folds).map(([fold, rows]) => [fold, rows.map((row, n) => [n + 1, row[key]]).filter(([, value]) => typeof value === "number")]);
    const points = lines.flatMap(([, line]) => line);
    const xs = points.map(([x]) => x), ys = points.map(([, y]) => y);
    const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const px = (x) => 44 + ((x - x0) / (x1 - x0 || 1)) * 366, py = (y) => 150 - ((y - y0) / (y1 - y0 || 1)) * 135;
    const svg = shape("svg", { viewBox: "0 0 420 190", role: "img", "aria-label": `${NAMES[key] || key} over epochs` });
    for (const y of [y0, y1]) svg.append(shape("line", { x1: 44, x2: 410, y1: py(y), y2: py(y), stroke: "#d5dce3" }), words(y.toPrecision(3), 40, py(y) + 4, "end"));
    svg.append(words(String(x0), 44, 168, "start"), words(String(x1), 410, 168, "end"), words("epoch", 227, 168, "middle"));
    lines.forEach(([fold, line], n) => {
      const stroke = PAINT[n % PAINT.length];
      svg.append(shape("polyline", { points: line.map(([x, y]) => `${px(x)},${py(y)}`).join(" "), fill: "none", stroke, "stroke-width": 1.6 }));
      for (const [x, y] of line.length < 40 ? line : []) svg.append(shape("circle", { cx: px(x), cy: py(y), r: 2, fill: stroke }));
      if (lines.length > 1) svg.append(shape("rect", { x: 44 + 70 * n, y: 178, width: 9, height: 9, fill: stroke }), words(fold, 57 + 70 * n, 187, "start"));
    });
    const name = NAMES[key] || (key.endsWith("loss") ? key : `${key.replaceAll("_", " ")} loss`);
    return make("figure", { className: "chart" }, make("figcaption", {}, name), svg);
  }

  await read();
  return () => { left = true; clearTimeout(timer); };
}

function shape(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function words(text, x, y, anchor) {
  const element = shape("text", { x, y, "text-anchor": anchor });
  element.textContent = text;
  return element;
}
