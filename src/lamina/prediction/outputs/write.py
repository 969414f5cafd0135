"""Which files are made of a finished case, and that they are those of its current decision.

    overlays/NAME.jpg       images: masks on the image
    objects/NAME.geojson    images: outlines along the edges of pixels; QuPath opens it
    objects/NAME.csv        volumes: a table
    objects.csv .geojson    the table of all cases, the outlines of all images
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
from typing import Any, Literal, get_args

from lamina.errors import DataError, RecipeError, listed
from lamina.files import digest
from lamina.options.near_words import did_you_mean
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.outputs.native.write_native import native_places, write_native
from lamina.prediction.outputs.objects import objects_path, write_objects, write_tables
from lamina.prediction.outputs.output_file import OutputFile, inside
from lamina.prediction.outputs.overlays import write_overlay
from lamina.progress import say
from lamina.volume import Volume

ALWAYS = ("masks", "probabilities")
"""Kinds that every prediction holds, since all others are made of them."""

KINDS = (*ALWAYS, "overlays", "objects", "native")
"""Kinds of files, as ``--save`` names them."""

DEFAULT = ("masks", "probabilities", "objects", "native")
"""What is saved unless something else is asked for."""

NativeContent = Literal["labels", "probabilities"]
"""What files in the input's own format hold; probabilities: these beside labels."""

_NATIVE_PROBABILITIES = "native_probabilities"
_NOTED = (*KINDS, _NATIVE_PROBABILITIES)  # as the ledger names what was asked for


def checked(save: Sequence[str], native: NativeContent = "labels") -> tuple[str, ...]:
    """Return the kinds of files that are asked for, besides those that are always there.

    Raises:
        RecipeError: a word is none of them, or ``native`` is said of files that are not asked for.

    Example:
        >>> checked(["native", "masks"])
        ('native',)
    """
    for word in save:
        if word not in KINDS:
            near = did_you_mean(word, list(KINDS)) or f"; they are {', '.join(KINDS)}"
            raise RecipeError(f"--save {word}: there are no such files{near}")
    if native not in get_args(NativeContent):
        raise RecipeError(
            f"--native is '{native}'; it must be one of {', '.join(get_args(NativeContent))}"
        )
    more = (_NATIVE_PROBABILITIES,) if native == "probabilities" else ()
    if more and "native" not in save:
        raise RecipeError("--native probabilities: --save leaves out native; add it")
    return tuple(kind for kind in KINDS if kind in save and kind not in ALWAYS) + more


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
        kinds = tuple(kind for kind in _NOTED if kind in asked)
        if not kinds and not known and not any(place.exists() for place in self._places(id)):
            return
        if tuple(known.get("saved", ())) == kinds and self._sound(known):
            return
        for path in self._places(id):
            _remove(path)
        made: list[OutputFile] = []
        left_out: dict[str, str] = {}
        saved = list(kinds)
        for kind in kinds:
            try:
                made += self._made(kind, id, image, probabilities=_NATIVE_PROBABILITIES in kinds)
            except (DataError, RecipeError) as error:
                left_out[kind] = str(error).splitlines()[0]
                if isinstance(error, RecipeError):  # a library is missing: once it is there, again
                    saved.remove(kind)
        self.predictions.ledger.note_files(
            self.predictions.case(id),
            saved,
            {file.path: file.sha256 for file in made},
            left_out,
            {file.path: file.holds for file in made if file.holds is not None},
        )

    def finish(self) -> tuple[str, ...]:
        """Make the files of all cases; say and return what could not be made, with reasons."""
        ids = self.predictions.ids
        outputs = {id: self.predictions.outputs(id) for id in ids}
        if any("objects" in output.get("saved", ()) for output in outputs.values()):
            write_tables(self.predictions)
        left_out = tuple(
            why for output in outputs.values() for why in output.get("left_out", {}).values()
        )
        if left_out:
            say(listed(f"{len(left_out)} files are left out", left_out))
        return left_out

    def _sound(self, known: dict[str, Any]) -> bool:
        """Whether all files are as a row notes them; rows of before do not say what they hold."""
        root, files = self.predictions.folder, known["files"]
        return "native" in known and all(
            (root / name).exists() and digest(root / name) == sha for name, sha in files.items()
        )

    def _made(self, kind: str, id: str, image: Volume, *, probabilities: bool) -> list[OutputFile]:
        root, name = self.predictions.folder, self.predictions.case(id).file_name
        masks = self.predictions.task.kind != "restore"
        if kind == "overlays" and masks and len(image.axes) == 2:
            path = root / "overlays" / f"{name}.jpg"
            sha = write_overlay(path, self.predictions, id, image)
            return [OutputFile(inside(root, path), sha)]
        if kind == "objects" and masks:
            path = objects_path(self.predictions, id)
            return [OutputFile(inside(root, path), write_objects(self.predictions, id))]
        if kind == "native":
            return write_native(self.predictions, id, image, probabilities=probabilities)
        return []

    def _places(self, id: str) -> Iterator[Path]:
        """Yield every place where a file of a case may lie."""
        root, name = self.predictions.folder, self.predictions.case(id).file_name
        yield root / "overlays" / f"{name}.jpg"
        yield objects_path(self.predictions, id)
        yield from native_places(self.predictions, id)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
