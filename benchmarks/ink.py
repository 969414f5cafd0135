"""What several layers find that one does not, and what depth alignment is worth.

Stand-in   ../shared/data/surface-volume-standin: F0.5 of pixels pooled inside the mask, each of
           three fragments answered by a network trained on the other two; ink-laptop's windows of
           layers against the same network on one layer, with as many crops and steps. The last
           epoch answers, by a probability of 0.5 and by the threshold that is best on the other
           two answers. Rate and changes of samples were chosen by what one layer scored on two
           of the three
Synthetic  fragments of lamina.synthetic.scroll: F0.5 pooled over two unseen fragments, with their
           layers aligned and without; the last epoch answers, threshold tuned on a known fragment
           that was held out. Beside it how far the layer that holds the ink is from its mean.
           aligned_as_published: outliers by the quantiles of all tiles (INK-5)
Run        python benchmarks/ink.py             about 15 minutes on one core
Try        python benchmarks/ink.py --quick     a minute; the figures mean nothing
Keep       python benchmarks/ink.py --write     writes benchmarks/ink.json
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from lamina import predict, report, score, train, tune
from lamina.bundle import Bundle
from lamina.data.catalogs import Fragments
from lamina.files import write_json
from lamina.prediction.folder.predictions import Predictions
from lamina.recipe.load import load_recipe
from lamina.synthetic.scroll import Fragment, write_fragments

HERE = Path(__file__).resolve()
STANDIN = HERE.parents[2] / "shared" / "data" / "surface-volume-standin"
GRID = np.arange(1, 64) / 64
SEED, SHAPE = 7, (512, 768)

# The stand-in has 20 layers of 8 bit that lie in place, a mask of everything, and no direction.
CHANGES = """[
  {"kind": "flip", "axes": "x", "p": 0.5}, {"kind": "flip", "axes": "y", "p": 0.5},
  {"kind": "rot90", "p": 0.5}, {"kind": "noise", "p": 0.3},
  {"kind": "brightness_contrast", "brightness": 0.2, "contrast": 0.2, "p": 0.5}]"""
WHOLE = (
    "split.count=3",
    "data.prepare=null",
    "frame.depth=null",
    "network.network.prior=0.1",
    "stages.main.optimizer.lr=1e-3",
    f"transforms={CHANGES}",
)
ARMS = {
    "layers": ("data.layers=[5,14]", "frame.channels=9", "network.window=3", "network.step=3"),
    "one_layer": (
        "data.layers=[9,10]",
        "frame.channels=1",
        "network.window=1",
        "network.step=1",
    ),
}
ALIGNED = {
    "aligned": (),
    "as_they_are": ("data.prepare=null",),
    "aligned_as_published": ("data.prepare.outliers=quantiles",),
}
Counts = NDArray[np.float64]


def counts(prob: NDArray[Any], truth: NDArray[np.bool_]) -> Counts:
    """Return true positives, predicted and true pixels at every threshold of the grid, (63, 3)."""
    rows = [(np.sum(truth & (prob > t)), np.sum(prob > t), truth.sum()) for t in GRID]
    return np.array(rows, np.float64)


def f_half(tally: Counts) -> NDArray[np.float64]:
    """Return F0.5 of counts (..., 3)."""
    hit, found, there = np.moveaxis(tally, -1, 0)
    return np.asarray(1.25 * hit / np.maximum(0.25 * there + found, 1))


def length(epochs: int, draws: int) -> tuple[str, ...]:
    """Return the changes that set a budget: every fold as long, judged once at the end."""
    stage = "stages.main"
    return (
        f"{stage}.epochs={epochs}",
        f"{stage}.sampler.count={draws}",
        f"{stage}.validate_every={epochs}",
        f"{stage}.validate_from={epochs - 1}",
        f"{stage}.member=last",
    )


def standin(out: Path, changes: Sequence[str]) -> dict[str, Any]:
    """Leave one fragment out, three times for each arm."""
    rows: dict[str, Any] = {}
    for name, arm in ARMS.items():
        begun = _spent()
        recipe = load_recipe("ink-laptop", (*WHOLE, *arm, *changes))
        train(recipe, data=STANDIN, out=out / name)
        rows[name] = {**_nested(out / name), "cpu_minutes": _minutes(begun)}
        print(json.dumps({name: rows[name]}), flush=True)
    truth = np.stack([_truth(STANDIN / fragment)[0] for fragment in ("1", "2", "3")])
    rows["everything"] = round(float(1.25 * truth.mean() / (0.25 * truth.mean() + 1)), 4)
    return rows


def _nested(run: Path) -> dict[str, Any]:
    """Return F0.5 of a run's answers for what each fold left out."""
    tallies: dict[str, Counts] = {}
    for fold in sorted(run.glob("fold*/oof")):
        answers = Predictions.open(fold)
        for id in answers.ids:
            truth, mask = _truth(STANDIN / id)
            prob = np.asarray(answers.prob(id)[0], np.float32)
            tallies[id] = counts(prob[mask], truth[mask])
    ids, half = sorted(tallies), int(np.flatnonzero(GRID == 0.5)[0])
    every = np.stack([tallies[one] for one in ids])
    chosen = [int(f_half(every.sum(0) - tallies[id_]).argmax()) for id_ in ids]
    apart = [tallies[one][place] for one, place in zip(ids, chosen, strict=True)]
    total = every.sum(0)
    return {
        "f0.5_at_0.5": round(float(f_half(total[half])), 4),
        "f0.5": round(float(f_half(np.sum(apart, 0))), 4),
        "each": {one: round(float(f_half(a)), 4) for one, a in zip(ids, apart, strict=True)},
        "thresholds": [float(GRID[place]) for place in chosen],
        "best_threshold_in_hindsight": round(float(f_half(total).max()), 4),
    }


