"""The cases of a prediction, opened, with those who answer for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lamina.bundle import Bundle, kind_learnt
from lamina.data.case import Case
from lamina.data.catalogs.inputs import Input
from lamina.data.image_types.image_kind import as_learnt
from lamina.data.index.file_mark import Marked
from lamina.data.index.index import DataIndex
from lamina.data.prepare.spacing import check_spacing
from lamina.data.readers.file_types import not_read
from lamina.errors import DataError, listed
from lamina.folders import named, remote_url
from lamina.prediction.cases.inputs import gather, open_listed, passed_over
from lamina.prediction.folder.manifest import PredictedCase, place_of
from lamina.prediction.folder.predictions import one_digest
from lamina.prediction.members.loaded import LoadedMembers
from lamina.prediction.members.out_of_fold import ChosenMembers, Policy
from lamina.prediction.quarantine import Quarantine
from lamina.prediction.streaming.slabs import check_axes, is_cut
from lamina.progress import say


@dataclass
class OpenedCases:
    """The cases that can be read, who answers for each, and the files that are bad."""

    cases: dict[str, tuple[PredictedCase, Case, ChosenMembers]] = field(default_factory=dict)
    quarantine: Quarantine = field(default_factory=lambda: Quarantine(1))
    sources: dict[str, Marked] = field(default_factory=dict)
    """The files of cases as they were when their digests were taken, by id; none of a slice that
    is predicted alone out of a store."""


def open_cases(
    loaded: LoadedMembers,
    inputs: Sequence[Path],
    members: Literal["auto", "all"],
    slices: Sequence[float],
    index: DataIndex,
    *,
    corrupt: bool,
) -> OpenedCases:
    """Return all that ``inputs`` name, opened; what cannot be read is in quarantine.

    Args:
        loaded: The members.
        inputs: As ``gather`` takes them.
        members: Who answers for a case that training saw.
        slices: Only these slices of volumes; none: all of them.
        index: What is known of the files.
        corrupt: Put the noise on images that the recipe declares.

    Raises:
        DataError: nothing can be read.
    """
    recipe = loaded.bundles[0].recipe
    policy = Policy(loaded.bundles, members)
    named = gather(inputs, recipe)
    opened = OpenedCases(quarantine=Quarantine(len(named)))
    for line in not_read(passed_over(inputs, recipe)):
        say(line)
    index.fill({"image": [input_file.path for input_file in named]})
    for input_file in named:
        with opened.quarantine.item(str(input_file.path)), index.used():
            input_file.check()
            source = Marked.now(recipe.data.files_of(input_file.path))
            cases = _cases(input_file, loaded, policy, slices, index, corrupt=corrupt)
            for predicted, _, _ in cases:
                if predicted.id in opened.cases:
                    raise DataError(_double(input_file, opened.cases[predicted.id][0].source))
            opened.cases |= {each[0].id: each for each in cases}
            is_file = not any(map(index.is_store, source.files))
            opened.sources |= {each.id: source for each, *_ in cases if is_file or each.chunked}
    opened.quarantine.check_any(len(opened.cases), "images can be read")
    changed = [
        f"{id}: {each.converted}" for id, (each, *_) in opened.cases.items() if each.converted
    ]
    if changed:
        say(listed(f"{len(changed)} images are converted to what the members learnt from", changed))
    return opened


def open_whole(input_file: Input, bundles: Sequence[Bundle], *, corrupt: bool) -> tuple[Case, str]:
    """Return the case of one file, and in words how its values are converted.

    Args:
        input_file: As ``gather`` returns it.
        bundles: Those that predict.
        corrupt: Put the noise on it that the recipe declares.

    Raises:
        DataError: it cannot be read, lacks an axis that the recipe cuts, or does not say how far
            its voxels are apart, and the networks see them at one spacing.
    """
    recipe = bundles[0].recipe
    volume = open_listed(input_file, recipe, corrupt=corrupt)
    if is_cut(volume, recipe.frame):
        check_axes(volume, recipe.frame.slices)
    if recipe.frame.axes == 3:
        check_spacing(volume, recipe.frame)
    kind, converted = kind_learnt(bundles), None
    if kind is not None:
        volume, converted = as_learnt(volume, kind, planes=recipe.frame.axes == 2)
    valid = recipe.data.open_valid(input_file.path)
    return Case(input_file.id, input_file.id, volume, valid=valid), converted or ""


def _cases(
    input_file: Input,
    loaded: LoadedMembers,
    policy: Policy,
    slices: Sequence[float],
    index: DataIndex,
    *,
    corrupt: bool,
) -> list[tuple[PredictedCase, Case, ChosenMembers]]:
    """Return the cases of one file: itself, or the slices of it that are asked for."""
    recipe = loaded.bundles[0].recipe
    whole, converted = open_whole(input_file, loaded.bundles, corrupt=corrupt)
    offset, span = recipe.data.stored(whole.image, recipe.task)
    files = [str(path) for path in recipe.data.files_of(input_file.path)]
    digests = [_digest(Path(name), policy, index) for name in files]
    chosen = policy.choose(input_file.id, digests[0])
    cases = []
    for case in recipe.frame.chosen([whole], slices):
        predicted = PredictedCase(
            id=case.id,
            source=named(input_file.path),
            sha256=one_digest(digests),
            axes=case.image.axes,
            shape=case.image.shape,
            **place_of(case.image),
            members=tuple(loaded.name(*pair) for pair in chosen.members),
            banded=loaded.streams(case.image),
            offset=offset,
            span=span,
            converted=converted or None,
            known=chosen.known,
        )
        cases.append((predicted, case, chosen))
    return cases


def _digest(path: Path, policy: Policy, index: DataIndex) -> str:
    """Return the digest of a file, or what identifies a store, as the members know it."""
    if not index.is_store(path):
        return index.digest(path)
    if policy.by_sample:
        return index.identity(path)
    if (url := remote_url(path)) is not None:
        say(
            f"{url}: whether members trained on it is not known, since their bundle, of an earlier "
            "version, knows volumes by all their bytes; train again to tell"
        )
        return index.identity(path)
    say(f"{path}: all of it is read first, since the bundle is of an earlier version")
    return index.digest(path)


def _double(input_file: Input, other: str) -> str:
    both = f"{input_file.path} and {other}"
    return f"{both}: duplicate case id '{input_file.id}'; run predict separately"
