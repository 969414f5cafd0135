"""Fuzz targets in child processes: a hang or a crash is a row, not the end.

Run as ``python -m tests.fuzz.run [--count 2000] [--seed 0] [--keep FOLDER] [TARGET ...]``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from tests.factories.processes import PROCESSES
from tests.fuzz.child import run
from tests.fuzz.faulty import FAULTY
from tests.fuzz.targets import TARGETS

FINE = ("same", "other", "refused")
"""What may come of a damaged file; anything else is a fault of lamina."""
_DEATHS = 20  # a target that kills its process more often than this has failed


def fuzz(name: str, folder: Path, count: int, seed: int) -> list[dict[str, Any]]:
    """Return a row for each of ``count`` damages of a target's samples.

    Args:
        name: The target.
        folder: An empty folder for the samples.
        count: How many damages.
        seed: Of the damages; the n-th is the same whatever the count.
    """
    target = FAULTY if name == FAULTY.name else TARGETS[name]
    rows: list[dict[str, Any]] = []
    deaths = 0
    while len(rows) < count and deaths < _DEATHS:
        samples = folder / str(deaths)  # anew after a death: it may have left a damaged file
        samples.mkdir(parents=True)
        target.make(samples)
        said, errors = folder / f"{deaths}.jsonl", folder / f"{deaths}.txt"
        arguments = (name, samples, len(rows), count, seed)
        process = PROCESSES.Process(target=run, args=(dict(os.environ), said, errors, arguments))
        process.start()
        process.join()
        lines = said.read_text(encoding="utf-8", errors="replace").splitlines()
        rows += [json.loads(line) for line in lines if line.startswith('{"number"')]
        if len(rows) < count:
            last = errors.read_text(encoding="utf-8", errors="replace")[-3000:]
            how = "hung" if "Timeout (" in last else "crashed"
            why = f"exit {process.exitcode}: {last}"
            rows.append({"number": len(rows), "kind": "", "file": "", "outcome": how, "why": why})
            deaths += 1
    return rows


def faults(rows: list[dict[str, Any]]) -> list[str]:
    """Return a line or several for each row that is a fault."""
    return [
        f"{row['number']} {row['kind']} {row['file']}: {row['outcome']} {row.get('why', '')}"
        for row in rows
        if row["outcome"] not in FINE
    ]


def main() -> int:
    """Fuzz the targets named; print a line for each, then the faults; return 1 for any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)}; all by default")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shown", type=int, default=5, help="faults printed for each target")
    options = parser.parse_args()
    bad = 0
    for name in options.targets or TARGETS:
        with tempfile.TemporaryDirectory() as folder:
            rows = fuzz(name, Path(folder), options.count, options.seed)
        counts = Counter(row["outcome"] for row in rows)
        wrong = faults(rows)
        bad += len(wrong)
        lines = [f"{name:<20} {len(rows):>6}  {dict(sorted(counts.items()))}"]
        lines += ["    " + line.replace("\n", "\n    ") for line in wrong[: options.shown]]
        sys.stdout.write("\n".join([*lines, ""]))
        sys.stdout.flush()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
