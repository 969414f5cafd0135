// The grid of cases.
import { ask, make, number, tell } from "/static/view.js";

const SORTS = [["worst", "worst score first"], ["uncertain", "least certain first"], ["alarms", "largest false alarm first"], ["misses", "largest miss first"], ["id", "by name"]];

export let order = []; // numbers of cases as listed last, for next and previous

export async function showCases(page, state) {
  const chosen = { sort: "worst", class: "", fold: "", offset: 0, text: "" };
  const grid = make("div", { className: "grid" });
  const told = make("p", { role: "status" });
  const more = make("button", { type: "button", hidden: true }, "Show more");
  const pick = (name, label, options) => {
    const select = make("select", { id: name });
    for (const [value, words] of options) select.append(make("option", { value }, words));
    select.addEventListener("change", () => { chosen[name] = select.value; list(true); });
    return make("label", {}, label, select);
  };
  const classes = state.names.map((name, k) => [String(k), name]).slice(state.first);
  const text = make("input", { type: "search", id: "text" });
  text.addEventListener("input", () => { chosen.text = text.value.toLowerCase(); filter(); });
  page.append(make("div", { className: "bar" },
    pick("sort", "Order", SORTS),
    pick("class", "Shows class", [["", "any or none"], ...classes]),
    pick("fold", "Fold", [["", "all"], ...state.folds.map((fold) => [String(fold), String(fold)])]),
    make("label", {}, "Name or group contains", text)), told, grid, make("p", {}, more));
  more.addEventListener("click", () => list(false));

  function filter() {
    for (const tile of grid.children) tile.hidden = !tile.dataset.words.includes(chosen.text);
  }

  async function list(anew) {
    if (anew) { chosen.offset = 0; order = []; }
    const query = new URLSearchParams({ sort: chosen.sort, class: chosen.class, fold: chosen.fold, offset: chosen.offset });
    let found;
    try { found = await ask(`/api/cases?${query}`); } catch (error) { tell(error); return; }
    if (anew) grid.replaceChildren();
    for (const one of found.cases) {
      order.push(one.number);
      const tile = make("a", { className: "tile", href: `#/case/${one.number}` },
        make("img", { src: `/api/${one.number}/thumbnail`, alt: `${one.id}: truth filled, prediction outlined`, loading: "lazy" }),
        make("b", {}, one.id),
        make("span", {}, `${number(one.value)} · fold ${one.fold} · ${one.shape.join(" × ")}`),
        make("span", {}, one.group === one.id ? "" : `group ${one.group}`));
      tile.dataset.words = `${one.id} ${one.group}`.toLowerCase();
      grid.append(tile);
    }
    chosen.offset += found.cases.length;
    told.textContent = `${chosen.offset} of ${found.count} cases`;
    more.hidden = chosen.offset >= found.count;
    filter();
  }

  await list(true);
  return () => {};
}
