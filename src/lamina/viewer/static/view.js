// The page: which part is shown, what all parts share, and what is new in the folders.
import { showCases } from "/static/cases.js";
import { showCase } from "/static/case.js";
import { showCompare, showPair } from "/static/compare.js";
import { showTraining } from "/static/training.js";

const EVERY = 2000; // milliseconds between two looks for what is new

export async function ask(address) {
  const answer = await fetch(address);
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error || answer.statusText);
  return value;
}

// Returns an element: make("p", { className: "a" }, "text", child, ...)
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

// Returns an element of a drawing.
export function shape(name, attributes, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
}

export const number = (value, digits = 4) => (value === null || value === undefined ? "–" : value.toFixed(digits));

export const percent = (value) => (value === null || value === undefined ? "–" : `${Math.round(100 * value)} %`);

// Returns a labelled choice; what is chosen is kept in chosen[name].
export function pick(chosen, name, label, options, changed) {
  const select = make("select", { id: name });
  for (const [value, words] of options) select.append(make("option", { value }, words));
  select.value = chosen[name];
  select.addEventListener("change", () => { chosen[name] = select.value; changed(); });
  return make("label", {}, label, select);
}

// Keeps elements by what they show.
export function remember() {
  const made = new Map();
  return {
    get(key, make) {
      if (!made.has(key)) made.set(key, make());
      return made.get(key);
    },
  };
}

let told = null;
export function tell(error) {
  const place = document.getElementById("error");
  place.textContent = String(error.message || error);
  place.hidden = false;
  clearTimeout(told);
  told = setTimeout(() => { place.hidden = true; }, 6000);
}

let shown = {};
let state = null;
let turn = 0;

// Shows what the address names, on a main element of its own: a page that is still asking for
// something when another one is shown writes nowhere.
async function show() {
  const mine = ++turn;
  shown.leave?.();
  shown = {};
  const page = document.getElementById("page").cloneNode(false);
  document.getElementById("page").replaceWith(page);
  const [, name = "cases", ...rest] = location.hash.split("/");
  const of = { case: "cases", pair: "compare" }[name] || name;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#/${of}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const pages = { case: showCase, pair: showPair, compare: showCompare, training: showTraining };
  try {
    const made = await (pages[name] || showCases)(page, state, ...rest.map(Number));
    if (mine === turn) shown = made;
    else made.leave?.();
  } catch (error) {
    tell(error);
  }
}

function head() {
  const [first, second] = state.folders;
  document.title = `${second ? `${first.folder} and ${second.folder}` : first.name} · lamina view`;
  document.getElementById("name").textContent = second ? `${first.folder} and ${second.folder}` : first.name === first.folder ? first.name : `${first.name} · ${first.folder}`;
  document.getElementById("about").textContent = state.folders.map(words).join(" — ");
  const list = state.folders.flatMap((folder) => folder.problems);
  const place = document.getElementById("problems");
  place.hidden = !list.length;
  place.lastElementChild.replaceChildren(...list.map((line) => make("li", {}, line)));
  place.firstElementChild.textContent = list.length === 1 ? "One case cannot be shown" : `${list.length} cases cannot be shown`;
}

function words(folder, n) {
  const part = folder.count < folder.asked ? `${folder.count} of ${folder.asked}` : String(folder.count);
  const cases = `${part} ${folder.run ? "held-out " : ""}${folder.asked === 1 ? "case" : "cases"}`;
  if (!folder.count) return folder.run ? "no held-out case was predicted yet" : "no case was predicted yet";
  const metric = n && folder.metric === state.folders[0].metric ? "" : ` (${folder.metric})`;
  const score = folder.value === null ? "" : ` · score ${number(folder.value)}${metric}`;
  return `${cases}${score}${folder.kind === "restore" ? "" : ` · decision: ${folder.decision}`}`;
}

// Asks for what is new while the tab is visible; the page that is shown takes it in.
async function follow() {
  if (!document.hidden) {
    try {
      const now = await ask("/api/state");
      document.getElementById("ended").hidden = true;
      const changed = JSON.stringify(now) !== JSON.stringify(state);
      state = now;
      if (changed) { head(); shown.update?.(state); }
    } catch (error) {
      document.getElementById("ended").hidden = false;
    }
  }
  setTimeout(follow, EVERY);
}

async function begin() {
  try {
    state = await ask("/api/state");
  } catch (error) {
    tell(error);
    return;
  }
  const links = [["cases", "Cases"]];
  if (state.folders.length > 1) links.unshift(["compare", "Compare"]);
  if (state.training) links.push(["training", "Training"]);
  document.querySelector("nav").append(...links.map(([hash, name]) => make("a", { href: `#/${hash}` }, name)));
  head();
  const running = state.training && !state.folders[0].asked;
  const first = state.folders.length > 1 ? "#/compare" : running ? "#/training" : "#/cases";
  if (!location.hash) history.replaceState(null, "", first);
  window.addEventListener("hashchange", show);
  await show();
  setTimeout(follow, EVERY);
}

begin();
