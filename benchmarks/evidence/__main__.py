"""What lamina, nnU-Net and a plain training loop reach in the same CPU seconds.

Rows       data set x program x minutes x seed; one JSON file each in rows/, of rows that are there
           nothing is run again
Data       ../shared/data, see datasets.py
Run        python benchmarks/evidence                           all rows: days of one core
Some       --data em tiles --programs planned hand --minutes 6 --seeds 0
nnU-Net    --nnunet PYTHON: the interpreter of an environment with `pip install nnunetv2`; without
           it its rows are left out
Page       python -m tools.evidence --write                      writes docs/evidence.md

Seconds are CPU seconds of one thread, of the whole process tree, from the start of the program:
imports, planning and preprocessing count, prediction does not. Decisions: judge.py.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets import BY_NAME, DATASETS, prepare
from judge import judged

from lamina.machine.cores import processor_name
from lamina.prediction.tiling.precision import bfloat16_instructions, fast_on_cpu

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[2] / "shared" / "data"
PROGRAMS = ("planned", "hand", "plain", "nnunet-cpu", "nnunet")
MINUTES, SEEDS = (6, 2, 20), (0, 1, 2)

Row = tuple[str, str, int, int]


def wanted(asked: argparse.Namespace) -> Iterator[Row]:
    """Yield the rows, those that tell most first: more seeds last, and nnU-Net after the loop."""
    for seed in asked.seeds:
        for minutes in asked.minutes:
            for some in (PROGRAMS[:3], PROGRAMS[3:4], PROGRAMS[4:]):
                for data in asked.data:
                    for program in some:
                        if program in asked.programs:
                            yield data, program, minutes, seed


def run(row: Row, asked: argparse.Namespace) -> dict[str, Any] | None:
    """Run one row; None: it cannot be run here, and says why."""
    data, program, minutes, seed = row
    dataset = BY_NAME[data]
    nnunet = program.startswith("nnunet")
    if nnunet and (asked.nnunet is None or dataset.restores):
        return None
    folder = prepare(dataset, asked.shared, asked.work)
    out = asked.work / "-".join(map(str, row))
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    words = [str(asked.nnunet if nnunet else sys.executable), str(HERE / "run_row.py")]
    words += [data, program, str(folder), str(out), str(60 * minutes), str(seed)]
    words += ["--bfloat16"] if fast_on_cpu() else []
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    with (out / "log").open("w") as log:
        done = subprocess.run(
            words, stdout=log, stderr=subprocess.STDOUT, env=os.environ | threads, check=False
        )
    if done.returncode:
        print(row, "failed:", *(out / "log").read_text().splitlines()[-3:], sep="\n  ", flush=True)
        return None
    used = json.loads((out / "used.json").read_text(encoding="utf-8"))
    found = {
        "data": data,
        "program": program,
        "minutes": minutes,
        "seed": seed,
        "title": dataset.title,
        "machine": f"{processor_name()}, {bfloat16_instructions() or 'without bfloat16'}",
        "seconds": {
            "planning": round(max(used["planned"] - used["begun"], 0.0), 1),
            "until_predicting": used["trained"],
            "predicting": round(used["predicted"] - used["trained"], 1),
        },
        "recipe": used["recipe"],
        "scores": judged(dataset, folder, out, asked.shared),
    }
    if not asked.keep:
        shutil.rmtree(out)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="*", default=[one.name for one in DATASETS])
    parser.add_argument("--programs", nargs="*", default=list(PROGRAMS), choices=PROGRAMS)
    parser.add_argument("--minutes", nargs="*", type=int, default=list(MINUTES))
    parser.add_argument("--seeds", nargs="*", type=int, default=list(SEEDS))
    parser.add_argument("--nnunet", type=Path)
    parser.add_argument("--shared", type=Path, default=SHARED)
    parser.add_argument("--rows", type=Path, default=HERE / "rows")
    parser.add_argument("--work", type=Path, help="where runs go; by default a temporary folder")
    parser.add_argument("--keep", action="store_true", help="leave runs and predictions in --work")
    asked = parser.parse_args()
    asked.rows.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        asked.work = asked.work or Path(temporary)
        for row in wanted(asked):
            path = asked.rows / f"{'-'.join(map(str, row))}.json"
            if path.is_file():
                continue
            found = run(row, asked)
            if found is not None:
                path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
                shown = {
                    title: {name: one["value"] for name, one in scores.items()}
                    for title, scores in found["scores"].items()
                }
                print(*row, shown, found["seconds"], flush=True)


if __name__ == "__main__":
    main()