def _truth(folder: Path) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    found = [np.asarray(Image.open(folder / f"{name}.png")) > 0 for name in ("inklabels", "mask")]
    return found[0], found[1]


def synthetic(out: Path, changes: Sequence[str], shape: tuple[int, int]) -> dict[str, Any]:
    """Train on two fragments, tune on a third, answer two more; aligned and as they are."""
    known = write_fragments(out / "known", count=3, seed=SEED, shape=shape)
    fresh = write_fragments(out / "fresh", count=2, seed=SEED, shape=shape, first=3)
    rows: dict[str, Any] = {}
    for name, arm in ALIGNED.items():
        begun, run, pred = _spent(), out / name, out / f"pred-{name}"
        train(load_recipe("ink-laptop", (*changes, *arm)), data=known, out=run, folds=(0,))
        tuned = tune(run)
        predict([run / "bundle"], [fresh], pred, overwrite=True)
        found = score(pred, fresh)
        report(run)
        rows[name] = {
            "f0.5": round(found.value, 4),
            "held_out": round(float(tuned.scores["tuned"]), 4),
            "cpu_minutes": _minutes(begun),
        }
        print(json.dumps({name: rows[name]}), flush=True)
    catalog = Bundle.load(out / "aligned" / "bundle", verify=False).recipe.data
    assert isinstance(catalog, Fragments)
    rows["layer_of_ink"] = [
        _spread(index, fresh if index > 2 else known, catalog, shape) for index in range(5)
    ]
    rows["everything"] = _everything(fresh)
    return rows


def _everything(folder: Path) -> float:
    """Return F0.5 of calling all papyrus ink."""
    parts = [_truth(path) for path in sorted(folder.iterdir())]
    ink, papyrus = (sum(float(part[n].sum()) for part in parts) for n in (0, 1))
    return round(1.25 * ink / (0.25 * ink + papyrus), 4)


def _spread(index: int, folder: Path, catalog: Fragments, shape: tuple[int, int]) -> dict[str, Any]:
    """Return mean and deviation of the layer that holds the ink, before and after."""
    one = Fragment(index, seed=SEED, shape=shape)
    stack = catalog.open_stack(folder / str(index + 1) / "surface_volume")
    rows, columns = (np.arange(side, dtype=np.float64) for side in shape)
    flatten = catalog.prepare
    assert flatten is not None

    def say(layer: NDArray[Any]) -> list[float]:
        return [round(float(layer[one.mask].mean()), 2), round(float(layer[one.mask].std()), 2)]

    found: dict[str, Any] = {"fragment": str(index + 1), "depth_scale": round(one.scale, 3)}
    found["as_they_are"] = say(one.inked)
    for name, outliers in (("aligned_as_published", "quantiles"), ("aligned", "neighbours")):
        maps = flatten.model_copy(update={"outliers": outliers}).maps(stack)
        shift, scale = maps.between(rows, columns)
        found[name] = say(one.inked * scale + shift)
    return {**found, "fitted_scale": round(float(scale.mean()), 3)}


def _spent() -> float:
    """Return seconds of processor time, which others on the machine do not lengthen."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _minutes(begun: float) -> float:
    return round((_spent() - begun) / 60, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--write", action="store_true", help="write the result beside this file")
    parser.add_argument("--only", choices=("standin", "synthetic"), help="one part of it")
    parser.add_argument("--out", type=Path, help="keep runs here; an interrupted one goes on")
    parser.add_argument("-s", dest="changes", action="append", default=[], metavar="NAME=VALUE")
    asked = parser.parse_args()
    begun = _spent()
    found: dict[str, Any] = {}
    path = HERE.with_suffix(".json")
    with tempfile.TemporaryDirectory() as name:
        out = asked.out or Path(name)
        if asked.only != "synthetic":
            if STANDIN.is_dir():
                budget = length(2, 16) if asked.quick else length(20, 128)
                found["standin"] = standin(out / "standin", (*budget, *asked.changes))
            else:
                print(f"REAL DATA MISSING: {STANDIN}")
        if asked.only != "standin":
            budget = length(2, 16) if asked.quick else length(16, 192)
            shape = (256, 384) if asked.quick else SHAPE
            found["synthetic"] = synthetic(out / "synthetic", (*budget, *asked.changes), shape)
    print(f"{_minutes(begun)} minutes of processor time")
    found["machine"] = {
        "processor": platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    print(json.dumps(found, indent=1))
    if asked.write:
        other = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        write_json(path, (other if asked.only else {}) | found)


if __name__ == "__main__":
    main()
