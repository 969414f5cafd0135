"""Labels that members made of unlabelled images, on disk: what training reads of them.

    pseudo.json              the index, written last: without it there are no labels
    images.csv               the images, by reference
    labels/SET/train.csv     masks of the images kept, in the layout of the steel competition
    labels/SET/figures.csv   why each image and class was kept or left out
    labels/SET/probabilities (K, H, W) float16 for each image

There is a set for each fold, made only by members that never saw the images which that fold holds
out, and the set ``all``, made by every member. The index names the cases that the makers of each
set had seen, so that a run with other folds is found out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lamina.data.case import Case
from lamina.data.names import nfc
from lamina.data.readers import open_volume
from lamina.data.tables.csv import read_table
from lamina.data.targets.rle import CodedMask, RleTarget
from lamina.data.targets.soft import SoftTarget
from lamina.errors import DataError, LeakError
from lamina.files import SEAL, digest, read_json, safe_join, seal_of
from lamina.folders import fold_name
from lamina.spec import Spec
from lamina.volume import Volume

INDEX = "pseudo.json"
ALL = "all"

ImageOpener = Callable[[Path], Volume]
"""Opens an image by its path."""

_LISTED = 10


class UnlabelledImage(Spec):
    """An image that has no label of its own."""

    id: str
    """As its catalog would call it."""
    path: str
    """Where it lies; only read."""
    sha256: str
    """Digest of the file."""


class PseudoLabelSet(Spec):
    """Labels by one group of members."""

    members: tuple[str, ...]
    """Who made them."""
    decision: dict[str, Any]
    """From probabilities to the masks of train.csv."""
    table: str
    """Digest of its train.csv."""
    soft: dict[str, tuple[str, str]]
    """File below the set's folder and digest, for each image kept, by id."""


class SeenCase(Spec):
    """A labelled case that makers had trained on."""

    id: str
    """As its catalog calls it."""
    sha256: tuple[str, ...]
    """Digests of its files."""
    sets: tuple[str, ...]
    """The sets whose makers saw it."""


class PseudoLabelIndex(Spec):
    """The content of ``pseudo.json``."""

    format: int
    """Version of the layout."""
    lamina: str
    """Version that wrote it."""
    names: tuple[str, ...]
    """Names of the classes."""
    bundles: tuple[str, ...]
    """Digests of the bundles that made the labels."""
    filters: dict[str, Any]
    """What was kept."""
    images: tuple[UnlabelledImage, ...]
    """Every image predicted, kept or not."""
    sets: dict[str, PseudoLabelSet]
    """``all``, and ``fold0``, ``fold1``, ... where members allow it."""
    seen: tuple[SeenCase, ...]
    """The labelled cases that any maker had trained on."""


