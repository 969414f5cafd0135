"""Which files are made of a finished case, and that they are those of its current decision.

    overlays/NAME.jpg       images: masks on the image
    objects/NAME.geojson    images: outlines along the edges of pixels; QuPath opens it
    objects.csv .geojson    the same of all images
    native/NAME.*           the input's own format and place; native/CLASS/NAME.* where there is a
                            file for each class

The ledger's row of a case holds the digest of each. They are made of stored probabilities, so that
they may be asked for later, without the network.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lamina.errors import DataError, RecipeError, listed
from lamina.files import digest
from lamina.options.near_words import did_you_mean
from lamina.prediction.folder.digests import source_digest
from lamina.prediction.folder.file_names import class_folders
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.outputs.native import FORMATS
from lamina.prediction.outputs.native.base import Answer, Native, trail_of
from lamina.prediction.outputs.objects import write_objects, write_tables
from lamina.prediction.outputs.overlays import write_overlay
from lamina.progress import say
from lamina.volume import Volume, view_chain

ALWAYS = ("masks", "probabilities")
"""Kinds that every prediction holds, since all others are made of them."""

KINDS = (*ALWAYS, "overlays", "objects", "native")
"""Kinds of files, as ``--save`` names them."""

DEFAULT = ("masks", "probabilities", "objects", "native")
"""What is saved unless something else is asked for."""

_LIBRARY = (ValueError, RuntimeError, TypeError, LookupError, ArithmeticError, AttributeError)


def checked(save: Sequence[str]) -> tuple[str, ...]:
    """Return the kinds of files that are asked for, besides those that are always there.

    Raises:
        RecipeError: a word is none of them.

    Example:
        >>> checked(["native", "masks"])
        ('native',)
    """
    for word in save:
        if word not in KINDS:
            near = did_you_mean(word, list(KINDS)) or f"; they are {', '.join(KINDS)}"
            raise RecipeError(f"--save {word}: there are no such files{near}")
    return tuple(kind for kind in KINDS if kind in save and kind not in ALWAYS)


@dataclass(frozen=True)
class Outputs:
    """The files that are made of the cases of a folder."""

    predictions: Predictions
    kinds: tuple[str, ...]
    """As ``checked`` returns them."""

    def update(self, id: str, image: Volume) -> None:
        """Make the files of a finished case, unless they are there as they were written.

        Kinds that an earlier command made are made again where the decision or a file changed.

        Args:
            id: The case.
            image: Its image, opened.

        Raises:
            ResourceError: the disk is full.
        """
        known = self.predictions.outputs(id)
        asked = {*self.kinds, *known.get("saved", ())}
        kinds = tuple(kind for kind in KINDS if kind in asked)
        if not kinds and not known and not any(place.exists() for place in self._places(id)):
            return
        if tuple(known.get("saved", ())) == kinds and self._sound(known["files"]):
            return
        for path in self._places(id):
            _remove(path)
        files: dict[str, str] = {}
        left_out: dict[str, str] = {}
        for kind in kinds:
            try:
                files |= self._made(kind, id, image)
            except DataError as error:
                left_out[kind] = str(error).splitlines()[0]
        self.predictions.ledger.note_files(self.predictions.case(id), kinds, files, left_out)

    def finish(self) -> tuple[str, ...]:
        """Make the files of all cases; say and return what could not be made, with reasons."""
        ids = self.predictions.ids
        outputs = {id: self.predictions.outputs(id) for id in ids}
        if any("objects" in output.get("saved", ()) for output in outputs.values()):
            write_tables(self.predictions)
        left_out = tuple(
            why for one in outputs.values() for why in one.get("left_out", {}).values()
        )
        if left_out:
            say(listed(f"{len(left_out)} files are left out", left_out))
        return left_out

    def _sound(self, files: dict[str, str]) -> bool:
        root = self.predictions.folder
        return all(
            (root / name).exists() and digest(root / name) == sha for name, sha in files.items()
        )

    def _made(self, kind: str, id: str, image: Volume) -> dict[str, str]:
        root, name = self.predictions.folder, self.predictions.case(id).file_name
        flat = len(image.axes) == 2 and self.predictions.task.kind != "restore"
        if kind == "overlays" and flat:
            path = root / "overlays" / f"{name}.jpg"
            return {_inside(root, path): write_overlay(path, self.predictions, id, image)}
        if kind == "objects" and flat:
            if self.predictions.case(id).chunked:
                raise DataError(f"{id}: no objects, since the image is larger than memory allows")
            path = root / "objects" / f"{name}.geojson"
            return {_inside(root, path): write_objects(path, self.predictions, id)}
        return self._native(id, image) if kind == "native" else {}

    def _native(self, id: str, image: Volume) -> dict[str, str]:
        *_, reader = view_chain(image)
        form = next((one for one in FORMATS if isinstance(reader, one.readers)), None)
        if form is None:
            return {}
        answer = self._answer(id, image, form)
        made: dict[str, str] = {}
        for layer in form.layers(answer):
            path = self._native_path(id, layer.folder, form.suffix)
            try:
                made[_inside(self.predictions.folder, path)] = form.write(path, answer, layer)
            except _LIBRARY as error:
                raise DataError(f"{id}: no native output ({error})") from error
        return made

    def _answer(self, id: str, image: Volume, form: Native) -> Answer:
        """Return a finished case with its source, from which geometry is copied.

        Raises:
            DataError: the source is gone or changed, or the case is not the whole of it.
        """
        case, trail = self.predictions.case(id), trail_of(image)
        if trail is None:
            raise DataError(f"{id}: no native output, since it is a part of {case.source}")
        try:
            same = source_digest([case.source]) == case.sha256
        except (DataError, OSError):
            same = False
        if not same:
            raise DataError(f"{id}: no native output, since {case.source} is gone or changed")
        answer = Answer(self.predictions, id, trail)
        if why := form.why_not(answer):
            raise DataError(f"{id}: no native output, since {why}")
        return answer

    def _native_path(self, id: str, folder: str | None, suffix: str) -> Path:
        root, name = self.predictions.folder / "native", self.predictions.case(id).file_name
        return (root / folder if folder else root) / f"{name}{suffix}"

    def _places(self, id: str) -> Iterator[Path]:
        """Yield every place where a file of a case may lie."""
        root, name = self.predictions.folder, self.predictions.case(id).file_name
        yield root / "overlays" / f"{name}.jpg"
        yield root / "objects" / f"{name}.geojson"
        for form in FORMATS:
            for folder in (None, *class_folders(self.predictions.task.names or ())):
                yield self._native_path(id, folder, form.suffix)


def _inside(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
