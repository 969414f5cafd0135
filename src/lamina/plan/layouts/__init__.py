"""Layouts of data folders: which of them suits the names and first bytes of files.

To add one: write its file here, import it below and name it in the list.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace

from lamina.errors import LayoutError
from lamina.plan.layouts.base import ENOUGH as ENOUGH
from lamina.plan.layouts.base import Layout as Layout
from lamina.plan.layouts.base import Match as Match
from lamina.plan.layouts.choice.contents import contents_of
from lamina.plan.layouts.choice.repeats import without_repeats
from lamina.plan.layouts.coco import CocoJson as CocoJson
from lamina.plan.layouts.dicom_series import DicomSeries as DicomSeries
from lamina.plan.layouts.folder_pairs import FolderPairs as FolderPairs
from lamina.plan.layouts.fragments import ScrollFragments as ScrollFragments
from lamina.plan.layouts.images_only import ImagesOnly as ImagesOnly
from lamina.plan.layouts.labelme import LabelmeJson as LabelmeJson
from lamina.plan.layouts.nnunet import NnunetRaw as NnunetRaw
from lamina.plan.layouts.rle_tables import RleTable as RleTable
from lamina.plan.layouts.voc import VocPalette as VocPalette
from lamina.plan.layouts.volume_datasets import VolumeDatasets as VolumeDatasets
from lamina.plan.layouts.volume_files import VolumeFiles as VolumeFiles
from lamina.plan.tree import Tree

LAYOUTS: tuple[Layout, ...] = (
    NnunetRaw(),
    CocoJson(),
    LabelmeJson(),
    RleTable(),
    VocPalette(),
    ScrollFragments(),
    DicomSeries(),
    VolumeFiles(),
    VolumeDatasets(),
    FolderPairs(),
    ImagesOnly(),
)
"""All layouts, in order of rank."""


def matches_of(tree: Tree) -> list[Match]:
    """Return every reading of a data folder that no better one makes needless."""
    found = [(layout.rank, match) for layout in LAYOUTS for match in layout.matches(tree)]
    if any(rank for rank, _ in found):
        found = [(rank, match) for rank, match in found if rank]
    return [
        match
        for rank, match in found
        if not any(
            higher > rank and match.claims <= other.claims and match.claims
            for higher, other in found
        )
    ]


def chosen(tree: Tree, wanted: str | None) -> Match:
    """Return the one reading of a data folder.

    Args:
        tree: Of the data folder.
        wanted: What ``--layout`` says; None: the data must say it.

    Raises:
        LayoutError: there is none, several suit equally well, or ``wanted`` is not one of them.
    """
    found = matches_of(tree)
    if not found:
        raise LayoutError(_nothing(tree))
    if wanted is not None:
        named = [one for one in found if wanted == one.choice]
        named = named or [one for one in found if wanted == one.layout and one.asked]
        if not named:
            raise LayoutError(
                f"{tree.root}: --layout is '{wanted}', and the folder can be read as "
                f"{', '.join(one.choice for one in found)}"
            )
        return _one(tree, named)
    left = [one for one in found if not one.ruled_out] or found
    best = max(one.score for one in left)
    asked = [one for one in left if one.asked and one.score >= ENOUGH * best] or left
    match = _one(tree, without_repeats(tree, asked))
    others = [f"not read as {one.choice}: {one.ruled_out}" for one in found if one.ruled_out]
    return replace(match, notes=(*match.notes, *others))


def _one(tree: Tree, found: Sequence[Match]) -> Match:
    if len(found) > 1:
        command = f"lamina plan {shlex.quote(str(tree.root))} --layout"
        rows = [
            f"{command} {shlex.quote(_shortest(one, found))}\n    "
            + "; ".join(filter(None, [one.evidence, contents_of(tree, one)]))
            for one in found
        ]
        raise LayoutError(
            "\n  ".join([f"{tree.root}: can be read in {len(found)} ways; choose one:", *rows])
        )
    problem = found[0].problem or found[0].ruled_out
    if problem:
        raise LayoutError(f"{tree.root}: {problem}")
    return found[0]


def _shortest(one: Match, found: Sequence[Match]) -> str:
    """Return what ``--layout`` has to say to choose one of several."""
    alone = sum(other.layout == one.layout for other in found) == 1
    return one.layout if alone and one.asked else one.choice


def _nothing(tree: Tree) -> str:
    if tree.links:
        return (
            f"{tree.root}: {len(tree.links)} links lead out of it, such as {tree.links[0]}, and "
            "are not read; copy what they lead to"
        )
    if not tree.files:
        return f"{tree.root}: is empty"
    return (
        f"{tree.root}: {len(tree.files)} files, and no layout that is known: no images that are "
        "read; docs/plan.md lists the layouts"
    )
