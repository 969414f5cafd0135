"""Write docs/evidence.md from the rows that benchmarks/evidence has run.

Run        python -m tools.evidence             print the page
           python -m tools.evidence --write     write docs/evidence.md
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
ROWS = ROOT / "benchmarks" / "evidence" / "rows"
PAGE = ROOT / "docs" / "evidence.md"
PROGRAMS = {
    "planned": "`lamina plan`",
    "hand": "built-in recipe",
    "plain": "plain loop",
    "nnunet-cpu": "nnU-Net, cut for a CPU",
    "nnunet": "nnU-Net",
}
DATA = ("em", "tiles", "lungs", "consolidation", "f3", "bsd68")
MINUTES, SEEDS = (2, 6, 20), (0, 1, 2)
DRAWS = 2000
MARGIN = {"hand": 0.01}  # that the planned recipe may be below another program
INTRODUCTION = """\
# Evidence: equal CPU seconds

<!-- generated: python -m tools.evidence --write -->

What the planned recipe, a built-in recipe, a plain training loop and nnU-Net v2 reach on real data
in the same CPU seconds of one thread. Seconds count from the start of each program: its imports,
planning and preprocessing are included, prediction is not. Whole groups (patients, tiles, blocks
of a section) are held out; all programs learn from the same images, and none of them holds any of
these back. The plain loop is segmentation_models_pytorch as tutorials use it, with bfloat16 where
the processor is fast at it (`benchmarks/evidence/plain_program.py`); of noise it is DnCNN. nnU-Net
learns with its own plan of the 2d configuration, or with one cut for a CPU
(`benchmarks/evidence/nnunet_program.py`); it restores no images.

*As they come* are masks at 0.5, or those of nnU-Net. *Decided* are masks by the decision that
`lamina tune` would choose, fitted on the other test groups than those it decides; it is the same
for every program, so that what training gains and what the decision gains are told apart.
Calibration, which planned recipes of tiles and consolidation ask for, needs images that are held
out and so is left out here: they draw images with a class more often, and show too much on others.
Differences have the 90 % interval of a paired bootstrap over groups; those whose interval excludes
0 are bold. Means are over the seeds that were run, whose numbers stand in brackets. Where programs
ran on different processors their seconds bought different work: such differences have a †.

Three rules of `lamina plan` were found by these very data, on which the planned recipe is favoured:
wide objects of volumes are learnt at half the resolution (EM), lines of less than four pixels
without blur, with weaker affine transforms and in crops of 96 (F3), and images that a CPU has 8
minutes or more for a million pixels with stronger transforms, dropout and weight decay (F3, X-rays
at 20 minutes). What the second one is worth, with seed 0 and on the one section that is judged: the
former recipe reached 0.407 in 6 minutes, 0.460 with the weaker transforms, 0.449 with crops of 96
as well; in 2 minutes, when steps are few, 0.346 without the small crops and 0.387 with them.

The third one is against overfitting, with seed 0, in 20 minutes. F3 has three images: in crops of
256 Dice fell from 0.460 after 6 minutes to 0.437 after 20, in crops of 96 it stayed at 0.453; with
the rule it is 0.477. A network as nnU-Net's is (full resolution, instance norm, deep supervision,
crops of 128), with the weaker transforms, reached 0.407: the network alone is not what nnU-Net
gains by there. By the rule lungs rose from 0.928 to 0.932, and consolidation, which 7 of the 26
images show, from 0.016 to 0.330 (from 0.454 to 0.336 by image, where healthy lungs count). Which of
its parts does it was not told apart.

One rule was found without the images that are judged: images are learnt with weaker transforms,
and several classes at a rate of 1e-3 in place of 5e-4, where a CPU has less than 2 minutes for a
million pixels. On the magnetic tiles to learn from, in three folds by group, with seed 0 and 6
minutes for each, pooled Dice was 0.064 before, 0.108 with the weaker transforms and 0.120 with the
higher rate as well; of images and classes 0.780, 0.813 and 0.825. The higher rate alone, judged as
below, did not help: 0.343 and 0.208 pooled with seeds 0 and 1, where the lower one reached 0.343
and 0.272. F3, which the rule was not found by, rose from 0.396 to 0.452 in 2 minutes with it. On
magnetic tiles at 20 minutes the planned recipe and the built-in one differ in nothing that is
learnt from but the prior (0.01 and 0.03).
"""


@dataclass(frozen=True)
class Row:
    """What one program reached on one data set."""

    data: str
    program: str
    minutes: int
    seed: int
    title: str
    machine: str
    seconds: dict[str, float]
    scores: dict[str, dict[str, Any]]


def rows_of(folder: Path) -> list[Row]:
    """Return the rows of a folder in the order of their names."""
    names = Row.__dataclass_fields__
    found = []
    for path in sorted(folder.glob("*.json")):
        read = json.loads(path.read_text(encoding="utf-8"))
        found.append(Row(**{name: read[name] for name in names}))
    return found


def score(
    above: NDArray[np.float64],
    below: NDArray[np.float64],
    empty: float | None,
    shown: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Return the mean over classes of above / below, for sums (..., classes).

    Args:
        above: Above the line.
        below: Below it.
        empty: What a class counts that is neither there nor found; None: it does not count.
        shown: Classes that count; none: all.
    """
    nothing = np.nan if empty is None else empty
    ratios = np.divide(above, below, out=np.full(above.shape, nothing), where=below > 0)
    defined = ~np.isnan(ratios) if shown is None else ~np.isnan(ratios) & shown
    count = defined.sum(-1)
    total = np.where(defined, ratios, 0.0).sum(-1)
    return np.asarray(np.divide(total, count, out=np.zeros_like(total), where=count > 0))


