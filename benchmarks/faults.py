"""What faults-laptop, trained on synthetic volumes only, finds in unseen ones and in real sections.

Synthetic  3-D Dice per volume (mean) of volumes never seen, beside the same network untrained, a
           threshold on semblance (1 - coherence of 3 x 3 traces over 9 samples), and nothing at
           all; every threshold is the best one on the known volumes
Real       the four labelled sections of the F3 block (``../shared/data/seismic-f3-faults``): Dice
           with a tolerance of 3 pixels, without training on them, and fine-tuned on three to answer
           the fourth; the threshold for a section is the best one of the other three
Run        python benchmarks/faults.py             about 12 minutes on two cores
Try        python benchmarks/faults.py --quick     a minute; the figures mean nothing
Keep       python benchmarks/faults.py --write     writes benchmarks/faults.json
Pictures   --out DIR keeps runs, reports and predictions there
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import uniform_filter

from lamina import predict, report, score, train, tune
from lamina.bundle import Bundle
from lamina.data.network_input.normalise import PerCase
from lamina.files import write_json
from lamina.model.metrics import DiceScore, TolerantDice
from lamina.prediction.engine import Member, predict_case
from lamina.prediction.folder.predictions import Predictions
from lamina.recipe.load import load_recipe
from lamina.synthetic.seismic import write_faults
from lamina.volume import ArrayVolume

HERE = Path(__file__).resolve()
F3 = HERE.parents[2] / "shared" / "data" / "seismic-f3-faults"
GRID = np.arange(64) / 64
TOLERANT = TolerantDice(tolerance=3)
Array = NDArray[np.float32]


def semblance(volume: NDArray[Any]) -> Array:
    """Return 1 - semblance (Marfurt et al. 1998) of 3 x 3 traces over 9 samples, (Z, Y, X)."""
    u = volume.astype(np.float64) - volume.mean()
    traces = (3, 3, 1)
    power = uniform_filter(uniform_filter(u, traces) ** 2, (1, 1, 9))
    energy = uniform_filter(uniform_filter(u**2, traces), (1, 1, 9))
    return (1 - power / np.maximum(energy, 1e-12)).astype(np.float32)


def best(
    maps: Sequence[Array], truths: Sequence[NDArray[Any]], judge: Callable[..., float]
) -> float:
    """Return the threshold of the grid with the best mean score; the lowest of equals."""
    values = [
        np.mean([judge(m > t, truth) for m, truth in zip(maps, truths, strict=True)])
        for t in GRID[:-1:2]
    ]
    return float(GRID[:-1:2][int(np.argmax(values))])


def dice(mask: NDArray[Any], truth: NDArray[Any]) -> float:
    metric = DiceScore(over="image", empty="one")
    return metric.score([metric.tally(mask[None], truth[None] > 0)]).value


def tolerant(mask: NDArray[Any], truth: NDArray[Any]) -> float:
    return TOLERANT.score([TOLERANT.tally(mask[None], truth[None] > 0)]).value


def stretched(volume: NDArray[Any]) -> Array:
    low, high = volume.min(), volume.max()
    return ((volume - low) / max(high - low, 1e-12)).astype(np.float32)


def read(folder: Path) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    images = [np.load(path) for path in sorted(folder.glob("*/seismicCubes*.npy"))]
    return images, [np.load(path) for path in sorted(folder.glob("*/fault*.npy"))]


def synthetic(
    out: Path, changes: Sequence[str], count: int, unseen: int, side: int
) -> dict[str, Any]:
    """Train on known volumes; score unseen ones beside the baselines."""
    shape = (side, side, side)
    known = write_faults(out / "known", count=count, shape=shape)
    fresh = write_faults(out / "fresh", count=unseen, shape=shape, first=10_000)
    recipe = load_recipe("faults-laptop", changes)
    train(recipe, data=known, out=out / "run")
    tuned = tune(out / "run")
    predict([out / "run" / "bundle"], [fresh], out / "pred", overwrite=True)
    found = score(out / "pred", fresh)
    report(out / "run")
    images, truths = read(known)
    others, wanted = read(fresh)
    rows: dict[str, Any] = {
        "trained": found.value,
        "trained_out_of_fold": tuned.get("value"),
        "nothing": found.baseline_empty,
    }
    coherence = [semblance(image) for image in images]
    limit = best(coherence, truths, dice)
    rows["semblance"] = float(
        np.mean([dice(semblance(i) > limit, t) for i, t in zip(others, wanted, strict=True)])
    )
    torch.manual_seed(0)
    network = recipe.network.build(recipe.frame.inputs, 1).eval()
    member = Member(network, PerCase())
    answer = [
        predict_case(ArrayVolume(i[None], "zyx"), [member], recipe, device=torch.device("cpu"))[0]
        for i in (*images[:2], *others)
    ]
    plain = best(answer[:2], truths[:2], dice)
    rows["untrained"] = float(
        np.mean([dice(a > plain, t) for a, t in zip(answer[2:], wanted, strict=True)])
    )
    return rows


def real(out: Path, changes: Sequence[str], epochs: int) -> dict[str, Any]:
    """Score the F3 sections as they are, after fine-tuning, and trained from nothing."""
    sections = np.load(F3 / "seismic.npy").transpose(0, 2, 1)  # (inline, crossline, sample)
    faults = np.load(F3 / "faults.npy").transpose(0, 2, 1)
    names = [f"inline_{number}" for number in np.load(F3 / "inlines.npy")]
    (out / "sections").mkdir(parents=True, exist_ok=True)
    for name, section, fault in zip(names, sections, faults, strict=True):
        Image.fromarray(section).save(out / "sections" / f"{name}.png")
        folder = out / "f3" / name
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "seismicCubes.npy", section[None])
        np.save(folder / "fault.npy", fault[None])
    predict([out / "run" / "bundle"], [out / "sections"], out / "pred-f3", overwrite=True)
    before = Predictions.open(out / "pred-f3")
    rows: dict[str, Any] = {"inlines": names}
    rows["as_it_is"] = _nested([before.prob(name)[0] for name in names], faults)
    tuned = (*changes, "split.count=4", "frame.slices.axes=z", "stages.main.sampler.count=512")
    tuned = (*tuned, f"stages.main.epochs={epochs}", f"stages.main.validate_every={epochs}")
    rate = "stages.main.optimizer.lr=5e-4"
    for name, more in (("fine_tuned", ("stages.main.start=bundle", rate)), ("from_nothing", ())):
        start = out / "run" / "bundle" if name == "fine_tuned" else None
        recipe = load_recipe("faults-laptop", (*tuned, *more))
        train(recipe, data=out / "f3", out=out / name, start=start)
        maps = {}
        for fold in sorted((out / name).glob("fold*/oof")):
            answers = Predictions.open(fold)
            maps |= {id: np.asarray(answers.prob(id)[0][0], np.float32) for id in answers.ids}
        rows[name] = _nested([maps[one] for one in names], faults)
        tune(out / name)
        report(out / name)
    attribute = [semblance(np.repeat(one[None], 3, 0))[1] for one in sections]
    rows["semblance"] = _nested(attribute, faults)
    return rows


def _nested(maps: Sequence[Array], truths: NDArray[Any]) -> dict[str, Any]:
    """Return tolerant and plain Dice per section, by the best threshold of the others."""
    strict, near = [], []
    for k in range(len(maps)):
        rest = [i for i in range(len(maps)) if i != k]
        limit = best([maps[i] for i in rest], [truths[i] for i in rest], tolerant)
        near.append(round(tolerant(maps[k] > limit, truths[k]), 4))
        strict.append(round(dice(maps[k] > limit, truths[k]), 4))
    return {
        "tolerant_dice": near,
        "mean": round(float(np.mean(near)), 4),
        "dice": round(float(np.mean(strict)), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--write", action="store_true", help="write the result beside this file")
    parser.add_argument("--out", type=Path, help="keep runs here; an interrupted one goes on")
    parser.add_argument("-s", dest="changes", action="append", default=[], metavar="NAME=VALUE")
    asked = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        out = asked.out or Path(name)
        if asked.quick:
            quick = ("frame.size=[64,64]", "stages.main.sampler.count=64", "split.count=2")
            few = (*quick, "stages.main.epochs=2", "stages.main.validate_every=2")
            found = {"synthetic": synthetic(out, (*few, *asked.changes), 2, 1, 64)}
        else:
            two = ("split.count=2", "stages.main.epochs=14", "stages.main.validate_every=14")
            two = (*two, *asked.changes)
            found = {"synthetic": synthetic(out, two, 12, 4, 128)}
        print(json.dumps(found, indent=1), flush=True)
        if F3.is_dir():
            found["f3"] = real(out, asked.changes, 2 if asked.quick else 10)
        else:
            print(f"REAL DATA MISSING: {F3}")
        found["members"] = len(Bundle.load(out / "run" / "bundle", verify=False).members)
    found["minutes"] = round((time.monotonic() - begun) / 60, 1)
    found["machine"] = {"processor": platform.machine(), "torch": torch.__version__}
    print(json.dumps(found, indent=1))
    if asked.write:
        write_json(HERE.with_suffix(".json"), found)


if __name__ == "__main__":
    main()
