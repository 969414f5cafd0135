// What is shown of a case and how it is decided: layers, legend, thresholds and areas.
import { make } from "/static/view.js";

const LAYERS = [["image", "1"], ["truth", "2"], ["prediction", "3"], ["error", "4"], ["probability", "5"]];

// What stays from one case to the next; decisions: of each folder, once they were tried.
export const remembered = { shown: new Set(["image", "truth", "prediction"]), decisions: {}, class: null };

// Returns a button for each layer, and what turns one on or off by its key.
export function layerButtons(state, changed, truth = state.truth) {
  const offered = LAYERS.filter(([name]) => (state.kind !== "restore" || !["error", "probability"].includes(name)) && (truth || !["truth", "error"].includes(name)));
  const buttons = offered.map(([name, key]) => {
    const button = make("button", { type: "button", "aria-pressed": String(remembered.shown.has(name)) }, `${key} ${name}`);
    button.addEventListener("click", () => turn(name));
    button.dataset.layer = name;
    return button;
  });
  function turn(name) {
    if (remembered.shown.has(name)) remembered.shown.delete(name);
    else remembered.shown.add(name);
    for (const button of buttons) button.setAttribute("aria-pressed", String(remembered.shown.has(button.dataset.layer)));
    changed();
  }
  return { buttons, toggle: (key) => { const layer = offered.find(([, own]) => own === key); if (layer) turn(layer[0]); return Boolean(layer); } };
}

export function legend(state, truth = state.truth) {
  const place = make("div", { className: "legend" });
  const entry = (paint, words) => {
    const dot = make("i", { className: "dot" });
    dot.style.backgroundColor = paint;
    place.append(make("span", {}, dot, words));
  };
  if (state.kind === "restore") return place;
  state.names.slice(state.first).forEach((name, k) => entry(state.colours[k], name));
  if (!truth) {
    place.append(make("span", {}, "prediction filled and outlined"));
    return place;
  }
  entry(state.errors.false, "predicted, not there");
  entry(state.errors.missed, "there, not predicted");
  place.append(make("span", {}, "truth filled, prediction outlined"));
  return place;
}

// Returns the controls of thresholds and areas; changed() is called as they move.
export function createDecision(of, state, changed) {
  if (remembered.class === null || remembered.class >= state.names.length) remembered.class = state.first;
  const fresh = () => state.start.map((one) => ({ ...one }));
  const tried = () => remembered.decisions[of];
  const now = () => (tried() || state.start)[remembered.class];
  const select = make("select", { id: "class" });
  state.names.forEach((name, k) => select.append(make("option", { value: String(k) }, name)));
  select.value = String(remembered.class);
  const slider = make("input", { type: "range", id: "threshold", min: "0", max: "1", step: "0.001", "aria-label": "threshold" });
  const exact = make("input", { type: "number", id: "exact", min: "0", max: "1", step: "0.001", "aria-label": "threshold as a number" });
  const area = make("input", { type: "number", id: "area", min: "0", step: "1", "aria-label": "minimum area in pixels" });
  const told = make("code", { id: "command" });
  const by = make("p", { id: "by" });
  const back = make("button", { type: "button", id: "reset" }, state.run ? "decision of the run" : "decision of the predictions");
  function fill() {
    slider.value = exact.value = String(now().threshold);
    area.value = String(now().area);
    told.textContent = command();
    by.textContent = tried() ? "Masks by these thresholds and areas:" : `Masks by the decision of the ${state.run ? "run" : "predictions"}: ${state.decision}`;
  }
  function set(key, value) {
    if (value === "" || Number.isNaN(Number(value))) return;
    if (!tried()) remembered.decisions[of] = fresh();
    now()[key] = Number(value);
    fill();
    changed();
  }
  function command() {
    if (!tried()) return "";
    const list = (key) => tried().map((one) => one[key]);
    const words = (some) => (some.length === 1 ? String(some[0]) : `[${some.join(",")}]`);
    const areas = list("area").some((one) => one > 0) ? ` -s decide.min_area=${words(list("area"))}` : "";
    return `lamina predict RUN IMAGES --out PRED -s decide.kind=threshold -s decide.threshold=${words(list("threshold"))}${areas}`;
  }
  slider.addEventListener("input", () => set("threshold", slider.value));
  exact.addEventListener("change", () => set("threshold", exact.value));
  area.addEventListener("change", () => set("area", area.value));
  select.addEventListener("change", () => { remembered.class = Number(select.value); fill(); changed(); });
  back.addEventListener("click", () => { delete remembered.decisions[of]; fill(); changed(); });
  fill();
  return {
    text: () => (tried() ? tried().map((one) => `${one.threshold}:${one.area}`).join(";") : ""),
    parts: [make("label", {}, "Class", select), make("label", {}, "Threshold", slider, exact), make("label", {}, "Minimum area, pixels of the whole case", area), make("div", { className: "row" }, back), by, told],
  };
}
