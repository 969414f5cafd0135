"""Many images: what is done for each costs the same, however many there are.

Promise    opening, digests, statistics, folds, draws, `tune` and `score` cost the same for each
           image at 1,000, 10,000 and 100,000 images (slope 1); opened again with an index, an
           image and its mask take <= 0.1 ms; `tune` holds <= 2 GB of memory at 100,000
Run        python benchmarks/many_files.py            1,000 and 10,000 images, minutes
           python benchmarks/many_files.py --most     100,000 as well: an hour of one core
           python benchmarks/many_files.py --sizes 100000 --parts opening score
Keep       python benchmarks/many_files.py --write    writes benchmarks/many_files.json, and keeps
           what it holds of other sizes and parts

Opening is measured on grey PNG images of 96 x 96 pixels and their masks, all different. `score` and
`tune` are measured on a run of four classes: its images and probabilities are many hard links to
64 files, so that the disk holds them; each is read, decoded and counted as if it were its own.
`seconds` are of the CPU, so that other work on the machine counts little, and `clock` those that
somebody waits. `busy` says what else the machine did: the processor time, in cores, that all other
processes together took meanwhile. Each measurement has a process of its own; `MB` is the most
memory that the process holds at a time besides mapped files. Names of files lie in the memory of
the system, since they were written just before.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lamina.files import write_json

SIZES = (1_000, 10_000)
MOST = 100_000
NO_INDEX = 10_000  # most images that are opened without an index, for comparison
PARTS = ("opening", "score", "tune")
SIDE = 96
CLASSES = 4
PATTERNS = 64
NETWORK = "network={kind: drunet, widths: [4, 8], blocks: 1, residual: false}"


def write_images(root: Path, count: int) -> None:
    """Write pairs of grey images and masks, no two images alike."""
    rng = np.random.default_rng(0)
    base = cv2.GaussianBlur(rng.integers(0, 255, (SIDE, SIDE), np.uint8), (0, 0), 3)
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for number in range(count):
        image = np.roll(base, (number % SIDE, number // SIDE % SIDE), (0, 1)).copy()
        image[0, :4] = np.frombuffer(np.int32(number).tobytes(), np.uint8)
        mask = np.zeros((SIDE, SIDE), np.uint8)
        if number % 2:
            cv2.circle(mask, tuple(rng.integers(20, 70, 2).tolist()), 9, 1, -1)
        for name, pixels in (("images", image), ("masks", mask)):
            options = [cv2.IMWRITE_PNG_COMPRESSION, 1]
            cv2.imwrite(str(root / name / f"{number:06d}.png"), pixels, options)


def opening(root: str, index: str) -> Costs:
    """Return the costs of what training does before its first step."""
    from lamina import files
    from lamina.recipe.load import load_recipe
    from lamina.seeding import rng
    from lamina.training.dataset import index_of, open_data

    recipe = load_recipe("folder-laptop", [])
    costs = Costs()
    with costs.measuring("opening, folds and digests"):
        with costs.measuring("opening and folds"):
            known = index_of(recipe, None, Path(index)) if index else None
            opened = open_data(recipe, Path(root), known)
        with costs.measuring("digests"):
            names = [name for case in opened.cases for name in (*case.files, *case.label_files)]
            if known is None:
                for name in names:
                    files.digest(Path(name))
            else:
                known.digests(names)
    with costs.measuring("statistics of 5 folds"):
        for fold in opened.numbers:
            recipe.frame.fit(opened.training(fold))
    with costs.measuring("draws of an epoch"):
        cases = opened.training(0)
        stage = recipe.stages[0]
        stage.sampler.draws(cases, size=recipe.frame.size, batch=8, epoch=0, rng=rng(1, "draws"))
    return costs


def pattern(number: int) -> tuple[list[str], np.ndarray]:
    """Return runs of the masks of four classes, and probabilities that nearly find them."""
    from lamina.rle.codec import encode

    rng = np.random.default_rng(number)
    masks = np.zeros((CLASSES, SIDE, SIDE), np.uint8)
    for mask in masks[rng.random(CLASSES) < 0.3]:
        cv2.circle(mask, tuple(rng.integers(20, 76, 2).tolist()), int(rng.integers(4, 16)), 1, -1)
    noise = rng.normal(0, 1.5, masks.shape)
    soft = np.stack([cv2.GaussianBlur(mask * 9.0, (0, 0), 2) for mask in masks])
    prob = 1 / (1 + np.exp(5 + cv2.GaussianBlur(noise, (0, 0), 1) - soft * rng.uniform(0.7, 1.1)))
    runs = [encode(mask, "severstal") if mask.any() else "" for mask in masks.astype(bool)]
    return runs, prob.astype(np.float16)


def write_run(folder: str, many: str) -> Costs:
    """Write a run with held-out predictions of ``count`` images, and predictions of them all."""
    import lamina
    from lamina.synthetic.steel import write_severstal
    from lamina.training.dataset import index_of, open_data

    root, count = Path(folder), int(many)
    write_severstal(root / "few", count=10, seed=7, shape=(SIDE, SIDE))
    changes = [NETWORK, "frame.size=[32,32]", "train.epochs=1", "predict.views=as_is"]
    changes.append("task.names=[a,b,c,d]")
    recipe = lamina.load_recipe("steel-laptop", changes)
    lamina.train(recipe, data=root / "few", out=root / "run", workers=0)
    patterns = [pattern(number) for number in range(PATTERNS)]
    images, stored = root / "data/train_images", root / "stored"
    images.mkdir(parents=True)
    stored.mkdir()
    lines = ["ImageId,ClassId,EncodedPixels"]
    for number in range(PATTERNS):
        cv2.imwrite(str(stored / f"{number}.png"), np.full((SIDE, SIDE), 2 * number, np.uint8))
        np.save(stored / f"{number}.npy", patterns[number][1])
    for number in range(count):
        name = f"{number:06d}.png"
        os.link(stored / f"{number % PATTERNS}.png", images / name)
        runs = patterns[number % PATTERNS][0]
        lines += [f"{name},{k + 1},{run}" for k, run in enumerate(runs) if run]
    (root / "data/train.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    recipe = lamina.load_recipe(root / "run/recipe.json", [])
    opened = open_data(recipe, root / "data", index_of(recipe, root / "run"))
    rows = []
    for fold in opened.numbers:
        cases = opened.held_out(fold)
        write_predictions(root / f"run/fold{fold}/oof", recipe, cases, stored, f"fold{fold}")
        rows += [{"id": case.id, "fold": fold} for case in cases]
    write_predictions(root / "pred", recipe, opened.cases, stored, "fold0")
    write_json(root / "run/data.json", {"root": str(root / "data"), "cases": rows})
    return Costs()


def write_predictions(folder: Path, recipe: Any, cases: Any, stored: Path, member: str) -> None:
    """Write predictions of cases as links to those that are stored."""
    import lamina
    from lamina.files import digest
    from lamina.prediction.folder.predictions import Info, PredictedCase, Predictions

    shutil.rmtree(folder, ignore_errors=True)
    of = {case.id: int(case.id.partition(".")[0]) % PATTERNS for case in cases}
    listed = [
        PredictedCase(
            id=case.id,
            source=case.id,
            sha256="1" * 64,
            axes="yx",
            shape=(SIDE, SIDE),
            members=(member,),
            known="held_out",
        )
        for case in cases
    ]
    info = Info(
        lamina=lamina.__version__,
        recipe=recipe,
        recipe_digest=recipe.digest(),
        bundles=("0" * 64,),
        members="out_of_fold",
        predict=recipe.predict,
        tile=recipe.tile,
        precision="float32",
        device="cpu",
        versions={},
        decision=recipe.decide,
        cases=tuple(listed),
    )
    predictions = Predictions.create(folder, info)
    (folder / "probabilities").mkdir()
    digests = [digest(stored / f"{number}.npy") for number in range(PATTERNS)]
    rows = []
    for case in listed:
        number = of[case.id]
        os.link(stored / f"{number}.npy", predictions.prob_path(case.id))
        row = {"id": case.id, "source": case.sha256, "members": [member]}
        rows.append(row | {"probability": digests[number], "mask": "", "decision": ""})
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "ledger.jsonl").write_text(text, encoding="utf-8")


def tuned(root: str) -> Costs:
    """Return the costs of ``tune`` on a run."""
    from lamina import tune

    costs = Costs()
    with costs.measuring("tune"):
        tune(Path(root) / "run")
    return costs


def scored(root: str) -> Costs:
    """Return the costs of ``score`` on predictions."""
    from lamina import score

    costs = Costs()
    with costs.measuring("score"):
        score(Path(root) / "pred", Path(root) / "data")
    return costs


@dataclass
class Costs:
    """What rows cost."""

    seconds: dict[str, float] = field(default_factory=dict)
    """Of the CPU, of this process and its children."""
    clock: dict[str, float] = field(default_factory=dict)
    """That passed."""
    MB: dict[str, float] = field(default_factory=dict)
    """Of memory that the process held at most, besides mapped files."""
    busy: dict[str, float] = field(default_factory=dict)
    """Cores that other processes took meanwhile."""

    @contextmanager
    def measuring(self, name: str) -> Iterator[None]:
        """Note what the block costs."""
        most, done = _held(), threading.Event()

        def watch() -> None:
            nonlocal most
            while not done.wait(0.1):
                most = max(most, _held())

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        begun, own, all_cores = time.perf_counter(), _own(), _of_all()
        yield
        clock, seconds = time.perf_counter() - begun, _own() - own
        others = max(_of_all() - all_cores - seconds, 0)
        done.set()
        watcher.join()
        self.clock[name], self.seconds[name] = round(clock, 3), round(seconds, 3)
        self.MB[name] = round(max(most, _held()) / 1e6)
        self.busy[name] = round(others / max(clock, 1e-9), 2)


def _own() -> float:
    """Return the processor seconds of this process and of its children that ended."""
    own = os.times()
    return own.user + own.system + own.children_user + own.children_system


def _of_all() -> float:
    """Return the processor seconds of all processes since the machine started."""
    ticks = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()
    user, nice, system, _, _, irq, softirq = map(int, ticks[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _held() -> float:
    """Return the bytes of memory that belong to no file."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("RssAnon"):
            return float(line.split()[1]) * 1024
    raise RuntimeError("needs Linux")