def difference(
    one: Sequence[dict[str, Any]],
    other: Sequence[dict[str, Any]],
    nothing: dict[str, Any] | None = None,
) -> tuple[float, float, float]:
    """Return the difference of two programs' scores and its 90 % interval over groups.

    A class that no drawn group has does not count in that draw: it would say 1 for a program that
    finds nothing, and 0 for one that takes a pixel.

    Args:
        one: Score of each seed, with the sums of each group above and below the line.
        other: The same of the other program, of the same seeds.
        nothing: Score of predicting nothing, whose sums below the line say what groups have.
    """
    groups = len(one[0]["above"])
    drawn = np.random.default_rng(0).integers(groups, size=(DRAWS, groups))

    def mean(scores: Sequence[dict[str, Any]], chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        values = []
        shown = None if nothing is None else np.asarray(nothing["below"])[chosen].sum(-2) > 0
        for each in scores:
            above, below = (np.asarray(each[key])[chosen].sum(-2) for key in ("above", "below"))
            values.append(score(above, below, each["empty"], shown))
        return np.asarray(np.mean(values, axis=0))

    everything = np.arange(groups)
    found = float(mean(one, everything) - mean(other, everything))
    low, high = np.quantile(mean(one, drawn) - mean(other, drawn), (0.05, 0.95))
    return found, float(low), float(high)


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *body]
    return [f"| {' | '.join(line)} |" for line in lines]


class Rows:
    """Rows by data, program and minutes."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = {(row.data, row.program, row.minutes, row.seed): row for row in rows}

    def seeds(self, data: str, program: str, minutes: int) -> list[int]:
        """Return the seeds that were run."""
        return [seed for seed in SEEDS if (data, program, minutes, seed) in self._rows]

    def any(self, data: str, minutes: int) -> Row | None:
        """Return a row of the data, or None."""
        for (name, _, time, _), row in self._rows.items():
            if (name, time) == (data, minutes):
                return row
        return None

    def scores(
        self, data: str, program: str, minutes: int, which: tuple[str, str], seeds: Sequence[int]
    ) -> list[dict[str, Any]]:
        """Return the score of each seed by metric and masks; none where these were not judged."""
        title, masks = which
        rows = [self._rows[data, program, minutes, seed] for seed in seeds]
        return [row.scores[title][masks] for row in rows if masks in row.scores[title]]

    def mean(self, data: str, program: str, minutes: int, which: tuple[str, str]) -> str:
        """Return the mean score, with the seeds if they are not all."""
        seeds = self.seeds(data, program, minutes)
        scores = self.scores(data, program, minutes, which, seeds)
        if not scores:
            return "-" if seeds else "not run"
        value = np.mean([one["value"] for one in scores])
        said = f"{value:.2f}" if value > 1.5 else f"{value:.3f}"
        return said if seeds == list(SEEDS) else f"{said} ({', '.join(map(str, seeds))})"

    def against(self, data: str, other: str, minutes: int, which: tuple[str, str]) -> str:
        """Return how far the planned recipe is above another program."""
        seeds = self.common(data, other, minutes)
        ours, theirs = (self.scores(data, p, minutes, which, seeds) for p in ("planned", other))
        if not ours or not theirs:
            return "-"
        none = self._rows[data, "planned", minutes, seeds[0]].scores[which[0]].get("nothing")
        value, low, high = difference(ours, theirs, none)
        mark = "**" if low > 0 or high < 0 else ""
        processors = [
            [self._rows[data, p, minutes, seed].machine for seed in seeds]
            for p in ("planned", other)
        ]
        apart = "" if processors[0] == processors[1] else " †"
        return f"{mark}{value:+.3f}{mark} ({low:+.3f} to {high:+.3f}){apart}"

    def gain(self, data: str, other: str, minutes: int) -> float | None:
        """Return the first score of the planned recipe above another program's; None: not run."""
        row = self.any(data, minutes)
        seeds = self.common(data, other, minutes)
        if row is None or not seeds:
            return None
        which = (next(iter(row.scores)), "as they come")
        ours, theirs = (
            [one["value"] for one in self.scores(data, program, minutes, which, seeds)]
            for program in ("planned", other)
        )
        return float(np.mean(ours) - np.mean(theirs))

    def common(self, data: str, other: str, minutes: int) -> list[int]:
        """Return the seeds that both the planned recipe and another program were run with."""
        theirs = self.seeds(data, other, minutes)
        return [seed for seed in self.seeds(data, "planned", minutes) if seed in theirs]

    def processors(self) -> dict[str, int]:
        """Return how many rows ran on each processor."""
        return dict(sorted(Counter(row.machine for row in self._rows.values()).items()))


