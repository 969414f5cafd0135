"""Slices, neighbouring slices and blocks of voxels, trained for equal CPU seconds.

EM         mitochondria in the sections of ``../shared/data/em-drosophila-vnc``: 0 to 13 train, 15
           to 19 are held out; pooled Dice at the threshold 0.5
Faults     synthetic volumes of ``lamina.synthetic.seismic``, 128 x 128 x 128: 12 train, 4 that were
           never seen are scored; mean Dice of a volume at the threshold 0.5
Budget     CPU seconds of the training process on one thread, reading and augmentation included;
           the schedule ends with them. There is no validation. Prediction is counted apart.
Run        python benchmarks/volumes_compared.py             hours; an interrupted one goes on
Part       python benchmarks/volumes_compared.py --minutes 6 --seeds 0 --only em/slices em/blocks
Try        python benchmarks/volumes_compared.py --quick     a minute; the figures mean nothing

Rows are kept in benchmarks/volumes_compared.json as they come. Those whose recipe has changed since
are measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch

from lamina import predict, score, train
from lamina.files import write_json
from lamina.machine.cores import processor_name
from lamina.recipe.load import load_recipe
from lamina.recipe.recipe import Recipe
from lamina.synthetic.seismic import write_faults

HERE = Path(__file__).resolve()
EM = HERE.parents[2] / "shared" / "data" / "em-drosophila-vnc"
KNOWN, HELD_OUT = slice(0, 14), slice(15, 20)  # sections
SURVEYS = {"known": (12, 0), "held_out": (4, 10_000)}  # volumes, number of the first
SIDE = 128
ENDLESS = 1_000_000  # epochs: the budget ends the schedule
COUNTS_CPU = (
    "import runpy, sys, time; time.monotonic = time.process_time; "
    "runpy.run_path(sys.argv.pop(1), run_name='__main__')"
)
"""Makes the time limit of a run one of CPU seconds."""

SETTINGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "em/slices": ("volume-laptop", ("frame.slices.context=0",)),
    "em/neighbours": ("volume-laptop", ()),
    "em/blocks": ("volume3d-laptop", ()),
    "faults/slices": ("faults-laptop", ()),
    "faults/blocks": ("faults3d-laptop", ()),
}
"""What is compared: data and name, recipe, changes."""


@dataclass(frozen=True)
class Wanted:
    """One row to measure."""

    setting: str
    minutes: float
    seed: int

    @property
    def key(self) -> tuple[str, float, int]:
        return self.setting, self.minutes, self.seed

    def recipe(self, sections: int) -> Recipe:
        """Return the recipe that trains on all of the known data, until the budget is spent."""
        name, changes = SETTINGS[self.setting]
        whole = (
            f"seed={self.seed}",
            f"split={{kind: sections, axis: z, train: [[0, {sections}]], validate: []}}",
            f"stages.main.epochs={ENDLESS}",
            f"stages.main.validate_every={ENDLESS}",
            "stages.main.member=last",
        )
        return load_recipe(name, (*changes, *whole))


def write_em(folder: Path) -> None:
    """Write the known sections and those held out."""
    for part, sections in (("known", KNOWN), ("held_out", HELD_OUT)):
        (folder / part).mkdir(parents=True)
        for name in ("raw.tif", "mitochondria.tif"):
            tifffile.imwrite(folder / part / name, tifffile.imread(EM / name)[sections])


def write_surveys(folder: Path) -> None:
    """Write the known volumes and those held out."""
    for part, (count, first) in SURVEYS.items():
        write_faults(folder / part, count=count, shape=(SIDE, SIDE, SIDE), first=first)


WRITERS = {"em": write_em, "faults": write_surveys}
LENGTHS = {"em": KNOWN.stop, "faults": SIDE}
"""Sections of a known volume."""


def measure(wanted: Wanted, known: Path, held_out: Path, sections: int) -> dict[str, Any]:
    """Train for the budget and score what was held out, in this process, on one thread."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        run, out = Path(name) / "run", Path(name) / "pred"
        recipe = wanted.recipe(sections)
        begun = cpu_seconds()
        train(recipe, data=known, out=run, workers=0, max_minutes=wanted.minutes)
        trained = cpu_seconds()
        predict([run], [held_out], out, progress=False)
        predicted = cpu_seconds()
        found = score(out, held_out)
        epochs = (run / "all" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        precision = json.loads((run / "env.json").read_text(encoding="utf-8"))["precision"]
    return {
        "dice": round(found.value, 4),
        "train_cpu_seconds": round(trained - begun, 1),
        "predict_cpu_seconds": round(predicted - trained, 1),
        "precision": precision,
        "epochs": len(epochs),
        "last_loss": round(float(json.loads(epochs[-1])["loss"]), 4),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def cpu_seconds() -> float:
    """Return what this process and its ended children have used."""
    uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in uses)


def measured(wanted: Wanted, data: Path, sections: int) -> dict[str, Any]:
    """Return the row of a process of its own, with the recipe's digest, load and processor."""
    asked = {"wanted": asdict(wanted), "data": str(data), "sections": sections}
    done = subprocess.run(
        [sys.executable, "-c", COUNTS_CPU, str(HERE), "--worker", json.dumps(asked)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    if done.returncode:
        raise SystemExit(f"{wanted}: {done.stderr}")
    row = json.loads(done.stdout.splitlines()[-1])
    digest = wanted.recipe(sections).digest()
    return {**asdict(wanted), "recipe": SETTINGS[wanted.setting][0], **row} | {
        "digest": digest,
        "load": round(os.getloadavg()[1], 1),
        "processor": processor_name(),
    }


def wanted_of(row: dict[str, Any]) -> Wanted:
    """Return what a row is the measurement of."""
    return Wanted(row["setting"], row["minutes"], row["seed"])


def rows_wanted(
    minutes: Sequence[float], seeds: Sequence[int], only: Sequence[str]
) -> Iterator[Wanted]:
    """Yield the rows in the order in which they tell most: one seed of each budget first."""
    for seed in seeds:
        for budget in minutes:
            for setting in only or SETTINGS:
                yield Wanted(setting, budget, seed)


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return mean and each Dice by setting and budget."""
    found = []
    pairs = dict.fromkeys((row["setting"], row["minutes"]) for row in rows)
    for setting, minutes in pairs:
        of = [row for row in rows if (row["setting"], row["minutes"]) == (setting, minutes)]
        of.sort(key=lambda row: row["seed"])
        found.append(
            {
                "setting": setting,
                "recipe": SETTINGS[setting][0],
                "minutes": minutes,
                "mean": round(float(np.mean([row["dice"] for row in of])), 3),
                "each": [round(row["dice"], 3) for row in of],
            }
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, nargs="*", default=[6.0, 20.0])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--only", nargs="*", default=[], choices=list(SETTINGS), metavar="SETTING")
    parser.add_argument("--quick", action="store_true", help="seconds, to see that it runs")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        asked = json.loads(options.worker)
        data = Path(asked["data"])
        row = measure(
            Wanted(**asked["wanted"]), data / "known", data / "held_out", asked["sections"]
        )
        print(json.dumps(row), flush=True)
        return
    if options.quick:
        options.minutes, options.seeds = [0.1], [0]
    kept = HERE.with_suffix(".json")
    rows: list[dict[str, Any]] = []
    if kept.is_file() and not options.quick:
        rows = json.loads(kept.read_text(encoding="utf-8"))["rows"]
    with tempfile.TemporaryDirectory() as name:
        for wanted in rows_wanted(options.minutes, options.seeds, options.only):
            data = wanted.setting.partition("/")[0]
            digest = wanted.recipe(LENGTHS[data]).digest()
            if any(wanted_of(row).key == wanted.key and row["digest"] == digest for row in rows):
                continue
            folder = Path(name) / data
            if not folder.is_dir():
                WRITERS[data](folder)
            row = measured(wanted, folder, LENGTHS[data])
            rows = [old for old in rows if wanted_of(old).key != wanted.key] + [row]
            print(json.dumps(row), flush=True)
            if not options.quick:
                write_json(kept, {"rows": rows, "summary": summary(rows), "machine": machine()})


def machine() -> dict[str, Any]:
    return {
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": 1,
        "torch": torch.__version__,
    }


if __name__ == "__main__":
    main()
