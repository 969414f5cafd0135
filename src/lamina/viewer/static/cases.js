// The grid of cases.
import { ask, make, number, percent, pick, remember, tell } from "/static/view.js";

const WITH_TRUTH = [["worst", "worst score first"], ["uncertain", "least certain first"], ["alarms", "largest false alarm first"], ["misses", "largest miss first"], ["largest", "most predicted first"], ["id", "by name"]];
const WITHOUT = WITH_TRUTH.filter(([key]) => ["uncertain", "largest", "id"].includes(key));

let order = []; // [folder, number] of cases as listed last, for next and previous
const chosen = { of: "0", sort: "", class: "", fold: "", text: "" };

// Returns the number of the case beside one, in the order of the grid; undefined: there is none.
export function beside(of, at, step, count) {
  const own = order.filter(([folder]) => folder === of).map(([, n]) => n);
  const list = own.includes(at) ? own : Array.from({ length: count }, (_, n) => n);
  return list[list.indexOf(at) + step];
}

export function tile(of, one, href) {
  const known = one.truth ? number(one.value) : `${percent(one.unsure)} uncertain`;
  const fold = one.fold === null ? "" : ` · fold ${one.fold}`;
  return make("a", { className: "tile", href },
    make("img", { src: `/api/${one.number}/thumbnail?of=${of}`, alt: `${one.id}: ${one.truth ? "truth filled, prediction outlined" : "prediction"}`, loading: "lazy" }),
    make("b", {}, one.id),
    make("span", {}, `${known}${fold} · ${one.shape.join(" × ")}`),
    make("span", {}, one.group === one.id ? "" : `group ${one.group}`));
}

export async function showCases(page, state) {
  const grid = make("div", { className: "grid" });
  const told = make("p", { role: "status" });
  const more = make("button", { type: "button", hidden: true }, "Show more");
  const bar = make("div", { className: "bar" });
  const folder = () => state.folders[Number(chosen.of)];
  const kept = remember(); // pictures of cases that have not changed are not asked for again
  let offset = 0;
  let turn = 0;
  page.append(bar, told, grid, make("p", {}, more));
  more.addEventListener("click", () => list(false));

  function choices() {
    const now = folder();
    const sorts = now.truth ? WITH_TRUTH : WITHOUT;
    if (!sorts.some(([key]) => key === chosen.sort)) chosen.sort = sorts[0][0];
    const classes = now.names.map((name, k) => [String(k), name]).slice(now.first);
    const text = make("input", { type: "search", id: "text", value: chosen.text });
    text.addEventListener("input", () => { chosen.text = text.value; list(true); });
    const parts = [pick(chosen, "sort", "Order", sorts, again)];
    if (state.folders.length > 1) parts.unshift(pick(chosen, "of", "Folder", state.folders.map((one, n) => [String(n), one.folder]), () => { chosen.class = chosen.fold = ""; choices(); again(); }));
    if (now.kind !== "restore") parts.push(pick(chosen, "class", now.truth ? "Shows class" : "Predicted class", [["", "any or none"], ...classes], again));
    if (now.folds.length > 1) parts.push(pick(chosen, "fold", "Fold", [["", "all"], ...now.folds.map((fold) => [String(fold), String(fold)])], again));
    bar.replaceChildren(...parts, make("label", {}, "Name or group contains", text));
  }

  const again = () => list(true);

  async function list(anew) {
    const mine = ++turn;
    const from = anew ? 0 : offset;
    const query = new URLSearchParams({ ...chosen, offset: from });
    let found;
    try { found = await ask(`/api/cases?${query}`); } catch (error) { tell(error); return; }
    if (mine !== turn) return;
    const of = Number(chosen.of);
    if (anew) order = [];
    const tiles = found.cases.map((one) => {
      order.push([of, one.number]);
      return kept.get(JSON.stringify([of, one]), () => tile(of, one, `#/case/${of}/${one.number}`));
    });
    if (anew) grid.replaceChildren(...tiles);
    else grid.append(...tiles);
    offset = from + found.cases.length;
    const now = folder();
    const waiting = now.asked > now.count ? `; ${now.asked - now.count} are not scored or not predicted yet` : "";
    told.textContent = `${offset} of ${found.count} cases${waiting}`;
    more.hidden = offset >= found.count;
  }

  choices();
  await list(true);
  return {
    update(now) {
      const before = folder();
      state = now;
      if (before.truth !== folder().truth || before.folds.length !== folder().folds.length) choices();
      if (before.revision !== folder().revision && offset <= 100) list(true); // a list read on stays as it is
    },
  };
}
