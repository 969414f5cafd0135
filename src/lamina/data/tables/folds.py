"""Folds on disk, and what is to be said about them before training."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lamina import files
from lamina.data.case import Case
from lamina.data.names import nfc
from lamina.data.tables.case_names import CASE_COLUMNS
from lamina.data.tables.csv import read_table
from lamina.data.tables.json import read_any_json
from lamina.errors import DataError, LeakError, listed


def write_folds(path: Path, cases: Sequence[Case], folds: Sequence[int]) -> str:
    """Write folds.csv with the columns case, group, fold; return its SHA-256.

    All text is quoted, so that no name can be taken for a formula or a number.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(["case", "group", "fold"])
    writer.writerows([case.id, case.group, fold] for case, fold in zip(cases, folds, strict=True))
    return files.write_text(path, text.getvalue())


def read_folds(path: Path) -> dict[str, int]:
    """Return the fold of each case of a folds.csv (columns case or ImageId, and fold).

    A ``.json`` file is one of nnU-Net's: a list with ``train`` and ``val`` for each fold. Cases
    that are held out nowhere have fold -1.

    Raises:
        DataError: the file is missing, a column is missing, a fold is no number, or a case
            stands twice.
    """
    if path.suffix.lower() == ".json":
        return _nnunet_folds(path)
    table = read_table(path)
    name, fold = table.column("case", "ImageId", "id", *CASE_COLUMNS), table.column("fold")
    if name is None or fold is None:
        raise DataError(
            f"{path}: line 1: has the columns {', '.join(table.columns)}; needed are case and fold"
        )
    found: dict[str, int] = {}
    odd: list[str] = []
    for row in table.rows:
        try:
            number = int(row.cells[fold])
        except ValueError:
            odd.append(f"line {row.line}: fold '{row.cells[fold]}' is not a whole number")
            continue
        case = nfc(row.cells[name])
        if case in found:
            odd.append(f"line {row.line}: case '{case}' is repeated")
        found[case] = number
    if odd:
        raise DataError(listed(f"{path}: {len(odd)} rows cannot be used", odd))
    return found


def _nnunet_folds(path: Path) -> dict[str, int]:
    splits = read_any_json(path)
    parts = splits if isinstance(splits, list) else []
    if not parts or not all(map(_is_split, parts)):
        raise DataError(f"{path}: is no list of splits, each with train and val; see nnU-Net")
    found: dict[str, int] = {}
    for number, one in enumerate(parts):
        for case in map(nfc, map(str, one["val"])):
            if case in found:
                raise DataError(
                    f"{path}: case '{case}' is held out in the splits {found[case]} and {number}; "
                    "folds hold each case out once at most, so use a folds.csv"
                )
            found[case] = number
    for case in (nfc(str(name)) for one in parts for name in one.get("train", ())):
        found.setdefault(case, -1)
    return found


def _is_split(part: Any) -> bool:
    if not isinstance(part, dict):
        return False
    return isinstance(part.get("val"), list) and isinstance(part.get("train", []), list)


def check_groups(cases: Sequence[Case], folds: Sequence[int]) -> None:
    """Refuse folds that put a group on both sides.

    Raises:
        LeakError: every such group is listed with its cases and their folds.
    """
    first: dict[str, int] = {}
    if all(
        first.setdefault(case.group, fold) == fold for case, fold in zip(cases, folds, strict=True)
    ):
        return
    held: Mapping[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for case, fold in zip(cases, folds, strict=True):
        held[case.group][fold].append(case.id)
    leaks = {group: parts for group, parts in held.items() if len(parts) > 1}
    lines = [f"{len(leaks)} groups are on both sides of the split; put each into one fold"]
    for group, parts in leaks.items():
        lines.append(f"  group {group}")
        lines += [f"    fold {fold}: {', '.join(parts[fold])}" for fold in sorted(parts)]
    raise LeakError("\n".join(lines))


def warnings_of(cases: Sequence[Case], folds: Sequence[int]) -> list[str]:
    """Return what may be wrong with folds, a line each: folds without any class present (L07).

    Cases whose catalog does not know the classes say nothing.
    """
    found: list[str] = []
    for fold in sorted(set(folds) - {-1}):
        held = [case for case, at in zip(cases, folds, strict=True) if at == fold]
        if all(case.facts.get("classes") == "" for case in held):
            found.append(
                f"fold {fold}: none of its {len(held)} cases has any class; its score says nothing "
                "about finding them (try split.stratify: count, or fewer folds)"
            )
    return found
