"""Volumes with label volumes beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from lamina.data.case import Case
from lamina.data.catalogs.base import Catalog, Listing
from lamina.data.catalogs.inputs import FOLDERS, Input, image_folder
from lamina.data.catalogs.pairs import (
    Meaning,
    OpenedPair,
    Pair,
    of_target,
    open_pairs,
    read_pairs,
)
from lamina.data.layouts.dataset_json import is_dataset
from lamina.data.layouts.patterns import ID, Pattern, check_pattern
from lamina.data.names import matches, nfc
from lamina.data.network_input.frame import Spacing
from lamina.data.orientation import Order, Orientation, aligned, canonical, transposed
from lamina.data.pair_files import images_of, pairs_of, required_pairs
from lamina.data.prepare.empty_targets import without_empty
from lamina.data.prepare.pair_quality import Quality
from lamina.data.prepare.spaced import Spaced
from lamina.data.prepare.unpack import UNPACKED, unpacked
from lamina.data.prepare.value_ranges import RANGES, measure
from lamina.data.readers import (
    Dicom,
    Fill,
    Segy,
    images_below,
    is_volume,
    open_volume,
    sniff,
    stem_of,
)
from lamina.data.targets.label_table import LabelTable
from lamina.data.views.rescaled import Stretch, Stretched
from lamina.errors import DataError, RecipeError
from lamina.folders import is_data
from lamina.progress import say
from lamina.spec import ADDED_LATER
from lamina.task import Task
from lamina.volume import Transposed, Volume, unselected


class VolumePairs(Catalog):  # FAULT-1
    """Pairs of an image volume and a target volume, found by two patterns.

    Where a file of the data folder itself matches ``image``, all pairs lie there; of several,
    the parts of the two names that ``*`` and ``?`` stand for must be equal. The id is then the
    image's name without its suffix.

    Otherwise each folder below the data folder holds one pair, the first match of each pattern
    after sorting, and the folder's name is the id.

    Where a pattern names a folder or has a part ``{id}``, both are patterns of paths below the data
    folder, such as ``images/*.tif`` with ``labels/*.tif``, or ``{id}_im.tif`` with
    ``{id}_seg.tif``. Those belong together for which ``{id}``, or else ``*``, stands for the same,
    which is the id of the case.

    A Zarr store, and a folder of DICOM slices, are folders that count as one file.
    """

    reads_remote: ClassVar[bool] = True

    kind: Literal["volume_pairs"] = "volume_pairs"

    image: str = "raw.tif"
    """Pattern of the image volume's file name, such as raw.tif or seismic*.npy, or of its path,
    such as images/{id}.tif."""

    target: str = "labels.tif"
    """Pattern of the target volume's file name or path."""

    axes: str | None = None
    """Names of the stored axes, first to last, with c for channels; null: as OME, ImageJ and NIfTI
    (xyz) say of themselves, and zyx for all others."""

    target_axes: Annotated[str | None, ADDED_LATER] = None
    """Names of the stored axes of targets, where they are others than those of images; null: the
    same as axes."""

    orientation: Annotated[Orientation, ADDED_LATER] = "canonical"
    """canonical: volumes whose file says how they lie in a body are turned to x right, y front,
    z head, and targets are brought to their images. as_stored: what files say of their axes and
    their place is not looked at."""

    dataset: str | None = None
    """Path of the image within an HDF5 file or a Zarr store; null: the only array there, or the
    full resolution of an OME-Zarr image."""

    target_dataset: str | None = None
    """Path of the target within its file, which may be the image's; null: the same as dataset."""

    fill: Fill = "refuse"
    """Chunks of Zarr and HDF5 arrays that are not stored: refuse, or allow as empty ones."""

    segy: Segy = Segy()
    """Where SEG-Y files say which trace belongs where."""

    dicom: Annotated[Dicom, ADDED_LATER] = Dicom()
    """How the values of DICOM series are meant."""

    spacing: Annotated[Spacing | None, ADDED_LATER] = None
    """Distances between voxels along z, y and x, of files that do not say them, or wrongly; null:
    as the files say."""

    transpose: dict[str, Order] = Field(default_factory=dict)  # FAULT-2
    """Images whose axes lie in another order than those of their targets, by id or
    pattern: the names of the image's axes as they are stored, such as yzx, or the order in which
    numpy would transpose them, such as [1, 0, 2]."""

    exclude: tuple[str, ...] = ()  # FAULT-2
    """Ids or patterns of volumes to leave out."""

    shape: tuple[int, ...] | None = None  # FAULT-2
    """Volumes of other shapes, in the order of the target's axes, are left out."""

    opposite: Literal["as_stored", "transpose"] = "as_stored"  # NOISE-1
    """What is done where a file's sides are those of ``shape`` in the opposite order: nothing, or
    all its axes are turned round, in images and targets alike."""

    empty: Literal["keep", "drop"] = "keep"  # FAULT-2
    """Volumes whose target has no foreground at all: keep them, or read all targets once and
    drop these."""

    stretch: Stretch | None = None  # FAULT-3
    """Bring each volume to one range by its own numbers, measured once in a run; null:
    values are those stored."""

    stretch_target: Literal["no", "own", "shared"] = "no"  # NOISE-6
    """Restore only: bring targets to 0..1 as well. own: by the target's own range, as released; the
    network then learns the change of scale, and what it restores stays a share of a range that
    nobody knows. shared: by the range of the image, so that files of what is restored
    are in stored units again."""

    prepare: Quality | None = None  # NOISE-3
    """Leave out pairs whose image and target are too far apart, after folds are assigned;
    null: keep all."""

    unpack: Literal["once", "never"] = "once"
    """Volumes that are stored in packed chunks are unpacked once into the run folder, since
    training reads slices in any order; or every slice decodes all chunks that it touches."""

    labels: LabelTable | None = None
    """Stored value to class, such as {0: 0, 255: 1}; `others` names all values that are not
    listed, and colours such as '#ff0000' may stand for values. binary: 1 or 255, whichever the
    masks use, is the class. null: stored values are classes."""

    ignore: int | None = None
    """Stored value of voxels that must not count; null: all count."""

    @field_validator("image", "target")
    @classmethod
    def _patterns_can_be_read(cls, text: str) -> str:
        if "/" in text or ID in text:
            return check_pattern(text, whole=True)
        if not text or "\\" in text:
            raise ValueError(f"'{text}' is no name of a file; folders are joined by /")
        return text

    @field_validator("transpose")
    @classmethod
    def _orders_name_each_axis_once(cls, transpose: dict[str, Order]) -> dict[str, Order]:
        for pattern, order in transpose.items():
            numbers = not isinstance(order, str)
            if len(set(order)) != len(order) or (
                numbers and sorted(order) != list(range(len(order)))
            ):
                raise ValueError(
                    f"'{pattern}' is to be transposed by {order}; name each axis once, such as "
                    "yzx or [1, 0, 2]"
                )
        return transpose

    @model_validator(mode="after")
    def _what_is_needed_is_there(self) -> Self:
        if self.stretch_target != "no" and self.stretch is None:
            raise ValueError(
                f"stretch_target is {self.stretch_target}, and stretch is not set; set it, such as "
                "{to: unit}"
            )
        if self.opposite == "transpose" and self.shape is None:
            raise ValueError("opposite is transpose, and shape, the order wanted, is not set")
        return self

    def open(self, root: Path, task: Task) -> Listing:
        """List every pair.

        Voxels are read only where ``empty`` needs them, and where neither labels nor names say
        the classes.

        Raises:
            RecipeError: empty volumes are to be dropped in a restore task, which has none.
            DataError: no pair, or half of one; shapes differ; a volume has other axes; nothing
                is left.
        """
        if task.kind == "restore" and self.empty == "drop":
            raise RecipeError("data.empty is 'drop', but a restore task has no empty targets")
        if task.kind != "restore" and self.stretch_target != "no":
            raise RecipeError(
                f"data.stretch_target is '{self.stretch_target}', and labels have no range; set "
                "it to no"
            )
        if not is_data(root):
            raise DataError(f"{root}: no such folder of data")
        if is_dataset(root) and not pairs_of(root, self.image, self.target):
            raise DataError(
                f"{root}: is laid out with dataset.json and imagesTr/; read it with "
                "-s data.kind=nnunet"
            )
        pairs: Sequence[Pair] = required_pairs(root, self.image, self.target)
        pairs = self._included(root, pairs)
        opened = self._shaped(root, open_pairs(pairs, self.opened))
        cases, names = read_pairs(opened, task, Meaning(self.labels, self.ignore))
        return Listing(cases if self.empty == "keep" else without_empty(root, cases), names)

    def images_in(self, folder: Path) -> Iterator[Input]:
        """Yield the volumes that ``image`` names, without those of ``exclude``.

        Where there is none, all images of the folder: a network for slices answers for images.
        """
        found = images_of(folder, self.image)
        if not found:
            inside = image_folder(folder, *FOLDERS)
            yield from (
                Input(self.id_of(path, inside), path) for path in images_below(inside, folder)
            )
            return
        every = [Input(self.id_of(path, folder), path) for path in found]
        left = [one for one in every if not any(matches(one.id, name) for name in self.exclude)]
        if len(left) < len(every):
            say(f"{folder}: {len(every) - len(left)} volumes left out by data.exclude")
        yield from left

    def is_one(self, path: Path) -> bool:
        """Whether a path is a volume: a file, a Zarr store, or a folder that is a DICOM series."""
        return is_volume(path)

    def id_of(self, path: Path, root: Path | None = None) -> str:
        """Return the name of the volume's folder, or its own where it lies in ``root`` itself.

        With a pattern of paths: what ``{id}`` or ``*`` stands for, or its own name.
        """
        if "/" in self.image or ID in self.image:
            return Pattern(self.image).id_of(path) or nfc(stem_of(path))
        if root is not None and path.parent != root:
            return nfc(path.parent.name)
        return nfc(stem_of(path))

    def open_image(self, path: Path, id: str | None = None) -> Volume:
        """Open an image volume as ``open`` does, or an image such as a PNG as it is.

        Args:
            path: The file.
            id: What it is called. Whether it is transposed is decided by this or, since a file
                may be named without its data folder, by the name of the folder it lies in.

        Raises:
            DataError: it cannot be read, or its axes are not those named.
        """
        if sniff(path).plane:
            return self._as_said(open_volume(path, dicom=self.dicom))
        id = self.id_of(path) if id is None else id
        return self._as_said(self._image(path, id, nfc(path.resolve().parent.name)))

    def adapt(self, image: Volume) -> Volume:
        """Return an image that is in memory, stretched as those of files are."""
        return self._as_said(image)

    def stored(self, image: Volume, task: Task) -> tuple[float, float]:
        """Return offset and span of restored values: those of the image where they are shared."""
        image = unselected(image)
        if self.stretch_target == "shared" and isinstance(image, Stretched):
            low, high = image.ends
            return low, high - low
        return super().stored(image, task)

    def similarities(self, cases: Sequence[Case]) -> Mapping[str, float]:
        """Return how alike image and target are, where ``prepare`` asks for it (NOISE-3)."""
        return {} if self.prepare is None else self.prepare.measured(cases)

    def is_alike(self, similarity: float) -> bool:
        """Whether a pair of such a similarity is kept."""
        return self.prepare is None or similarity > self.prepare.above

    def prepared(self, cases: Sequence[Case], folder: Path) -> tuple[Self, Sequence[Case]]:
        """Return the cases with their chunks unpacked, as ``unpack`` says, and ranges measured."""
        if self.unpack == "once":
            cases = unpacked(cases, folder / UNPACKED)
        measure(cases, folder / RANGES)
        return self, cases

    def _as_said(self, volume: Volume) -> Volume:
        if self.spacing is not None and len(volume.axes) == 3:
            volume = Spaced(volume, self.spacing)
        return volume if self.stretch is None else self.stretch.of(volume)

    def _as_image(self, target: Volume, image: Volume) -> Volume:
        """Return a target on its own range or on that of its image, where that is asked for."""
        if self.stretch is None or self.stretch_target == "no":
            return target
        found = self.stretch.model_copy(update={"to": "unit"}).of(target)
        if self.stretch_target == "own" or not isinstance(image, Stretched):
            return found
        return replace(found, like=image)

    def _upright(self, volume: Volume) -> Volume:
        """Return a volume, its axes turned round where they lie opposite to ``shape``."""
        shape = tuple(volume.shape)
        if self.opposite == "as_stored" or shape == self.shape or shape[::-1] != self.shape:
            return volume
        return Transposed(volume, tuple(reversed(range(len(shape)))), volume.axes)

    def _image(self, path: Path, *ids: str) -> Volume:
        volume, order = self._volume(path), self._order(*ids)
        if order is None and self.orientation == "canonical":
            volume = canonical(volume)
        return self._as_named(volume, order)

    def _as_named(self, image: Volume, order: Order | None) -> Volume:
        """Return an image with its axes as ``opposite`` and ``transpose`` say."""
        image = self._upright(image)
        return image if order is None else transposed(image, order)

    def _order(self, *ids: str) -> Order | None:
        """Return how ``transpose`` says that the image of a case lies; None: not at all."""
        for name, order in self.transpose.items():
            if any(matches(id, name) for id in ids):
                return order
        return None

    def _volume(self, path: Path, *, target: bool = False) -> Volume:
        axes, dataset = self.axes, self.dataset
        if target:
            axes, dataset = self.target_axes or axes, self.target_dataset or dataset
        try:
            return open_volume(
                path,
                axes,
                stack=True,
                segy=self.segy,
                dicom=self.dicom,
                dataset=dataset,
                fill=self.fill,
                as_stored=self.orientation == "as_stored",
                target=target,
            )
        except DataError as error:
            raise (of_target(error) if target else error) from error

    def opened(self, pair: Pair) -> OpenedPair:
        """Open image and target in one orientation; no pixel is read yet.

        An image that ``transpose`` names is laid as that says, whatever the files say.

        Raises:
            DataError: one cannot be read, or both say that they do not lie in the same place.
        """
        if pair.target is None:
            raise ValueError(f"{pair.id}: volumes come in pairs")
        image, target = self._volume(pair.image), self._volume(pair.target, target=True)
        order = self._order(pair.id)
        if order is None and self.orientation == "canonical":
            image, target = canonical(image), aligned(image, target, pair.id)
        image = self._as_said(self._as_named(image, order))
        return OpenedPair(pair, image, self._as_image(self._upright(target), image))

    def _included(self, root: Path, pairs: Sequence[Pair]) -> list[Pair]:
        """Return the pairs that are not excluded; patterns without effect are said."""
        for option, names in (("exclude", self.exclude), ("transpose", tuple(self.transpose))):
            idle = [name for name in names if not any(matches(pair.id, name) for pair in pairs)]
            if idle:
                say(f"{root}: data.{option} names {', '.join(idle)}, which matches no volume here")
        left = [p for p in pairs if not any(matches(p.id, name) for name in self.exclude)]
        if not left:
            raise DataError(f"{root}: data.exclude leaves none of {len(pairs)} volumes")
        return left

    def _shaped(self, root: Path, opened: Sequence[OpenedPair]) -> list[OpenedPair]:
        if self.shape is None:
            return list(opened)
        left = [one for one in opened if tuple(one.image.shape) == self.shape]
        if not left:
            shapes = sorted({tuple(one.image.shape) for one in opened})
            raise DataError(
                f"{root}: no volume is {self.shape}; there are {shapes[:10]}; set data.shape"
            )
        if len(left) < len(opened):
            say(f"{root}: {len(opened) - len(left)} volumes left out, not {self.shape}")
        return left
