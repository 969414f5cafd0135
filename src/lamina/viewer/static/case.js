// One case: image, truth, prediction and errors, with the decision at hand. Volumes have three planes.
import { ask, make, number, tell } from "/static/view.js";
import { order } from "/static/cases.js";

const LAYERS = [["image", "1"], ["truth", "2"], ["prediction", "3"], ["error", "4"], ["probability", "5"]];
const remembered = { shown: new Set(["image", "truth", "prediction"]), decisions: null, class: null };

export async function showCase(page, state, at) {
  const info = await ask(`/api/${at}/about`);
  const volume = info.shape.length === 3;
  const values = state.kind === "restore";
  if (!remembered.decisions) remembered.decisions = state.start.map((one) => ({ ...one }));
  if (remembered.class === null) remembered.class = state.first;
  let tried = false; // whether the sliders were moved: before, the decision of the run counts
  const cross = volume ? info.shape.map((length) => Math.floor(length / 2)) : null;
  const planes = (volume ? [0, 1, 2] : [0]).map((axis) => plane(axis));
  const canvases = make("div", { className: volume ? "canvases three" : "canvases" }, ...planes.map((one) => one.figure));
  const buttons = LAYERS.filter(([name]) => !values || ["image", "truth", "prediction"].includes(name)).map(([name, key]) => {
    const button = make("button", { type: "button", "aria-pressed": String(remembered.shown.has(name)) }, `${key} ${name}`);
    button.addEventListener("click", () => toggle(name));
    button.dataset.layer = name;
    return button;
  });
  const here = make("span", { className: "score", id: "case-score" }, number(info.value));
  const all = make("span", { className: "score", id: "all-score" }, number(state.value));
  const panel = make("aside", { className: "panel" }, make("h2", {}, info.id),
    make("p", {}, `${info.shape.join(" × ")} ${info.axes} · fold ${info.fold}${info.group === info.id ? "" : ` · group ${info.group}`}`),
    make("div", { className: "row" }, ...buttons), legend(),
    make("p", {}, `${state.metric}, this case`), here);
  if (!values) panel.append(make("p", {}, state.scored || !state.slides ? "All held-out cases" : "All held-out cases, by the decision of the run"), all);
  panel.append(marks());
  const sliders = state.slides ? decision() : null;
  if (sliders) panel.append(...sliders.parts);
  panel.append(make("p", {}, "j and k: next and previous case. Wheel: zoom. Drag: move. 0: whole."));
  page.append(make("div", { className: "case" }, canvases, panel));

  function text() {
    return tried ? remembered.decisions.map((one) => `${one.threshold}:${one.area}`).join(";") : "";
  }

  function legend() {
    const place = make("div", { className: "legend" });
    const entry = (paint, words) => {
      const dot = make("i", { className: "dot" });
      dot.style.backgroundColor = paint;
      place.append(make("span", {}, dot, words));
    };
    if (values) return place;
    state.names.slice(state.first).forEach((name, k) => entry(state.colours[k], name));
    entry(state.errors.false, "predicted, not there");
    entry(state.errors.missed, "there, not predicted");
    place.append(make("span", {}, "truth filled, prediction outlined"));
    return place;
  }

  function marks() {
    const list = make("dl", { className: "marks" });
    const entry = (words, value) => list.append(make("dt", {}, words), make("dd", {}, value));
    entry("by the decision of the run", number(state.value));
    if (state.baseline !== null) entry("all-empty baseline", number(state.baseline));
    return list;
  }

  function decision() {
    const select = make("select", { id: "class" });
    state.names.forEach((name, k) => select.append(make("option", { value: String(k) }, name)));
    select.value = String(remembered.class);
    const slider = make("input", { type: "range", id: "threshold", min: "0", max: "1", step: "0.001", "aria-label": "threshold" });
    const exact = make("input", { type: "number", id: "exact", min: "0", max: "1", step: "0.001", "aria-label": "threshold as a number" });
    const area = make("input", { type: "number", id: "area", min: "0", step: "1", "aria-label": "minimum area in pixels" });
    const copied = make("code", { id: "command" });
    const back = make("button", { type: "button", id: "reset" }, "decision of the run");
    const fill = () => {
      const one = remembered.decisions[remembered.class];
      slider.value = exact.value = String(one.threshold);
      area.value = String(one.area);
    };
    const changed = (key, value) => {
      if (value === "" || Number.isNaN(Number(value))) return;
      tried = true;
      remembered.decisions[remembered.class][key] = Number(value);
      fill();
      redecide();
    };
    slider.addEventListener("input", () => changed("threshold", slider.value));
    exact.addEventListener("change", () => changed("threshold", exact.value));
    area.addEventListener("change", () => changed("area", area.value));
    select.addEventListener("change", () => { remembered.class = Number(select.value); fill(); redraw(); });
    back.addEventListener("click", () => {
      tried = false;
      remembered.decisions = state.start.map((one) => ({ ...one }));
      fill();
      redecide();
    });
    fill();
    return {
      told: copied,
      parts: [make("label", {}, "Class", select), make("label", {}, "Threshold", slider, exact), make("label", {}, "Minimum area, pixels of the whole case", area), make("div", { className: "row" }, back), copied],
    };
  }

  let asking = false, again = false;
  async function redecide() {
    if (asking) { again = true; return; }
    asking = true;
    try {
      const d = encodeURIComponent(text());
      const [one, every] = await Promise.all([ask(`/api/${at}/score?d=${d}`), ask(`/api/score?d=${d}`)]);
      here.textContent = number(one.value);
      all.textContent = every.value === null ? "not known for this decision" : number(every.value);
      if (sliders) sliders.told.textContent = command();
      await redraw();
    } catch (error) { tell(error); }
    asking = false;
    if (again) { again = false; redecide(); }
  }

  function command() {
    if (!tried) return "";
    const list = (key) => remembered.decisions.map((one) => one[key]);
    const words = (some) => (some.length === 1 ? String(some[0]) : `[${some.join(",")}]`);
    const areas = list("area").some((one) => one > 0) ? ` -s decide.min_area=${words(list("area"))}` : "";
    return `lamina predict RUN IMAGES --out PRED -s decide.kind=threshold -s decide.threshold=${words(list("threshold"))}${areas}`;
  }

  function toggle(name) {
    if (remembered.shown.has(name)) remembered.shown.delete(name);
    else remembered.shown.add(name);
    for (const button of buttons) button.setAttribute("aria-pressed", String(remembered.shown.has(button.dataset.layer)));
    redraw();
  }

  async function redraw() {
    await Promise.all(planes.map((one) => one.draw()));
    page.dataset.drawn = String(Number(page.dataset.drawn || 0) + 1);
  }

  // A canvas that shows a box of an image or of a plane; it asks for exactly what it shows.
  function plane(axis) {
    const sides = volume ? info.shape.filter((_, n) => n !== axis) : info.shape;
    const others = volume ? [0, 1, 2].filter((n) => n !== axis) : null;
    const canvas = make("canvas", { tabIndex: 0, "aria-label": volume ? `plane across ${info.axes[axis]}` : "image" });
    const caption = make("figcaption");
    const figure = make("figure", {}, canvas, caption);
    let box = [0, 0, ...sides];
    let turn = 0;

    function address(layer, k, size) {
      const query = new URLSearchParams({ box: box.join(","), size: size.join(","), class: String(k), d: text() });
      if (volume) { query.set("axis", String(axis)); query.set("at", String(cross[axis])); }
      return `/api/${at}/${layer}?${query}`;
    }

    async function picture(layer, k, size) {
      const answer = await fetch(address(layer, k, size));
      if (!answer.ok) throw new Error((await answer.json()).error);
      const bitmap = await createImageBitmap(await answer.blob());
      const surface = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
      surface.drawImage(bitmap, 0, 0);
      return surface.getImageData(0, 0, bitmap.width, bitmap.height);
    }

    async function draw() {
      const mine = ++turn;
      const height = box[2] - box[0], width = box[3] - box[1];
      const wide = Math.min(Math.max(Math.round(canvas.clientWidth * devicePixelRatio), 64), 1600);
      const size = [Math.min(height, Math.max(Math.round(wide * height / width), 1), 2048), Math.min(width, wide)];
      const shown = remembered.shown;
      const wanted = [picture("image", 0, size)];
      const classes = values ? [] : state.names.map((_, k) => k).slice(state.first);
      const masks = shown.has("truth") || shown.has("prediction") || shown.has("error");
      for (const k of masks ? classes : []) wanted.push(picture("truth", k, size), picture("mask", k, size));
      if (shown.has("probability") && !values) wanted.push(picture("probability", remembered.class, size));
      if (values && shown.has("prediction")) wanted.push(picture("probability", 0, size));
      else if (values && shown.has("truth")) wanted.push(picture("truth", 0, size));
      let found;
      try { found = await Promise.all(wanted); } catch (error) { tell(error); return; }
      if (mine !== turn) return; // something newer is on its way
      const base = values && found.length > 1 ? found[1] : found[0];
      const pixels = base.data;
      if (!shown.has("image") && !values) pixels.fill(0);
      if (!values) {
        if (shown.has("probability")) blend(pixels, found[found.length - 1].data);
        classes.forEach((_, n) => {
          if (masks) paint(pixels, found[1 + 2 * n], found[2 + 2 * n], state.colours[n]);
        });
      }
      for (let i = 3; i < pixels.length; i += 4) pixels[i] = 255;
      canvas.width = base.width;
      canvas.height = base.height;
      const surface = canvas.getContext("2d");
      surface.putImageData(base, 0, 0);
      canvas.classList.add("drawn");
      if (volume) {
        caption.textContent = `${info.axes[axis]} = ${cross[axis]} of 0 to ${info.shape[axis] - 1}`;
        const [row, column] = others.map((n, i) => ((cross[n] + 0.5 - box[i]) / (box[i + 2] - box[i])) * [base.height, base.width][i]);
        surface.strokeStyle = "#ffffff90";
        surface.beginPath();
        surface.moveTo(0, row); surface.lineTo(base.width, row);
        surface.moveTo(column, 0); surface.lineTo(column, base.height);
        surface.stroke();
      }
    }

    function blend(pixels, prob) {
      for (let i = 0; i < pixels.length; i += 4) {
        const share = prob[i] / 255;
        pixels[i] = pixels[i] * (1 - 0.8 * share) + 255 * 0.8 * share;
        pixels[i + 1] = pixels[i + 1] * (1 - 0.8 * share) + 220 * 0.8 * share;
        pixels[i + 2] = pixels[i + 2] * (1 - 0.8 * share);
      }
    }

    function paint(pixels, truth, mask, name) {
      const colour = rgb(name), wrong = rgb(state.errors.false), missed = rgb(state.errors.missed);
      const { width, height } = truth;
      const shown = remembered.shown;
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const i = 4 * (y * width + x);
          const there = truth.data[i] > 0, predicted = mask.data[i] > 0;
          if (shown.has("truth") && there) mix(pixels, i, colour, 0.4);
          if (shown.has("error") && predicted && !there) mix(pixels, i, wrong, 0.85);
          if (shown.has("error") && there && !predicted && ((x + y) >> 2) % 2 === 0) mix(pixels, i, missed, 1);
          if (shown.has("prediction") && predicted && edge(mask.data, x, y, width, height)) mix(pixels, i, colour, 1);
        }
      }
    }

    function edge(data, x, y, width, height) {
      if (x === 0 || y === 0 || x === width - 1 || y === height - 1) return true;
      const i = 4 * (y * width + x);
      return !(data[i - 4] && data[i + 4] && data[i - 4 * width] && data[i + 4 * width]);
    }

    function move(to) {
      const height = Math.min(Math.max(to[2] - to[0], 8), sides[0]), width = Math.min(Math.max(to[3] - to[1], 8), sides[1]);
      const y = Math.round(Math.min(Math.max(to[0], 0), sides[0] - height)), x = Math.round(Math.min(Math.max(to[1], 0), sides[1] - width));
      box = [y, x, Math.min(y + Math.round(height), sides[0]), Math.min(x + Math.round(width), sides[1])];
      draw();
    }

    function place(event) {
      const frame = canvas.getBoundingClientRect();
      return [box[0] + ((event.clientY - frame.top) / frame.height) * (box[2] - box[0]), box[1] + ((event.clientX - frame.left) / frame.width) * (box[3] - box[1])];
    }

    function zoom(factor, [y, x]) {
      move([y - (y - box[0]) * factor, x - (x - box[1]) * factor, y + (box[2] - y) * factor, x + (box[3] - x) * factor]);
    }

    let held = null;
    canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(event.deltaY > 0 ? 1.25 : 0.8, place(event)); }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => { held = { from: place(event), moved: false }; canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointermove", (event) => {
      if (!held) return;
      const [y, x] = place(event);
      if (Math.abs(y - held.from[0]) + Math.abs(x - held.from[1]) < 2) return;
      held.moved = true;
      move([box[0] + held.from[0] - y, box[1] + held.from[1] - x, box[2] + held.from[0] - y, box[3] + held.from[1] - x]);
    });
    canvas.addEventListener("pointerup", (event) => {
      if (held && !held.moved && volume) {
        place(event).forEach((where, n) => { cross[others[n]] = Math.min(Math.max(Math.floor(where), 0), info.shape[others[n]] - 1); });
        redraw();
      }
      held = null;
    });
    canvas.addEventListener("keydown", (event) => {
      const middle = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
      if (event.key === "+") zoom(0.8, middle);
      else if (event.key === "-") zoom(1.25, middle);
      else if (volume && (event.key === "PageUp" || event.key === "PageDown")) {
        event.preventDefault();
        cross[axis] = Math.min(Math.max(cross[axis] + (event.key === "PageUp" ? 1 : -1), 0), info.shape[axis] - 1);
        redraw();
      }
    });
    return { figure, draw, whole: () => move([0, 0, ...sides]) };
  }

  function keys(event) {
    if (["INPUT", "SELECT"].includes(document.activeElement.tagName) || event.ctrlKey || event.metaKey) return;
    const layer = LAYERS.find(([, key]) => key === event.key);
    if (layer) toggle(layer[0]);
    else if (event.key === "0") planes.forEach((one) => one.whole());
    else if (event.key === "j" || event.key === "k") {
      const list = order.length ? order : Array.from({ length: state.count }, (_, n) => n);
      const next = list[list.indexOf(at) + (event.key === "j" ? 1 : -1)];
      if (next !== undefined) location.hash = `#/case/${next}`;
    }
  }
  document.addEventListener("keydown", keys);
  await redecide();
  return () => document.removeEventListener("keydown", keys);
}

function rgb(name) {
  return [1, 3, 5].map((i) => parseInt(name.slice(i, i + 2), 16));
}

function mix(pixels, i, colour, share) {
  for (let c = 0; c < 3; c++) pixels[i + c] = pixels[i + c] * (1 - share) + colour[c] * share;
}
