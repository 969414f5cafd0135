"""What restoring reaches: on natural images beside published figures, on data of the field beside
filters, and what decoders can repeat.

Natural    denoise-gray-laptop trained on Train400 with noise of 25 (of 255), the ten images of a
           fold held out; mean PSNR on BSD68 and Set12, noise neither clipped nor rounded, beside
           BM3D and DnCNN (Zhang et al. 2017)
Probe      what a U-Net that interpolates and one of pixel shuffles can repeat of synthetic seismic
           slices after equally many steps
Field      a seismic volume and electron micrographs with noise added: sections that training never
           saw, beside a Gaussian and a median filter whose sizes are searched with the truth
Data       ../shared/data; a part whose data are missing is left out, and said so
Run        python benchmarks/restore.py               about 75 minutes on one core
Parts      --part natural, --part probe, --part seismic, --part micrograph; may be repeated
Try        python benchmarks/restore.py --quick       a minute or two; the figures mean nothing
Keep       python benchmarks/restore.py --write       writes benchmarks/restore.json; parts that did
           not run keep their figures
Go on      --out DIR keeps runs there; an interrupted one goes on
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, median_filter

from lamina import predict, score, train
from lamina.files import read_json, write_json
from lamina.model.metrics import Psnr, Ssim
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.tiling.precision import choose, choose_device, name_of
from lamina.recipe.load import load_recipe
from lamina.synthetic.seismic import write_pairs
from lamina.training.probe import probe
from lamina.volume import Volume, read_all

HERE = Path(__file__).resolve()
DATA = HERE.parents[2] / "shared" / "data"
RECIPE = "denoise-gray-laptop"
BM3D, DNCNN = "BM3D", "DnCNN"
PUBLISHED = {"BSD68": {BM3D: 28.57, DNCNN: 29.23}, "Set12": {BM3D: 29.97, DNCNN: 30.44}}
QUICK = ("stages.main.epochs=1", "stages.main.sampler.count=64", "predict.views=as_is")
SIGMAS = (0.0, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0)
SIZES = (1, 3, 5, 7)
SHORT = ("stages.main.sampler.count=2400", "stages.main.epochs=2")
LONGER = ("stages.main.sampler.count=2400", "stages.main.epochs=5")
Array = NDArray[np.float32]


def natural(out: Path, changes: Sequence[str]) -> dict[str, Any]:
    """Train on Train400 and restore both test sets."""
    data = DATA / "denoise-gray"
    recipe = load_recipe(RECIPE, changes)
    begun = spent()
    train(recipe, data=data / "Train400", out=out / "natural", folds=[0])
    found: dict[str, Any] = {
        "train_core_minutes": round((spent() - begun) / 60, 1),
        "threads": torch.get_num_threads(),
        "precision": name_of(choose(recipe.precision, choose_device())),
        "training_images": 190,
        "published": PUBLISHED,
    }
    for name in PUBLISHED:
        pred = out / f"natural-{name}"
        begun = spent()
        predict([out / "natural"], [data / name], pred, corrupt=True, overwrite=True)
        seconds = spent() - begun
        psnr, ssim = (
            score(pred, data / name),
            score(pred, data / name, metric=Ssim(window="gaussian")),
        )
        found[name] = {
            "psnr": round(psnr.value, 3),
            "psnr_as_they_came": round(psnr.baseline_input, 3),
            "ssim": round(ssim.value, 4),
            "images": psnr.cases,
            "predict_core_seconds": round(seconds, 1),
        }
    return found


def decoders(out: Path, steps: int) -> dict[str, Any]:
    """Let decoders repeat synthetic seismic slices."""
    pairs = write_pairs(out / "pairs", count=4, shape=(64, 96, 128))
    small = ("frame.size=[64,64]", "stages.main.batch=8", "stages.main.optimizer.lr=3e-3")
    kinds = ("unet", "pixel_shuffle")
    return probe(load_recipe("denoise-laptop", small), data=pairs, compare=kinds, steps=steps)


def seismic(out: Path, changes: Sequence[str]) -> dict[str, Any]:
    """Restore the last inlines of a field volume; the first six are trained on, one lies between.

    The noise has half the deviation of the volume.
    """
    volume = np.load(DATA / "seismic-f3-faults" / "field3d.npy")
    sigma = round(float(volume.std()) / 2, 4)
    return field(out / "seismic", volume[:6], volume[7:], sigma, 1.0, np.save, ".npy", changes)


def micrograph(out: Path, changes: Sequence[str]) -> dict[str, Any]:
    """Restore sections 16 to 19 of a stack; 0 to 13 are trained on."""
    stack = tifffile.imread(DATA / "em-drosophila-vnc" / "raw.tif")
    write: Callable[..., Any] = tifffile.imwrite
    return field(out / "micrograph", stack[:14], stack[16:], 25.0, 255.0, write, ".tif", changes)


def field(
    out: Path,
    known: NDArray[Any],
    unseen: NDArray[Any],
    sigma: float,
    unit: float,
    write: Callable[..., Any],
    suffix: str,
    changes: Sequence[str],
) -> dict[str, Any]:
    """Train on sections, restore others; filters see the very same noisy ones.

    PSNR is by the range of the clean sections judged.
    """
    for name, sections in (("known", known), ("unseen", unseen)):
        (out / name).mkdir(parents=True, exist_ok=True)
        for number, section in enumerate(sections):
            write(out / name / f"section{number:02d}{suffix}", section)
    noise = f"data.noise=[{{kind: gaussian, sigma: {sigma}}}]"
    scale = f"frame.normalise.scale={unit}"
    recipe = load_recipe(RECIPE, (noise, scale, f"split.count={len(known)}", *changes))
    begun = spent()
    train(recipe, data=out / "known", out=out / "run", folds=[0])
    minutes = (spent() - begun) / 60
    predict([out / "run"], [out / "unseen"], out / "pred", corrupt=True, overwrite=True)
    cases = recipe.data.open(out / "unseen", recipe.task).cases
    answers = Predictions.open(out / "pred")
    clean = np.stack([read(case.target) for case in cases]) / unit
    noisy = np.stack([read(case.image) for case in cases]) / unit
    restored = np.stack([np.asarray(answers.prob(case.id)[0]) for case in cases])
    judge = Judge(clean)
    return {
        "sections": {"trained": len(known) - 1, "judged": len(unseen), "shape": list(clean.shape)},
        "noise_deviation": sigma,
        "train_core_minutes": round(minutes, 1),
        "as_they_came": judge(noisy),
        "lamina": judge(restored),
        "gaussian": judge.best(gaussian_filter, noisy, SIGMAS, across=(0.4, 0.6, 0.8)),
        "median": judge.best(median_filter, noisy, SIZES, across=(3,)),
    }


class Judge:
    """PSNR and SSIM of sections, means over them, by the range of the clean ones."""

    def __init__(self, clean: Array) -> None:
        self.clean = clean
        self.span = float(np.ptp(clean))

    def __call__(self, answer: Array) -> dict[str, Any]:
        ssim = Ssim(window="gaussian", span=self.span)
        tallies = [ssim.tally(a[None], t[None]) for a, t in zip(answer, self.clean, strict=True)]
        return {
            "psnr": round(self.psnr(answer), 3),
            "ssim": round(ssim.score(tallies).value, 4),
        }

    def psnr(self, answer: Array) -> float:
        """Return the mean over sections in decibel."""
        psnr = Psnr(peak=self.span)
        tallies = [psnr.tally(a[None], t[None]) for a, t in zip(answer, self.clean, strict=True)]
        return psnr.score(tallies).value

    def best(
        self,
        smooth: Callable[..., Array],
        noisy: Array,
        steps: Sequence[float],
        across: Sequence[float],
    ) -> dict[str, Any]:
        """Return the best of a filter, whose size along each axis is searched with the truth.

        Sizes across sections are tried at the best one within them, since neighbours are alike
        in a volume, and hardly so in a stack of thick sections.
        """
        sizes = [(steps[0], y, x) for y, x in product(steps, steps)]
        within = {size: self.psnr(smooth(noisy, size, mode="nearest")) for size in sizes}
        _, y, x = max(within, key=lambda size: within[size])
        near = product(across, around(steps, y), around(steps, x))
        more = {size: self.psnr(smooth(noisy, size, mode="nearest")) for size in near}
        every = within | more
        size = max(every, key=lambda size: every[size])
        return {"size": list(size), **self(smooth(noisy, size, mode="nearest"))}


def around(steps: Sequence[float], value: float) -> Sequence[float]:
    """Return a step and its neighbours."""
    at = steps.index(value)
    return steps[max(at - 1, 0) : at + 2]


def read(volume: Volume | None) -> Array:
    """Return the only channel of an image that is there."""
    assert volume is not None
    return np.asarray(read_all(volume)[0], np.float32)


def spent() -> float:
    """Return the CPU seconds of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def parts(out: Path, changes: Sequence[str], *, quick: bool) -> dict[str, tuple[Path | None, Any]]:
    """Return for each part the data it needs and what runs it."""
    few = (*changes, *(QUICK if quick else ()))
    short, longer = ((*few, *(() if quick else more)) for more in (SHORT, LONGER))
    gray, f3, em = (DATA / n for n in ("denoise-gray", "seismic-f3-faults", "em-drosophila-vnc"))
    return {
        "natural": (gray, lambda: natural(out, few)),
        "probe": (None, lambda: decoders(out, 20 if quick else 500)),
        "seismic": (f3, lambda: seismic(out, short)),
        "micrograph": (em, lambda: micrograph(out, longer)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = ("natural", "probe", "seismic", "micrograph")
    parser.add_argument("--part", action="append", choices=names, help="only these")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--write", action="store_true", help="write the result beside this file")
    parser.add_argument("--out", type=Path, help="keep runs here; an interrupted one goes on")
    parser.add_argument("-s", dest="changes", action="append", default=[], metavar="NAME=VALUE")
    asked = parser.parse_args()
    kept = HERE.with_suffix(".json")
    with tempfile.TemporaryDirectory() as name:
        for part, (data, run) in parts(
            asked.out or Path(name), asked.changes, quick=asked.quick
        ).items():
            if part not in (asked.part or names):
                continue
            if data is not None and not data.is_dir():
                print(f"REAL DATA MISSING: {data}")
                continue
            begun = time.monotonic()
            row = {**run(), "minutes": round((time.monotonic() - begun) / 60, 1)}
            print(json.dumps({part: row}, indent=1), flush=True)
            if asked.write:  # read again: another part may have been measured meanwhile
                found = read_json(kept) if kept.is_file() else {}
                found[part] = row
                found["machine"] = {"processor": platform.machine(), "torch": torch.__version__}
                write_json(kept, found)


if __name__ == "__main__":
    main()
