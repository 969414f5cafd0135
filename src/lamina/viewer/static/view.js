// The page: which part is shown, and what all parts share.
import { showCases } from "/static/cases.js";
import { showCase } from "/static/case.js";
import { showTraining } from "/static/training.js";

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

export const number = (value, digits = 4) => (value === null || value === undefined ? "–" : value.toFixed(digits));

export function tell(error) {
  const place = document.getElementById("error");
  place.textContent = String(error.message || error);
  place.hidden = false;
  setTimeout(() => { place.hidden = true; }, 6000);
}

let leave = () => {};
let state = null;

async function show() {
  leave();
  leave = () => {};
  const page = document.getElementById("page");
  const [, name = "cases", ...rest] = location.hash.split("/");
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#/${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  page.replaceChildren();
  try {
    if (name === "case") leave = await showCase(page, state, Number(rest[0]));
    else if (name === "training") leave = await showTraining(page, state);
    else leave = await showCases(page, state);
  } catch (error) {
    tell(error);
  }
}

async function begin() {
  try {
    state = await ask("/api/state");
  } catch (error) {
    tell(error);
    return;
  }
  document.title = `${state.name} · lamina view`;
  document.getElementById("name").textContent = state.name;
  document.getElementById("about").textContent = state.count
    ? `${state.count} held-out cases · ${state.metric}: ${number(state.value)} · decision: ${state.decision}`
    : "no held-out case was predicted yet";
  if (!location.hash) location.replace(state.count ? "#/cases" : "#/training");
  window.addEventListener("hashchange", show);
  await show();
}

begin();
