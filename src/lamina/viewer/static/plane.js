// A canvas that shows a box of an image, or of a plane of a volume; it asks for exactly what it shows.
import { make, tell } from "/static/view.js";
import { remembered } from "/static/decision.js";

const SMALLEST = 8; // pixels of a box
const TALLEST = 78; // percent of the height of the window

// at: number of the case in the folder `of`; cross: voxel that three planes share; text(): the decision.
// moved(box): the box has changed; picked(): a click has moved the cross.
export function createPlane({ of, at, info, state, axis, cross, text, moved, picked }) {
  const volume = info.shape.length === 3;
  const values = state.kind === "restore";
  const others = volume ? [0, 1, 2].filter((n) => n !== axis) : [0, 1];
  const turned = volume && others[1] === info.down;
  if (turned) others.reverse();
  const sides = others.map((n) => info.shape[n]);
  const canvas = make("canvas", { tabIndex: 0, "aria-label": volume ? `plane across ${info.axes[axis]}` : "image" });
  const caption = make("figcaption");
  const lines = volume ? ["across", "down"].map((way) => make("i", { className: `line ${way}` })) : [];
  const figure = make("figure", {}, make("div", { className: "stack" }, canvas, ...lines), caption);
  let box = [0, 0, ...sides];
  let turn = 0;

  function address(layer, k, size) {
    const [y0, x0, y1, x1] = box;
    const stored = turned ? [x0, y0, x1, y1] : box;
    const query = new URLSearchParams({ of, box: stored.join(","), size: (turned ? [size[1], size[0]] : size).join(","), class: String(k), d: text() });
    if (volume) { query.set("axis", String(axis)); query.set("at", String(cross[axis])); }
    if (turned) query.set("turned", "1");
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

  // Sets how large the canvas is on the page: voxels as tall as the file says, no taller than the window.
  function fit() {
    const steps = info.spacing || [1, 1, 1];
    const [down, right] = volume ? others.map((n) => steps[n]) : [1, 1];
    const ratio = ((box[3] - box[1]) * right) / ((box[2] - box[0]) * down);
    canvas.style.aspectRatio = String(ratio);
    canvas.style.width = `min(100%, ${(TALLEST * ratio).toFixed(3)}vh)`;
  }

  async function draw() {
    const mine = ++turn;
    fit();
    const height = box[2] - box[0], width = box[3] - box[1];
    const wide = Math.min(Math.max(Math.round(canvas.clientWidth * devicePixelRatio), 64), 1600);
    const tall = Math.min(Math.max(Math.round(canvas.clientHeight * devicePixelRatio), 64), 1600);
    const size = [Math.min(height, tall), Math.min(width, wide)];
    const shown = new Set([...remembered.shown].filter((name) => info.truth || !["truth", "error"].includes(name)));
    const wanted = [picture("image", 0, size)];
    const classes = values ? [] : state.names.map((_, k) => k).slice(state.first);
    const masks = shown.has("truth") || shown.has("prediction") || shown.has("error");
    for (const k of masks ? classes : []) wanted.push(info.truth ? picture("truth", k, size) : null, picture("mask", k, size));
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
        if (masks) paint(pixels, shown, found[1 + 2 * n], found[2 + 2 * n], state.colours[n]);
      });
    }
    for (let i = 3; i < pixels.length; i += 4) pixels[i] = 255;
    canvas.width = base.width;
    canvas.height = base.height;
    const surface = canvas.getContext("2d");
    surface.putImageData(base, 0, 0);
    canvas.classList.add("drawn");
    if (!volume) return;
    caption.textContent = `${info.axes[axis]} = ${cross[axis]} of 0 to ${info.shape[axis] - 1}`;
    others.forEach((n, i) => { // thin lines on the canvas, so that no voxel is covered
      const share = (cross[n] + 0.5 - box[i]) / (box[i + 2] - box[i]);
      lines[i].hidden = share < 0 || share > 1;
      if (i === 0) { lines[i].style.top = `${100 * share}%`; lines[i].style.width = canvas.style.width; }
      else lines[i].style.left = `calc(${canvas.style.width} * ${share})`;
    });
  }

  function blend(pixels, prob) {
    for (let i = 0; i < pixels.length; i += 4) {
      const share = prob[i] / 255;
      pixels[i] = pixels[i] * (1 - 0.8 * share) + 255 * 0.8 * share;
      pixels[i + 1] = pixels[i + 1] * (1 - 0.8 * share) + 220 * 0.8 * share;
      pixels[i + 2] = pixels[i + 2] * (1 - 0.8 * share);
    }
  }

  // Without a truth the prediction is filled as well as outlined.
  function paint(pixels, shown, truth, mask, name) {
    const colour = rgb(name), wrong = rgb(state.errors.false), missed = rgb(state.errors.missed);
    const { width, height } = mask;
    const filled = truth ? shown.has("truth") : shown.has("prediction");
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const i = 4 * (y * width + x);
        const predicted = mask.data[i] > 0, there = truth ? truth.data[i] > 0 : predicted;
        if (filled && there) mix(pixels, i, colour, 0.4);
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
    const height = Math.min(Math.max(to[2] - to[0], SMALLEST), sides[0]), width = Math.min(Math.max(to[3] - to[1], SMALLEST), sides[1]);
    const y = Math.round(Math.min(Math.max(to[0], 0), sides[0] - height)), x = Math.round(Math.min(Math.max(to[1], 0), sides[1] - width));
    take([y, x, Math.min(y + Math.round(height), sides[0]), Math.min(x + Math.round(width), sides[1])]);
    moved(box);
  }

  function take(to) {
    box = to;
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
      picked();
    }
    held = null;
  });
  canvas.addEventListener("keydown", (event) => {
    const middle = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
    const far = [(box[2] - box[0]) / 4, (box[3] - box[1]) / 4];
    const way = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (event.key === "+") zoom(0.8, middle);
    else if (event.key === "-") zoom(1.25, middle);
    else if (way) {
      event.preventDefault();
      move([0, 1, 2, 3].map((n) => box[n] + way[n % 2] * far[n % 2]));
    } else if (volume && (event.key === "PageUp" || event.key === "PageDown")) {
      event.preventDefault();
      cross[axis] = Math.min(Math.max(cross[axis] + (event.key === "PageUp" ? 1 : -1), 0), info.shape[axis] - 1);
      picked();
    }
  });
  return { canvas, figure, draw, take, whole: () => move([0, 0, ...sides]) };
}

function rgb(name) {
  return [1, 3, 5].map((i) => parseInt(name.slice(i, i + 2), 16));
}

function mix(pixels, i, colour, share) {
  for (let c = 0; c < 3; c++) pixels[i + c] = pixels[i + c] * (1 - share) + colour[c] * share;
}