def apart(*arguments: str) -> Costs:
    """Return what a measurement in a process of its own says."""
    command = [sys.executable, __file__, "--only", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Costs(**json.loads(done.stdout.splitlines()[-1]))


def measured(folder: Path, size: int, parts: Sequence[str]) -> Iterator[tuple[str, Costs]]:
    """Yield what parts cost with that many images, and how they were opened."""
    if "opening" in parts:
        root, index = folder / f"data{size}", str(folder / f"index{size}.jsonl")
        write_images(root, size)
        ways = [("index, first", index), ("index, again", index)]
        if size <= NO_INDEX:
            ways.append(("no index", ""))
        for how, place in ways:
            yield f", {how}", apart("opening", str(root), place)
        shutil.rmtree(root)
    root = folder / f"run{size}"
    for name in parts:
        if name == "opening":
            continue
        if not root.exists():
            apart("write_run", str(root), str(size))
        yield "", apart(name, str(root))
    shutil.rmtree(root, ignore_errors=True)


def slope(cost: Mapping[str, float]) -> float | None:
    """Return the power of the number of images that a cost grows by, of the two largest sizes."""
    if len(cost) < 2:
        return None
    few, many = sorted(map(int, cost))[-2:]
    ratio = max(cost[str(many)], 1e-3) / max(cost[str(few)], 1e-3)
    power = math.log(ratio) / math.log(many / few)
    return round(power, 2)


def main() -> None:
    """Measure, print and, on request, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write benchmarks/many_files.json")
    parser.add_argument("--most", action="store_true", help=f"measure {MOST} images as well")
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of images")
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS, help="what to measure")
    parser.add_argument("--only", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only:
        name, *arguments = asked.only
        parts = {"opening": opening, "write_run": write_run, "tune": tuned, "score": scored}
        print(json.dumps(asdict(parts[name](*arguments))))
        return
    kept, found = Path(__file__).with_suffix(".json"), list[tuple[str, str, Costs]]()
    for size in asked.sizes or ((*SIZES, MOST) if asked.most else SIZES):
        with tempfile.TemporaryDirectory() as temporary:
            for how, costs in measured(Path(temporary), size, asked.parts):
                found.append((str(size), how, costs))
                result = joined(kept, found)
                print(json.dumps(result, indent=1), flush=True)
                if asked.write:
                    write_json(kept, result)


def joined(kept: Path, found: Sequence[tuple[str, str, Costs]]) -> dict[str, Any]:
    """Return what was found with what is kept of other sizes and parts."""
    before = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    noted = before.get("busy", {})
    rows: dict[str, dict[str, dict[str, float]]] = {}
    for kind in [one.name for one in fields(Costs)]:
        rows[kind] = {
            name: {size: value for size, value in of.items() if size in noted.get(name, {})}
            for name, of in before.get(kind, {}).items()  # what says nothing of other work goes
        }
        for size, how, costs in found:
            for name, value in getattr(costs, kind).items():
                rows[kind].setdefault(name + how, {})[size] = value
    return {
        "machine": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "side": SIDE,
        "classes": CLASSES,
        "about busy": "cores that other processes took meanwhile; 0: none",
        **rows,
        "slopes": {name: slope(of) for name, of in rows["seconds"].items()},
    }


if __name__ == "__main__":
    main()
