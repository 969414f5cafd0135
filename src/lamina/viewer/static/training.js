// A training: where it stands, its curves and the worst cases of its last validation, as it goes on.
import { ask, make, number, percent, shape, tell } from "/static/view.js";

const PAINT = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#7B3FF2", "#8C6D1F"];
const LEFT_OUT = new Set(["epoch", "step", "best", "skipped", "seconds", "train_seconds", "share", "stage"]);
const NAMES = { loss: "loss", validation_loss: "validation loss", monitor: "monitored score", lr: "learning rate" };
const LEFT_BY = { limit: ", by --max-minutes", epochs: ", by its epochs" }; // where both are known, the smaller
const EVERY = 2000; // milliseconds

export async function showTraining(page, state) {
  const drawn = state.folders[0].kind === "restore" ? "as restored" : "truth filled, prediction outlined";
  const folds = {};
  const ends = {};
  const told = make("p", { role: "status", id: "rows" });
  const stands = make("dl", { className: "tiles", id: "stands" });
  const charts = make("div", { className: "charts" });
  const worst = make("section", { id: "worst", hidden: true });
  page.append(stands, told, charts, worst);
  let timer = null;
  let left = false;
  let seen = "";

  async function read() {
    if (!document.hidden) {
      try {
        const [found, now, last] = await Promise.all([
          ask(`/api/curves?since=${encodeURIComponent(JSON.stringify(ends))}`), ask("/api/training"), ask("/api/validation"),
        ]);
        let fresh = false;
        for (const [fold, { rows, end }] of Object.entries(found)) {
          folds[fold] = end < (ends[fold] || 0) ? rows : (folds[fold] || []).concat(rows);
          fresh = fresh || rows.length > 0;
          ends[fold] = end;
        }
        if (fresh || !told.textContent) draw();
        stand(now);
        validated(last);
      } catch (error) { if (!(error instanceof TypeError)) tell(error); }
    }
    if (!left) timer = setTimeout(read, EVERY);
  }

  function stand({ running, finished, now, load }) {
    const entries = [["Training", running ? "running" : finished.length ? "ended" : "not running"]];
    if (now) {
      entries.push([now.fold, `${now.stage}: epoch ${now.epoch} of ${now.epochs}`]);
      if (now.seconds_left !== null) entries.push([`Left of ${now.fold}`, `${time(now.seconds_left)}${LEFT_BY[now.left_by] || ""}`]);
    }
    if (finished.length) entries.push(["Finished", finished.join(", ")]);
    if (load.cpu !== null) entries.push(["Processor", percent(load.cpu)]); // measured between two requests
    entries.push(["Memory", percent(load.memory)]);
    load.gpus.forEach((gpu, n) => entries.push([load.gpus.length > 1 ? `GPU ${n}` : "GPU", `${percent(gpu.share)}, memory ${percent(gpu.memory)}`]));
    if (load.unasked) entries.push(["GPU", load.unasked]);
    stands.replaceChildren(...entries.map(([words, value]) => make("div", {}, make("dt", {}, words), make("dd", {}, value))));
  }

  function validated({ cases, fold, stage, epoch, metric }) {
    const mark = JSON.stringify([fold, stage, epoch]);
    worst.hidden = !cases;
    if (!cases || mark === seen) return;
    seen = mark;
    const shown = cases.map((one) => make("figure", { className: "tile" },
      make("img", { src: `data:image/jpeg;base64,${one.picture}`, alt: `${one.id}: ${drawn}` }),
      make("figcaption", {}, make("b", {}, one.id), make("span", {}, number(one.value)))));
    worst.replaceChildren(make("h2", {}, "Worst cases of the last validation"),
      make("p", {}, `${fold}, ${stage}, epoch ${epoch + 1}; ${metric}; ${drawn}`),
      make("div", { className: "grid" }, ...shown));
  }

  function draw() {
    const count = Object.values(folds).reduce((sum, rows) => sum + rows.length, 0);
    const many = Object.keys(folds).length;
    told.textContent = count ? `${count} epochs of ${many} ${many === 1 ? "fold" : "folds"}` : "no epoch has ended yet";
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
    const px = (x) => (x1 > x0 ? 54 + ((x - x0) / (x1 - x0)) * 356 : 232), py = (y) => (y1 > y0 ? 150 - ((y - y0) / (y1 - y0)) * 135 : 82);
    const svg = shape("svg", { viewBox: "0 0 420 190", role: "img", "aria-label": `${NAMES[key] || key} over epochs` });
    for (const y of y0 === y1 ? [y0] : [y0, y1]) svg.append(shape("line", { x1: 54, x2: 410, y1: py(y), y2: py(y), stroke: "#d5dce3" }), words(short(y), 50, py(y) + 4, "end"));
    if (x1 > x0) svg.append(words(String(x0), 54, 168, "start"), words("epoch", 232, 168, "middle"), words(String(x1), 410, 168, "end"));
    else svg.append(words(`epoch ${x0}`, 232, 168, "middle"));
    lines.forEach(([fold, line], n) => {
      const stroke = PAINT[n % PAINT.length];
      svg.append(shape("polyline", { points: line.map(([x, y]) => `${px(x)},${py(y)}`).join(" "), fill: "none", stroke, "stroke-width": 1.6 }));
      for (const [x, y] of line.length < 40 ? line : []) svg.append(shape("circle", { cx: px(x), cy: py(y), r: 2, fill: stroke }));
      if (lines.length > 1) svg.append(shape("rect", { x: 54 + 70 * n, y: 178, width: 9, height: 9, fill: stroke }), words(fold, 67 + 70 * n, 187, "start"));
    });
    const name = NAMES[key] || (key.endsWith("loss") ? key : `${key.replaceAll("_", " ")} loss`);
    return make("figure", { className: "chart" }, make("figcaption", {}, name), svg);
  }

  await read();
  return { leave: () => { left = true; clearTimeout(timer); } };
}

function time(seconds) {
  if (seconds < 90) return `about ${Math.round(seconds)} s`;
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} min`;
  return `about ${(seconds / 3600).toFixed(1)} h`;
}

// Returns a number in at most seven letters.
function short(value) {
  return value !== 0 && Math.abs(value) < 0.001 ? value.toExponential(1) : value.toPrecision(3);
}

function words(text, x, y, anchor) {
  return shape("text", { x, y, "text-anchor": anchor }, text);
}
