"""Whether a decision tuned on some groups of real images holds on others, held back.

Promise    on each of three splits the decision kept scores at least what the default does on the
           groups held back, less 0.005 (consolidation, of few patients: 0.02)
Run        python benchmarks/carry_over.py DATA             about 10 minutes, one core
Keep       python benchmarks/carry_over.py DATA --write     writes benchmarks/carry_over.json

DATA holds `magnetic-tile-defects` and `chest-xray-masks`. The networks are small and trained for
seconds: what is measured is the decision, not the network.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from lamina import predict, score, train, tune
from lamina.files import write_json
from lamina.recipe.load import load_recipe
from lamina.recipe.recipe import Recipe

WORDS = ("default", "expected", "threshold")
SPLITS = 3

TILES = (
    "split.groups=groups.csv",
    "split.count=2",
    "frame.size=[128, 128]",
    "predict.views=as_is",
    "stages.main.epochs=14",
    "stages.main.validate_every=7",
    "stages.main.validate_from=0",
    "metric={kind: dice, over: image_class, empty: one}",
)
CHEST = (
    "split.groups=groups.csv",
    "split.count=2",
    "frame.resize=[128, 128]",
    "frame.size=[128, 128]",
    "stages.half.epochs=20",
    "stages.half.resize=[128, 128]",
    "stages.full.epochs=1",
    "stages.full.resize=[128, 128]",
    "stages.full.size=[128, 128]",
    "predict.views=as_is",
    "decide={kind: threshold}",
)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: Iterable[dict[str, str]]) -> None:
    listed = list(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(listed[0]))
        writer.writeheader()
        writer.writerows(listed)


def tiles(data: Path, images: set[str], out: Path) -> None:
    """Write the images named, with their masks and groups."""
    source = data / "magnetic-tile-defects"
    (out / "images").mkdir(parents=True)
    for name in sorted(images):
        shutil.copy(source / "images" / name, out / "images" / name)
    for name in ("train.csv", "groups.csv"):
        rows = [row for row in rows_of(source / name) if row["ImageId"] in images]
        write_rows(out / name, rows)


def chest(target: str):
    """Return what writes the images named, with their masks of a target and their patients."""

    def write(data: Path, images: set[str], out: Path) -> None:
        source = data / "chest-xray-masks"
        for folder in ("images", "masks"):
            (out / folder).mkdir(parents=True)
        for id in sorted(images):
            shutil.copy(source / "images" / f"{id}.png", out / "images" / f"{id}.png")
            shutil.copy(source / "masks" / target / f"{id}.png", out / "masks" / f"{id}.png")
        rows = [row for row in rows_of(source / "index.csv") if row["ImageId"] in images]
        write_rows(
            out / "groups.csv",
            ({"ImageId": row["ImageId"], "Patient": row["Patient"]} for row in rows),
        )

    return write


def groups_of(data: Path, job: str) -> dict[str, str]:
    if job == "tiles":
        rows = rows_of(data / "magnetic-tile-defects" / "groups.csv")
        return {row["ImageId"]: row["Group"] for row in rows}
    rows = rows_of(data / "chest-xray-masks" / "index.csv")
    return {row["ImageId"]: row["Patient"] for row in rows}


def recipe_of(job: str) -> Recipe:
    if job == "tiles":
        return load_recipe("steel-laptop", TILES)
    return load_recipe("xray-laptop", CHEST)


def one_split(data: Path, job: str, split: int, folder: Path) -> dict[str, object]:
    """Train and tune on two thirds of the groups, and judge on the others."""
    group_of = groups_of(data, job)
    names = sorted(set(group_of.values()))
    order = np.random.default_rng(split).permutation(len(names))
    held = {names[i] for i in order[: len(names) // 3]}
    write = tiles if job == "tiles" else chest(job)
    for name, inside in (("known", False), ("new", True)):
        write(
            data, {id for id, group in group_of.items() if (group in held) == inside}, folder / name
        )
    run = folder / "run"
    train(recipe_of(job), data=folder / "known", out=run, workers=0)
    row: dict[str, object] = {}
    for word in (*WORDS, None):
        found = tune(run, decision=word)
        predict(run, folder / "new" / "images", folder / "pred", progress=False)
        judged = score(folder / "pred", folder / "new")
        selection = found.selection
        kept = next(
            candidate for candidate in selection.candidates if candidate.name == selection.chosen
        )
        row[word or "kept"] = {
            "decision": selection.chosen,
            "apparent": round(kept.apparent, 4),
            "expected": round(kept.expected, 4),
            "held_out": round(judged.value, 4),
        }
        row["nothing"] = None if judged.baseline_empty is None else round(judged.baseline_empty, 4)
        row["groups"] = selection.groups
        row["sentence"] = selection.sentence
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--jobs", nargs="*", default=["tiles", "lungs", "consolidation"])
    parser.add_argument("--write", action="store_true", help="keep the result beside this script")
    options = parser.parse_args()
    result: dict[str, object] = {
        "machine": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    kept = Path(__file__).with_suffix(".json")
    if kept.is_file():
        result = json.loads(kept.read_text(encoding="utf-8")) | result
    for job in options.jobs:
        rows = []
        for split in range(SPLITS):
            with tempfile.TemporaryDirectory() as folder:
                rows.append(one_split(options.data, job, split, Path(folder)))
            print(job, split, json.dumps(rows[-1], indent=1), flush=True)
        result[job] = rows
        if options.write:
            write_json(kept, result)


if __name__ == "__main__":
    main()
