"""How long the pages of ``lamina view`` wait for pictures of large cases, and in what memory.

Goal       of an image of 16,384 x 16,384 in tiles: the first picture in 2 s, each later one in 1 s
           of a volume of 1,024^3: a plane of any axis in 1 s
           of 1,000 cases of 5 classes: a score at new thresholds in 0.1 s
           the server in 1 GiB
Run        python benchmarks/viewer.py             about ten minutes, two cores, 6 GB of disk
Keep       python benchmarks/viewer.py --write     writes benchmarks/viewer.json, part by part;
           with --only PART only that part is measured, and what is written of others stays

Images, truth and probabilities are made, smooth and with thin objects; the folder of predictions is
written as ``lamina predict`` does. The server is a process of its own, asked over HTTP as the page
asks it. Memory is that of the process: ``rss_mib`` with the files that it has mapped, which the
system may drop at any time, ``own_mib`` without.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
import zarr

import lamina
from lamina.files import write_json
from lamina.prediction.folder.predictions import Info, PredictedCase, Predictions, source_digest
from lamina.prediction.streaming.zarr_store import Store
from lamina.recipe.load import load_recipe
from lamina.recipe.recipe import Recipe
from lamina.result.decisions import Threshold
from lamina.result.search.histogram import count
from lamina.viewer.board import tally_of
from lamina.viewer.cases.viewed import ViewedCase

SIDE, DEPTH = 16384, 1024
TILE = 1024
WINDOW = (900, 1000)
"""Rows and columns of a picture, as a page asks for them."""


def block(size: Sequence[int], seed: int) -> np.ndarray[Any, Any]:
    """Return a smooth random field with values about 0 and a deviation of 1."""
    rng = np.random.default_rng(seed)
    small = rng.standard_normal([max(n // 16, 2) for n in size]).astype(np.float32)
    field = small
    for axis, length in enumerate(size):
        at = np.linspace(0, field.shape[axis] - 1, length)
        low = at.astype(int).clip(max=field.shape[axis] - 2)
        share = (at - low).reshape([-1 if n == axis else 1 for n in range(len(size))])
        field = np.take(field, low, axis) * (1 - share) + np.take(field, low + 1, axis) * share
    return (field / field.std()).astype(np.float32)


def probability(field: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return (1 / (1 + np.exp(6 - 4 * field))).astype(np.float16)


def write_image(folder: Path) -> None:
    """Write an image and its mask in tiles of a random field that repeats."""
    fields = [block((TILE, TILE), seed) for seed in range(4)]
    order = np.random.default_rng(0).integers(0, 4, (SIDE // TILE, SIDE // TILE))
    grain = np.random.default_rng(1).integers(0, 24, (TILE, TILE)).astype(np.uint8)
    kinds = {
        "images": [np.clip(110 + 30 * f, 0, 220).astype(np.uint8) + grain for f in fields],
        "masks": [(f > 1.4).astype(np.uint8) * 255 for f in fields],
    }
    for name, tiles in kinds.items():
        (folder / name).mkdir(parents=True)
        whole = (tiles[n] for n in order.reshape(-1))
        tifffile.imwrite(
            folder / name / "scan.tif",
            whole,
            shape=(SIDE, SIDE),
            dtype=np.uint8,
            tile=(TILE, TILE),
            compression="zlib",
            photometric="minisblack",
        )


def write_volume(folder: Path) -> None:
    """Write a volume and its labels in chunks of 64^3 of a random field that repeats."""
    folder.mkdir()
    field = block((256, 256, 256), 0)
    kinds = {
        "raw.zarr": np.clip(110 + 30 * field, 0, 255).astype(np.uint8),
        "labels.zarr": (field > 1.4).astype(np.uint8) * 255,
    }
    for name, part in kinds.items():
        store = zarr.create_array(
            folder / name,
            shape=(DEPTH,) * 3,
            chunks=(64,) * 3,
            dtype="uint8",
            dimension_names=list("zyx"),
        )
        layer = np.tile(part, (1, DEPTH // 256, DEPTH // 256))
        for top in range(0, DEPTH, 256):
            store[top : top + 256] = layer


def predicted(folder: Path, recipe: Recipe, data: Path, part: np.ndarray[Any, Any]) -> Path:
    """Write a folder of predictions whose probabilities repeat a part."""
    (case,) = recipe.data.open(data, recipe.task).cases
    shape = case.image.shape
    known = PredictedCase(
        id=case.id,
        source=case.image.name,
        sha256=source_digest(case.files),
        axes=case.image.axes,
        shape=shape,
        members=("fold0",),
        banded=len(shape) == 2,
        known="new",
    )
    info = Info(
        lamina=lamina.__version__,
        recipe=recipe,
        recipe_digest=recipe.digest(),
        bundles=("0" * 64,),
        members="all",
        predict=recipe.predict,
        tile=recipe.tile,
        precision="float32",
        device="cpu",
        versions={},
        decision=recipe.decide,
        cases=(known,),
    )
    predictions = Predictions.create(folder, info)
    place = predictions.place(case.id)
    about = {**place.about, "plan": place.plan}
    store = Store.begin(place.store, case.image.axes, (1, *shape), place.dtype, about=about)
    for region in store.slabs():
        spans = [
            np.arange(a, b) % n
            for a, b, n in zip(region.start, region.stop, part.shape, strict=True)
        ]
        store.write(region, part[np.ix_(*spans)][None])
    predictions.finish(case.id)
    return folder


class Server:
    """``lamina view`` in a process of its own, and what it needs."""

    def __init__(self, pred: Path, truth: Path) -> None:
        words = ["view", str(pred), "--truth", str(truth), "--json", "--no-browser"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lamina", *words], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        address = json.loads(self._process.stdout.readline())["address"]
        self._base = address.split("/?")[0]
        self._open = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(CookieJar())
        ).open
        self._open(address).read()
        self.peak = {"rss_mib": 0.0, "own_mib": 0.0}
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()

    def get(self, path: str) -> bytes:
        return bytes(self._open(f"{self._base}{path}", timeout=600).read())

    def json(self, path: str) -> Any:
        return json.loads(self.get(path))

    def _look(self) -> None:
        status = Path(f"/proc/{self._process.pid}/status")
        while not self._over.wait(0.05):
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
            for name, key in (("rss_mib", "VmRSS"), ("own_mib", "RssAnon")):
                now = int(lines[key].split()[0]) / 1024
                self.peak[name] = max(self.peak[name], now)

    def close(self) -> None:
        self._over.set()
        self._watch.join()
        self._process.terminate()
        self._process.wait()


@contextmanager
def serving(pred: Path, truth: Path) -> Iterator[tuple[Server, dict[str, Any]]]:
    begun = time.monotonic()
    server = Server(pred, truth)
    found: dict[str, Any] = {"address_s": time.monotonic() - begun}
    while not server.json("/api/state")["folders"][0]["count"]:
        time.sleep(0.1)
    found["scored_s"] = time.monotonic() - begun
    found["scoring"] = {name: round(value) for name, value in server.peak.items()}
    try:
        yield server, found
    finally:
        server.close()
        found |= {name: round(value) for name, value in server.peak.items()}


def drawn(server: Server, parts: Sequence[str], decision: str = "") -> float:
    """Return the seconds until image, truth and mask of parts have come, asked for at once."""
    begun = time.monotonic()
    layers = [f"/api/0/{what}?{part}&d={decision}" for part in parts for what in _LAYERS]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(server.get, layers))
    return time.monotonic() - begun


_LAYERS = ("image", "truth", "mask")


def times(draw: Callable[[int], float], many: int) -> dict[str, float]:
    found = [draw(n) for n in range(many)]
    return {"median_s": round(statistics.median(found), 3), "most_s": round(max(found), 3)}


def box(y: int, x: int, height: int, width: int, **more: int) -> str:
    size = f"{min(WINDOW[0], height)},{min(WINDOW[1], width)}"
    rest = "".join(f"&{name}={value}" for name, value in more.items())
    return f"box={y},{x},{y + height},{x + width}&size={size}{rest}"


def measure_image(folder: Path) -> dict[str, Any]:
    write_image(folder / "data")
    recipe = load_recipe("folder-laptop")
    listed = recipe.data.open(folder / "data", recipe.task)
    recipe = recipe.model_copy(
        update={"task": recipe.task.model_copy(update={"names": listed.names})}
    )
    fields = np.concatenate([block((TILE, TILE), seed) for seed in range(4)])
    pred = predicted(folder / "pred", recipe, folder / "data", probability(fields))
    draws = random.Random(0)
    with serving(pred, folder / "data") as (server, found):
        found["first_s"] = drawn(server, [box(0, 0, SIDE, SIDE)])
        for name, side in (("eighth", SIDE // 8), ("quarter", SIDE // 4), ("half", SIDE // 2)):

            def at(_: int, side: int = side) -> float:
                y, x = (draws.randrange(SIDE - side) for _ in range(2))
                return drawn(server, [box(y, x, side, side)])

            found[name] = times(at, 6)

        def pan(_: int) -> float:
            y, x = (draws.randrange(SIDE - side) for side in WINDOW)
            return drawn(server, [box(y, x, *WINDOW)])

        found["pan"] = times(pan, 10)
        found["threshold"] = times(
            lambda n: drawn(server, [box(0, 0, SIDE, SIDE)], f"{0.1 + n / 20}:0"), 6
        )
    return found


def measure_volume(folder: Path) -> dict[str, Any]:
    write_volume(folder / "data")
    changes = ["data.image=raw.zarr", "data.target=labels.zarr", "split.train=[[0,14]]"]
    recipe = load_recipe("volume-laptop", changes)
    field = block((256, 256, 256), 0)
    pred = predicted(folder / "pred", recipe, folder / "data", probability(field))
    draws = random.Random(0)
    with serving(pred, folder / "data") as (server, found):

        def plane(axis: int, at: int) -> str:
            return box(0, 0, DEPTH, DEPTH, axis=axis, at=at)

        found["first_s"] = drawn(server, [plane(axis, DEPTH // 2) for axis in range(3)])
        for axis, name in enumerate("zyx"):

            def jump(_: int, axis: int = axis) -> float:
                return drawn(server, [plane(axis, draws.randrange(DEPTH))])

            def step(n: int, axis: int = axis) -> float:
                return drawn(server, [plane(axis, 100 + n)])

            found[f"plane_{name}"] = times(jump, 6)
            found[f"next_{name}"] = times(step, 24)
    return found


def measure_score(_: Path) -> dict[str, Any]:
    """Time the score of 1,000 cases of 5 classes at thresholds, from their histograms.

    ``first_cpu_s`` is with the sums that are kept from then on; ``lamina view`` makes them as it
    scores each case, before the page shows it.
    """
    rng = np.random.default_rng(0)
    cases = []
    for _ in range(20):
        prob = rng.random((5, 256, 256)).astype(np.float16)
        counts = tuple(count(one, rng.random(one.shape) < one) for one in prob)
        zero = (0.0, 0.0, 0.0)
        cases.append(ViewedCase(None, counts, 0.0, np.zeros((6, 3)), None, zero, 0.0, None))  # type: ignore[arg-type]
    metric = load_recipe("steel-laptop", ["task.names=[a,b,c,d,e]"]).metric
    judged = [
        dataclasses.replace(case, counts=tuple(map(dataclasses.replace, case.counts)))
        for case in cases * 50  # each with sums of its own
    ]
    spent = []
    for threshold in (0.3, 0.31, 0.5, 0.777, 0.05, 0.95):
        decision = Threshold(threshold=(threshold,) * 5, min_area=(100,) * 5)
        begun = time.process_time()
        metric.score([tally_of(case, decision) for case in judged])
        spent.append(time.process_time() - begun)
    return {
        "cases": len(judged),
        "classes": 5,
        "first_cpu_s": round(spent[0], 3),
        "cpu_s": round(statistics.median(spent[1:]), 3),
        "most_cpu_s": round(max(spent[1:]), 3),
    }


PARTS = {"score": measure_score, "image": measure_image, "volume": measure_volume}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="keep the result beside this script")
    parser.add_argument("--only", choices=list(PARTS), action="append")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    kept = Path(__file__).with_suffix(".json")
    for name in options.only or list(PARTS):
        row: dict[str, Any] = {
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "load_before": round(os.getloadavg()[0], 1),
        }
        with tempfile.TemporaryDirectory() as folder:
            row |= PARTS[name](Path(folder))
        print(name, json.dumps(row, indent=1), flush=True)
        if options.write:
            rows = json.loads(kept.read_text()) if kept.is_file() else {}
            write_json(kept, {**rows, name: row})


if __name__ == "__main__":
    main()
