"""What a model answers for one image: probabilities, masks, objects and pictures of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.data.names import bare
from lamina.errors import RecipeError
from lamina.files import make_folder, write_bytes
from lamina.geometry.components.instances import Split, label_instances
from lamina.geometry.components.labelling import Connectivity
from lamina.pictures.palette import colour
from lamina.pictures.pixels import Pixels, painted, shrunk, shrunk_mask, visible
from lamina.prediction.folder.file_names import class_folders, file_name
from lamina.public import StrPath, as_path
from lamina.result.objects import Objects, find_objects
from lamina.task import Task

if TYPE_CHECKING:
    from lamina.result.decisions import AnyDecision

_NOTEBOOK = 512  # longer side of the picture that notebooks show, in pixels

Format = Literal["masks", "overlay", "objects"]
Rule = Literal["priority", "probability"]


@dataclass(frozen=True, eq=False)
class Prediction:
    """The answer for one image or volume; S is the shape of the input without its channels."""

    id: str
    """What the image is called."""
    axes: str
    """Spatial axes in the input's own order, such as ``yx`` or ``zyx``."""
    task: Task
    """What is predicted."""
    probabilities: NDArray[np.float32] = field(repr=False)
    """(K, *S), read only: probabilities in 0..1; of a restore task the values, in units of the
    input. K counts the background of exclusive classes, which is the first."""
    decision: AnyDecision
    """How probabilities become masks."""
    members: tuple[str, ...]
    """Names of the members that answered."""
    image: NDArray[Any] = field(repr=False)
    """(C, *S): the input, which ``overlay`` draws on."""
    spacing: tuple[float, ...] | None = None
    """Distance from pixel to pixel along each axis, as it was given; None: not known."""
    converted: str | None = None
    """How values were brought to the type and range that training saw; None: as they were."""

    def __post_init__(self) -> None:
        self.probabilities.flags.writeable = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the K classes."""
        return self.task.names or ()

    @property
    def values(self) -> NDArray[np.float32]:
        """Restored values (K, *S) in units of the input.

        Raises:
            RecipeError: the task is not ``restore``.
        """
        if self.task.kind != "restore":
            raise RecipeError(f"the task is {self.task.kind}: it has probabilities, not values")
        return self.probabilities

    @cached_property
    def masks(self) -> NDArray[np.bool_]:
        """Decided masks (K, *S), read only.

        Raises:
            RecipeError: the task is ``restore``, which has no masks.
        """
        if self.task.kind == "restore":
            raise RecipeError("the task is restore: it has values, not masks")
        masks = np.asarray(self.decision(self.probabilities), np.bool_)
        masks.flags.writeable = False
        return masks

    @property
    def labels(self) -> NDArray[np.uint8 | np.uint16]:
        """Class ids (*S): of exclusive classes 0..K-1, else 0 for none and k + 1 for class k.

        Raises:
            RecipeError: masks of different classes overlap; use ``masks`` or ``labels_by``.
        """
        if not self.task.exclusive and (self.masks.sum(axis=0) > 1).any():
            raise RecipeError(
                "masks of different classes overlap; use masks, or labels_by('priority') for the "
                "first class in the order of names"
            )
        return self.labels_by("priority")

    def labels_by(self, rule: Rule) -> NDArray[np.uint8 | np.uint16]:
        """Return class ids (*S) as ``labels``, with one class where masks overlap.

        Args:
            rule: ``priority``: the class that is first in ``names``; ``probability``: the most
                probable of those whose masks overlap.

        Raises:
            RecipeError: there is no such rule, or the task is ``restore``.
        """
        if rule not in get_args(Rule):
            raise RecipeError(f"rule is '{rule}'; it must be {' or '.join(get_args(Rule))}")
        masks = self.masks
        dtype = np.uint8 if len(masks) < 255 else np.uint16
        if rule == "probability":
            chosen = np.where(masks, self.probabilities, -np.inf).argmax(axis=0)
        else:
            chosen = masks.argmax(axis=0)
        if not self.task.exclusive:
            chosen = np.where(masks.any(axis=0), chosen + 1, 0)
        return np.asarray(chosen, dtype)

    def instances(
        self,
        *,
        minimum: int = 1,
        connectivity: Connectivity | None = None,
        split: Split = "none",
    ) -> NDArray[np.int32]:
        """Return labels (*S) of objects from 1, classes in turn and in raster order within.

        Where masks of classes overlap the later class is seen. The background of exclusive
        classes is no object.

        Args:
            minimum: The smallest object that is kept, in pixels.
            connectivity: 4 or 8 neighbours; 6, 18 or 26 in 3-D; None: 8 or 26.
            split: ``distance`` parts touching objects of flat images.
        """
        result = np.zeros(self.probabilities.shape[1:], np.int32)
        for own in self._labelled(minimum, connectivity, split):
            first = int(result.max())
            result[own > 0] = own[own > 0] + first
        return result

    def objects(
        self,
        *,
        minimum: int = 1,
        connectivity: Connectivity | None = None,
        split: Split = "none",
    ) -> Objects:
        """Return the objects of all classes; arguments as of ``instances``."""
        first = int(self.task.exclusive)
        return find_objects(
            self._labelled(minimum, connectivity, split),
            self.probabilities[first:],
            self.names[first:],
            case=self.id,
            axes=self.axes,
            spacing=self.spacing,
        )

    def decided(self, decision: AnyDecision | float) -> Prediction:
        """Return the same probabilities with another decision, or another threshold."""
        from lamina.inference.model import decision_of

        return replace(self, decision=decision_of(decision, self.decision))

    def overlay(self, image: Any = None, *, width: int = 2048) -> Pixels:
        """Return a picture (H, W, 3), RGB, of masks filled and outlined on the image.

        Of a volume its middle slice is shown; of a restore task the restored values.

        Args:
            image: (H, W) or (H, W, 3) to draw on; None: the input.
            width: The longer side of the picture is at most this, in pixels.
        """
        restore = self.task.kind == "restore"
        shown = self.probabilities if restore else self.image
        if image is not None:
            given = np.asarray(image)
            shown = given[None] if given.ndim == 2 else np.moveaxis(given, -1, 0)
        picture = shrunk(visible(_flat(shown)), width)
        if restore:
            return picture
        masks = [_flat(mask[None])[0] for mask in self.masks[int(self.task.exclusive) :]]
        small = [shrunk_mask(mask, picture.shape[:2]) for mask in masks]
        return painted(picture, small, [colour(k) for k in range(len(small))])

    def save(
        self,
        folder: StrPath,
        *,
        name: str | None = None,
        formats: Sequence[Format] = ("masks", "overlay", "objects"),
    ) -> list[Path]:
        """Write files that people open, and return their paths.

        ``NAME_CLASS.png`` is 255 on the mask of a class (``NAME.png`` of a single class),
        ``NAME_overlay.jpg`` a picture, ``NAME_objects.csv`` and ``.geojson`` the objects.

        Args:
            folder: Where they lie; made where it is missing.
            name: What files are called, without folder and suffix; None: the id without the
                suffix of an image. What not every file system carries is escaped as ``%XX``.
            formats: Which of them.

        Raises:
            RecipeError: the answer is a volume or restored, which ``lamina.predict`` writes; or
                name or formats are not valid.
        """
        if self.task.kind == "restore" or len(self.axes) != 2:
            raise RecipeError("save writes masks of flat images; use lamina.predict for others")
        wrong = [one for one in formats if one not in get_args(Format)]
        if wrong or isinstance(formats, str):
            raise RecipeError(f"formats is {formats!r}; it must be a list of {get_args(Format)}")
        if name is not None and name != file_name(name):
            raise RecipeError(
                f"name is '{name}'; give a plain file name, such as {file_name(name)}"
            )
        root, stem = as_path(folder, "folder"), name or file_name(bare(self.id))
        make_folder(root)
        written: list[Path] = []
        if "masks" in formats:
            for label, mask in zip(class_folders(self.names), self.masks, strict=True):
                path = root / (f"{stem}.png" if len(self.names) == 1 else f"{stem}_{label}.png")
                written.append(_written(path, mask.view(np.uint8) * np.uint8(255)))
        if "overlay" in formats:
            written.append(_written(root / f"{stem}_overlay.jpg", self.overlay()[:, :, ::-1]))
        if "objects" in formats:
            found = self.objects()
            found.to_csv(root / f"{stem}_objects.csv")
            found.to_geojson(root / f"{stem}_objects.geojson")
            written += [root / f"{stem}_objects.csv", root / f"{stem}_objects.geojson"]
        return written

    def _repr_png_(self) -> bytes:
        """Return the overlay, as notebooks show it."""
        return cv2.imencode(".png", self.overlay(width=_NOTEBOOK)[:, :, ::-1])[1].tobytes()

    def _labelled(
        self, minimum: int, connectivity: Connectivity | None, split: Split
    ) -> list[NDArray[np.int32]]:
        return [
            label_instances(mask, minimum=minimum, connectivity=connectivity, split=split)
            for mask in self.masks[int(self.task.exclusive) :]
        ]


def _flat(array: NDArray[Any]) -> NDArray[Any]:
    """Return (C, H, W) of an image, or the middle slice of a volume (C, D, H, W)."""
    return array if array.ndim == 3 else array[:, array.shape[1] // 2]


def _written(path: Path, pixels: NDArray[Any]) -> Path:
    write_bytes(path, cv2.imencode(path.suffix, np.ascontiguousarray(pixels))[1].tobytes())
    return path
