"""What stored label values stand for: by the values themselves, never by a guess."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lamina.data.case import Case
from lamina.data.catalogs.corrupt import values_of
from lamina.data.names import bare
from lamina.data.targets.label_table import as_colour
from lamina.data.units import unit_of
from lamina.doctor.finding import counted
from lamina.errors import DataError, LayoutError
from lamina.plan.layouts import Match
from lamina.plan.layouts.choice.contents import counted_values
from lamina.plan.tree import Tree
from lamina.volume import Volume

MOST = 1 << 28
"""Label values that are read."""

READINGS = ("ignore255", "foreground255")
"""What ``--layout`` may say of masks that hold 0, 1 and 255, behind a ``+``."""

_VOID = 255
_CLASSES = 64
_COLOURS = 32
_GENERAL = re.compile(r"mask|label|seg|annot|truth|target|class|^gt$|^ann$|^id$", re.IGNORECASE)


@dataclass(frozen=True)
class LabelMeaning:
    """The task that labels are of, and what the catalog needs to know of their values."""

    task: dict[str, Any]
    data: dict[str, Any]
    said: str
    notes: tuple[str, ...] = ()
    """What a person should look at, such as a background that is rarer than a class."""


def meaning_of(tree: Tree, match: Match, reading: str | None = None) -> LabelMeaning:
    """Return what the stored labels of a match stand for.

    Args:
        tree: Of the data folder.
        match: How it is read.
        reading: ``ignore255`` or ``foreground255`` where masks hold 0, 1 and 255.

    Raises:
        DataError: labels are soft, of colours without end, or all empty.
        LayoutError: 255 may be a border or the class; both commands are named.
    """
    if not match.labels or (match.task and match.task["kind"] != "multilabel"):
        return LabelMeaning(dict(match.task), {}, match.meaning)
    counts, colours, share = counted_values(tree, match, MOST)
    if match.task:
        return _of_class_masks(tree, match, set(counts), colours=colours)
    ignored = match.data.get("ignore")
    if isinstance(ignored, int):
        counts.pop(ignored, 0)
    said = "" if share == 1 else f"; {share:.0%} of the labels were read"
    if colours:
        found = _of_colours(counts)
    else:
        found = _of_values(tree, match, counts, reading, void=ignored is not None)
    task = found.task
    if task["kind"] == "binary" and (name := _name(match)):
        task = {**task, "names": [name]}
    notes = () if colours else _polarity(counts, found.data.get("ignore", ignored))
    return replace(found, task=task, said=found.said + said, notes=notes)


def restored_names(root: Path, cases: Sequence[Case]) -> tuple[str, ...]:
    """Return the names of the values that are restored: a name for each stored channel.

    Args:
        root: The data folder.
        cases: Clean images or volumes as their own targets, or with others.

    Raises:
        LayoutError: images without labels are of several types, or grey and coloured; a command is
            named for each kind.
    """
    targets = [case.target or case.image for case in cases]
    kinds: dict[str, list[Volume]] = {}
    for target in targets:
        kinds.setdefault(values_of(target), []).append(target)
    channels = {target.channels for target in targets}
    if len(channels) > 1 or len({unit_of(target.dtype) for target in targets}) > 1:
        command = f"lamina plan {shlex.quote(str(root))} -s"
        rows = [
            f"{command} {shlex.quote(f'data.values={kind}')}\n    "
            f"{counted(len(some), 'image')}, such as {Path(some[0].name).name}"
            for kind, some in sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0]))
        ]
        raise LayoutError(
            "\n  ".join(
                [
                    f"{root}: there are no labels, so noise would be added to images and taken out "
                    f"again, and these hold {len(kinds)} kinds of values; a network restores one "
                    "kind: choose it, or add labels:",
                    *rows,
                ]
            )
        )
    (count,) = channels
    if count == 3:
        return ("red", "green", "blue")
    return ("clean",) if count == 1 else tuple(f"clean_{k}" for k in range(count))


def _name(match: Match) -> str:
    """Return what the file or folder of the labels is called, if that is no general word."""
    place = match.dataset or str(match.data.get("target", match.data.get("masks", "")))
    for part in (bare(place).rpartition("/")[2], place.rpartition("/")[0].rpartition("/")[2]):
        word = re.sub(r"[^A-Za-z]+$", "", part)
        if word.isidentifier() and not _GENERAL.search(word):
            return word.lower()
    return ""


def _polarity(counts: Mapping[int, int], ignored: object) -> tuple[str, ...]:
    """Return a note where another value than 0, which is the background, covers most pixels."""
    known = {value: count for value, count in counts.items() if value != ignored}
    whole = sum(known.values())
    most = max(known, key=lambda value: (known[value], -value))
    if most == 0 or known[most] <= whole / 2:
        return ()
    return (
        f"labels of {most} cover {known[most] / whole:.1%} of the pixels, and of 0, which is taken "
        f"for the background, {known.get(0, 0) / whole:.1%}; if {most} is, change data.labels",
    )


def _of_class_masks(tree: Tree, match: Match, values: set[int], *, colours: bool) -> LabelMeaning:
    """Return what values of masks of one class each mean."""
    task = dict(match.task)
    if not colours and values <= {0, 1}:
        return LabelMeaning(task, {}, "a mask of 0 and 1 for each class")
    if not colours and values <= {0, _VOID}:
        return LabelMeaning(task, {"labels": "binary"}, "a mask of 0 and 255 for each class")
    raise DataError(
        f"{tree.root}: masks of one class each hold {', '.join(map(str, sorted(values)[:8]))}; "
        "needed are 0 and one other value: save them so, or set data.labels by hand"
    )


def _of_colours(counts: Counter[int]) -> LabelMeaning:
    if len(counts) > _COLOURS:
        raise DataError(
            f"masks hold {len(counts)} colours; those of classes are few: were they saved as JPEG "
            "or resized? name the colours that count in data.labels"
        )
    black = 0 if 0 in counts else max(counts, key=counts.__getitem__)
    others = [value for value in sorted(counts) if value != black]
    labels: dict[Any, int] = {as_colour(black): 0}
    labels |= {as_colour(value): k for k, value in enumerate(others, 1)}
    task: dict[str, Any] = {"kind": "binary"}
    if len(others) > 1:
        names = ["background", *(f"colour_{as_colour(value)[1:]}" for value in others)]
        task = {"kind": "multiclass", "names": names}
    return LabelMeaning(task, {"labels": labels}, f"{len(counts)} colours")


def _of_values(
    tree: Tree, match: Match, counts: Counter[int], reading: str | None, *, void: bool
) -> LabelMeaning:
    values = sorted(counts)
    if not set(values) - {0, -1}:
        held = " or ".join(map(str, values)) or "ignored"
        raise DataError(
            f"{tree.root}: every label that was read is {held} ({match.labels[0]} and others), so "
            "there is nothing to learn; check the masks"
        )
    data: dict[str, Any] = {}
    if -1 in values:
        values.remove(-1)
        data["ignore"] = -1
    if not void and _VOID in values and len(values) > 2 and set(values) - {0, 1, _VOID}:
        if values[:-1] == list(range(values[0], values[0] + len(values) - 1)):
            values.remove(_VOID)
            data["ignore"] = _VOID
    elif set(values) == {0, 1, _VOID}:
        return _void_or_class(tree, match, reading)
    if len(values) > _CLASSES:
        return _objects(match, values, data)
    if values[0] < 0:
        raise DataError(
            f"{match.labels[0]}: labels hold the value {values[0]}; set data.labels by hand: "
            f"{values[:8]} are there"
        )
    return _classes(values, data)


def _classes(values: Sequence[int], data: dict[str, Any]) -> LabelMeaning:
    said = f"labels hold {', '.join(map(str, values[:12]))}{' ...' if len(values) > 12 else ''}"
    if "ignore" in data:
        said += f"; {data['ignore']} does not count"
    foreground = [value for value in values if value]
    if len(foreground) == 1 and values[0] == 0:
        (value,) = foreground
        if value not in (1, 255):
            return LabelMeaning({"kind": "binary"}, data | {"labels": {0: 0, value: 1}}, said)
        if value == _VOID:
            data["labels"] = "binary"
        return LabelMeaning({"kind": "binary"}, data, said)
    if len(foreground) == 1:
        raise DataError(
            f"every label that was read is {foreground[0]}, so there is nothing to tell apart; "
            "check the masks"
        )
    names = ["background" if value == 0 else f"class_{value}" for value in values]
    if list(values) != list(range(max(values) + 1)):
        data["labels"] = {value: k for k, value in enumerate(values)}
    return LabelMeaning({"kind": "multiclass", "names": names}, data, said)


def _objects(match: Match, values: Sequence[int], data: dict[str, Any]) -> LabelMeaning:
    """Return numbers of objects as one class; soft masks are refused."""
    if max(values) <= _VOID:
        raise DataError(
            f"{match.labels[0]}: labels hold {len(values)} different values up to {max(values)}, "
            "as masks with soft edges do, such as resized or JPEG ones; save masks of whole "
            "classes, or set data.labels with others: 0"
        )
    said = f"{len(values)} numbers up to {max(values)} are those of objects: one class together"
    return LabelMeaning({"kind": "binary"}, data | {"labels": {0: 0, "others": 1}}, said)


def _void_or_class(tree: Tree, match: Match, reading: str | None) -> LabelMeaning:
    if reading == "ignore255":
        return LabelMeaning({"kind": "binary"}, {"ignore": 255}, "1 is the class, 255 a border")
    if reading == "foreground255":
        labels = {"labels": {0: 0, 1: 1, 255: 1}}
        return LabelMeaning({"kind": "binary"}, labels, "1 and 255 are the class")
    command = f"lamina plan {shlex.quote(str(tree.root))} --layout"
    rows = "\n  ".join(f"{command} {shlex.quote(f'{match.choice}+{one}')}" for one in READINGS)
    raise LayoutError(
        f"{tree.root}: masks hold 0, 1 and 255, and 255 may be a border that does not count or the "
        f"class; choose one:\n  {rows}"
    )