@dataclass(frozen=True)
class PseudoLabelFolder:
    """A folder of labels, opened."""

    folder: Path
    index: PseudoLabelIndex

    @classmethod
    def open(cls, folder: Path) -> PseudoLabelFolder:
        """Read the index; one without a seal is of lamina 0.1.0 or earlier.

        Raises:
            DataError: it is missing, damaged, edited or of a newer layout.
        """
        if not (folder / INDEX).is_file():
            raise DataError(
                f"{folder}: no {INDEX}; name a folder of `lamina pseudo`, finished (the same "
                "command again goes on where it stopped)"
            )
        values = read_json(folder / INDEX)
        seal = values.pop(SEAL, None) if isinstance(values, dict) else None
        if seal is not None and seal != seal_of(values):
            raise DataError(
                f"{folder / INDEX}: does not match its own digest, it was damaged or edited; make "
                "the labels again"
            )
        try:
            index = PseudoLabelIndex.model_validate(values)
        except ValidationError as error:
            raise DataError(
                f"{folder / INDEX}: not readable by this version of lamina "
                f"({error.errors()[0]['msg']}); make the labels again"
            ) from error
        return cls(folder, index)

    def seen(self, fold: int) -> dict[str, tuple[str, ...]]:
        """Return the cases that makers of a fold's labels had trained on: their digests by id.

        Args:
            fold: Its number; its labels are the set ``fold<number>``; -1: ``all``.

        Raises:
            DataError: there are no labels for the fold.
        """
        name = fold_name(fold)
        if name not in self.index.sets:
            raise DataError(
                f"{self.folder}: has no labels for fold {fold}, only for "
                f"{', '.join(self.index.sets)}; make them with a run of all folds"
            )
        return {case.id: case.sha256 for case in self.index.seen if name in case.sets}

    def refuse_own(self, known: Mapping[str, str]) -> None:
        """Refuse images that have a label of their own in a run.

        Args:
            known: Id of the run's case by digest of its file.

        Raises:
            LeakError: such images are listed.
        """
        both = [
            (image.id, known[image.sha256]) for image in self.index.images if image.sha256 in known
        ]
        if both:
            raise LeakError(
                f"{self.folder}: {len(both)} images with pseudo-labels are cases that this run "
                "trains on or validates with; make labels of other images\n"
                + "\n".join(f"  {image} is {case}" for image, case in both[:_LISTED])
            )

    def cases(self, name: str, *, soft: bool, open_image: ImageOpener = open_volume) -> list[Case]:
        """Return the images kept in a set, with probabilities or masks as their target.

        ``open_image`` opens an image by its path, as the catalog of the run does.
        Facts of a case: ``source`` (pseudo), ``labels`` (soft or hard), and ``classes`` and
        ``area_<index>`` of the masks.

        Raises:
            DataError: an image or a label is missing or changed since.
        """
        made = self.index.sets[name]
        folder = self.folder / "labels" / name
        masks = _masks(_sound(folder, "train.csv", made.table))
        images = {image.id: image for image in self.index.images}
        outputs = len(self.index.names)
        if not made.soft.keys() <= images.keys():
            raise DataError(
                f"{self.folder / INDEX}: its set '{name}' holds labels of images that it does not "
                "list; make the labels again"
            )
        return [
            _case(
                images[id],
                _sound(folder, *file) if soft else None,
                masks[id],
                outputs=outputs,
                open_image=open_image,
            )
            for id, file in made.soft.items()
        ]


def _masks(path: Path) -> dict[str, dict[int, CodedMask]]:
    table = read_table(path)
    masks: dict[str, dict[int, CodedMask]] = defaultdict(dict)
    for row in table.rows:
        name, _, number = row.cells[0].rpartition("_")
        if row.cells[1]:
            place = f"{path}: line {row.line}"
            masks[nfc(name)][int(number) - 1] = CodedMask(row.cells[1], place)
    return masks


def _sound(folder: Path, name: str, sha256: str) -> Path:
    path = safe_join(folder, name)
    if not path.is_file() or digest(path) != sha256:
        raise DataError(f"{path}: missing or changed since; make the labels again")
    return path


def _case(
    made: UnlabelledImage,
    soft: Path | None,
    masks: Mapping[int, CodedMask],
    *,
    outputs: int,
    open_image: ImageOpener,
) -> Case:
    path = Path(made.path)
    if not path.is_file() or digest(path) != made.sha256:
        raise DataError(f"{path}: missing or changed since its labels were made; make them again")
    image = open_image(path)
    held = tuple((masks[k],) if k in masks else () for k in range(outputs))
    hard = RleTarget(made.id, (image.shape[0], image.shape[1]), held)
    areas = hard.areas()
    facts: dict[str, float | str] = {f"area_{k}": area for k, area in enumerate(areas)}
    facts["classes"] = ",".join(str(k) for k, area in enumerate(areas) if area)
    facts |= {"source": "pseudo", "labels": "hard" if soft is None else "soft"}
    target = hard if soft is None else SoftTarget(soft, image.shape, outputs, image.axes)
    id = f"pseudo/{made.id}"
    return Case(id, id, image, target, files=(str(path),), facts=facts)
