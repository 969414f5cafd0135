// One case: image, truth, prediction and errors, with the decision at hand. Volumes have three planes.
import { ask, make, number, percent, tell } from "/static/view.js";
import { beside } from "/static/cases.js";
import { createDecision, layerButtons, legend } from "/static/decision.js";
import { createPlane } from "/static/plane.js";

export async function showCase(page, whole, of, at) {
  let state = whole.folders[of];
  const info = await ask(`/api/${at}/about?of=${of}`);
  const volume = info.shape.length === 3;
  const values = state.kind === "restore";
  const cross = volume ? info.shape.map((length) => Math.floor(length / 2)) : null;
  const decision = state.slides ? createDecision(of, state, redecide) : null;
  const text = () => (decision ? decision.text() : "");
  const planes = (volume ? [0, 1, 2] : [0]).map((axis) => createPlane({ of, at, info, state, axis, cross, text, moved() {}, picked: redraw }));
  const canvases = make("div", { className: volume ? "canvases three" : "canvases" }, ...planes.map((one) => one.figure));
  const { buttons, toggle } = layerButtons(state, redraw, info.truth);
  const here = make("span", { className: "score", id: "case-score" }, number(info.value));
  const all = make("span", { className: "score", id: "all-score" }, number(state.value));
  const areas = make("dl", { className: "marks", id: "areas" });
  const fold = info.fold === null ? "" : ` · fold ${info.fold}`;
  const panel = make("aside", { className: "panel" }, make("h2", {}, info.id),
    make("p", {}, `${info.shape.join(" × ")} ${info.axes}${fold}${info.group === info.id ? "" : ` · group ${info.group}`}`),
    make("div", { className: "row" }, ...buttons), legend(state, info.truth));
  if (info.truth) {
    panel.append(make("p", {}, `${state.metric}, this case`), here);
    panel.append(make("p", {}, state.slides_score || !state.slides ? "All cases" : "All cases, by the decision of the folder"), all, ...(values ? [] : [marks()]));
  } else {
    panel.append(make("p", {}, "No truth is known: no score."));
  }
  if (!values) panel.append(make("p", {}, `${percent(info.unsure)} of the pixels are uncertain (probability between 0.1 and 0.9)`), areas);
  if (decision) panel.append(...decision.parts);
  panel.append(make("p", {}, `j and k: next and previous case. Wheel: zoom. Drag or arrows: move. 0: whole.${volume ? " Page up and down: next plane." : ""}`));
  page.append(make("div", { className: "case" }, canvases, panel));

  function marks() {
    const list = make("dl", { className: "marks" });
    const entry = (words, value) => list.append(make("dt", {}, words), make("dd", {}, value));
    entry(state.run ? "by the decision of the run" : "by the decision of the predictions", number(state.value));
    if (state.baseline !== null) entry("all-empty baseline", number(state.baseline));
    return list;
  }

  let asking = false, again = false;
  async function redecide() {
    if (asking) { again = true; return; }
    asking = true;
    try {
      const d = encodeURIComponent(text());
      const [one, every] = await Promise.all([ask(`/api/${at}/score?of=${of}&d=${d}`), ask(`/api/score?of=${of}&d=${d}`)]);
      here.textContent = number(one.value);
      all.textContent = every.value === null ? "not known for this decision" : number(every.value);
      areas.replaceChildren(...(one.pixels || []).flatMap((count, k) => [make("dt", {}, `${state.names[k]}, predicted`), make("dd", {}, `${count} ${volume ? "voxels" : "pixels"}`)]));
      await redraw();
    } catch (error) { tell(error); }
    asking = false;
    if (again) { again = false; redecide(); }
  }

  // Draws what is asked for last; while it is drawn, no more than one further drawing waits.
  let drawing = false, stale = false;
  async function redraw() {
    if (drawing) { stale = true; return; }
    drawing = true;
    do {
      stale = false;
      await Promise.all(planes.map((one) => one.draw()));
    } while (stale);
    drawing = false;
    page.dataset.drawn = String(Number(page.dataset.drawn || 0) + 1);
  }

  function keys(event) {
    if (["INPUT", "SELECT"].includes(document.activeElement.tagName) || event.ctrlKey || event.metaKey) return;
    if (toggle(event.key)) return;
    if (event.key === "0") planes.forEach((one) => one.whole());
    else if (event.key === "j" || event.key === "k") {
      const next = beside(of, at, event.key === "j" ? 1 : -1, state.count);
      if (next !== undefined) location.hash = `#/case/${of}/${next}`;
    }
  }
  document.addEventListener("keydown", keys);
  await redecide();
  return {
    leave: () => document.removeEventListener("keydown", keys),
    update(now) {
      const before = state.revision;
      state = now.folders[of];
      if (before !== state.revision) redecide();
    },
  };
}