def page(rows: Sequence[Row]) -> str:
    """Return the page of all rows."""
    known = Rows(rows)
    lines = INTRODUCTION.splitlines()
    for minutes in MINUTES:
        lines += ["", f"## {minutes} minutes", ""]
        lines += _minutes(known, minutes)
    lines += ["", "## Commands", "", *_commands(known)]
    return "\n".join(lines) + "\n"


def _minutes(known: Rows, minutes: int) -> list[str]:
    scores, differences = [], []
    others = [program for program in PROGRAMS if program != "planned"]
    for data in DATA:
        row = known.any(data, minutes)
        for title in row.scores if row else ():
            nothing = row.scores[title].get("nothing") if row else None
            empty = "" if nothing is None else f"; nothing {nothing['value']:.3f}"
            for masks in ("as they come", "decided"):
                which = (title, masks)
                values = [known.mean(data, program, minutes, which) for program in PROGRAMS]
                if not any(value[0].isdigit() for value in values):
                    continue
                name = f"{row.title if row else data}, {title}"
                scores.append([f"{name}, {masks}{empty}", *values])
                gains = [known.against(data, other, minutes, which) for other in others]
                differences.append([f"{name}, {masks}", *gains])
    if not scores:
        return ["No row has been run."]
    names = list(PROGRAMS.values())
    return [
        *table(["data, score", *names], scores),
        "",
        f"{names[0]} above the others:",
        "",
        *table(["data, score", *(PROGRAMS[other] for other in others)], differences),
        "",
        "By the first score of each data set, as masks come:",
        "",
        *table(
            [f"{names[0]} against", "at least as good", "below", "not run"], _won(known, minutes)
        ),
    ]


def _won(known: Rows, minutes: int) -> list[list[str]]:
    """Return by program on which data sets the planned recipe reaches it, does not, or was not."""
    body = []
    for other in PROGRAMS:
        if other == "planned":
            continue
        parts: dict[str, list[str]] = {"reached": [], "below": [], "missing": []}
        for data in DATA:
            gain = known.gain(data, other, minutes)
            if gain is None:
                if has_answer(data, other):
                    parts["missing"].append(data)
            elif gain >= -MARGIN.get(other, 0.0):
                parts["reached"].append(data)
            else:
                parts["below"].append(f"{data} ({gain:+.3f})")
        name = PROGRAMS[other] + (f", less {MARGIN[other]:g}" if other in MARGIN else "")
        told = [f"{len(one)}: {', '.join(one)}" if one else "-" for one in parts.values()]
        body.append([name, *told])
    return body


def has_answer(data: str, program: str) -> bool:
    """Whether a program knows the task of a data set: nnU-Net restores no images."""
    return not (data == "bsd68" and program.startswith("nnunet"))


def _commands(known: Rows) -> list[str]:
    """Return the command of each row, what has not been run, and the processors."""
    body, processors = [], [[name, str(count)] for name, count in known.processors().items()]
    for data in DATA:
        for minutes in MINUTES:
            run = [program for program in PROGRAMS if known.seeds(data, program, minutes)]
            if not run:
                continue
            seeds = sorted({s for program in run for s in known.seeds(data, program, minutes)})
            words = f"--data {data} --minutes {minutes} --programs {' '.join(run)}"
            told = f"`python benchmarks/evidence {words} --seeds {' '.join(map(str, seeds))}`"
            body.append([data, str(minutes), told])
    return [
        "Rows of nnU-Net also need `--nnunet PYTHON`, the interpreter of an environment of its",
        "own with `pip install nnunetv2`. A row that is there in `benchmarks/evidence/rows` is",
        "not run again: delete its file first. Each file holds the sums of every group, the",
        "seconds of planning, training and prediction, and the recipe.",
        "",
        *table(["data", "minutes", "command"], body),
        "",
        *_missing(known),
        "",
        *table(["processor, as recorded", "rows"], processors),
    ]


def _missing(known: Rows) -> list[str]:
    wanted = [
        (data, program, minutes)
        for data in DATA
        for program in PROGRAMS
        for minutes in MINUTES
        if has_answer(data, program)
    ]
    count = sum(len(known.seeds(*one)) for one in wanted)
    return [f"{count} of {len(SEEDS) * len(wanted)} rows have been run."]


def main() -> None:
    """Print the page, or write it."""
    text = page(rows_of(ROWS))
    if "--write" in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
