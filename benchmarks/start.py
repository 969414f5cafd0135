"""How soon the command line answers: CPU seconds of processes, beside imports as a floor.

Promise    new, --version, a refused path, recipe or option <= 0.3 s; check RECIPE <= 1.0 s;
           score and tune of 100 small images <= 2.0 s; the help of a verb <= 0.15 s
Run        python benchmarks/start.py             about two minutes, one core; trains a run first
Keep       python benchmarks/start.py --write     writes benchmarks/start.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import lamina
from lamina.files import write_json
from lamina.synthetic.steel import write_severstal

ROUNDS = 5
PYTHON = sys.executable
LAMINA = [PYTHON, "-m", "lamina"]
TINY = [
    "network={kind: drunet, widths: [8, 16], blocks: 1, residual: false}",
    "split.count=2",
    "frame.size=[64,64]",
    "train.epochs=1",
    "predict.views=as_is",
]


def commands(folder: Path) -> dict[str, tuple[list[str], float | None]]:
    """Return what is timed by name, with the seconds that are promised; None: a floor."""
    data, run, pred = (str(folder / name) for name in ("data", "run", "pred"))
    return {
        "python -c pass": ([PYTHON, "-c", "pass"], None),
        "import numpy": ([PYTHON, "-c", "import numpy"], None),
        "import torch": ([PYTHON, "-c", "import torch"], None),
        "--version": ([*LAMINA, "--version"], 0.3),
        "train --help": ([*LAMINA, "train", "--help"], 0.15),
        "new steel": ([*LAMINA, "new", "steel"], 0.3),
        "refused path": ([*LAMINA, "tune", "nowhere"], 0.3),
        "refused recipe": ([*LAMINA, "check", "nowhere"], 0.3),
        "refused option": ([*LAMINA, "check", "steel", "--twice"], 0.3),
        "refused value": ([*LAMINA, "train", "steel", "--data", "nowhere", "--out", "x"], 0.3),
        "check steel": ([*LAMINA, "check", "steel"], 1.0),
        "check steel, another encoder": (
            [*LAMINA, "check", "steel", "-s", "network.encoder=resnet34"],
            None,
        ),
        "score, 100 images": ([*LAMINA, "score", pred, data], 2.0),
        "tune, 100 images": ([*LAMINA, "tune", run], 2.0),
    }


def prepare(folder: Path) -> None:
    """Write 100 images, a run that held out half of them in each fold, and a prediction of all."""
    write_severstal(folder / "data", count=100, seed=7, shape=(64, 128))
    recipe = lamina.load_recipe("steel-laptop", TINY)
    lamina.train(recipe, data=folder / "data", out=folder / "run", workers=0)
    images = folder / "data" / "train_images"
    lamina.predict(folder / "run", images, folder / "pred")


def cpu_seconds(command: Sequence[str], folder: Path, *, refused: bool) -> float:
    """Return the user and system seconds of a process and of what it starts.

    Raises:
        RuntimeError: it failed, or did not where it should be refused.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    if (done.returncode != 0) != refused:
        raise RuntimeError(f"{command}: exit status {done.returncode}\n{done.stderr.decode()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(folder: Path) -> dict[str, dict[str, float | bool | None]]:
    """Return the median seconds of each command, and its ratio to the imports."""
    timed = commands(folder)
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(ROUNDS):
        for name, (command, _promise) in timed.items():
            refused = name.startswith("refused")
            seconds[name].append(cpu_seconds(command, folder, refused=refused))
    median = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        name: {
            "seconds": round(median[name], 3),
            "of_import_numpy": round(median[name] / median["import numpy"], 2),
            "of_import_torch": round(median[name] / median["import torch"], 3),
            "promise": promise,
            "kept": None if promise is None else median[name] <= promise,
        }
        for name, (_command, promise) in timed.items()
    }


def main() -> None:
    """Measure, print and, on request, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write benchmarks/start.json")
    write = parser.parse_args().write
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepare(folder)
        found = {
            "machine": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
            "rounds": ROUNDS,
            "commands": measure(folder),
        }
    print(json.dumps(found, indent=1))
    if write:
        write_json(Path(__file__).with_suffix(".json"), found)


if __name__ == "__main__":
    main()
