"""Scans laid out as nnU-Net and the Medical Segmentation Decathlon lay them out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, Self

from lamina.data.case import Case
from lamina.data.catalogs.base import Catalog, Listing
from lamina.data.catalogs.inputs import Input, image_folder
from lamina.data.catalogs.pairs import Meaning, OpenedPair, Pair, open_pairs, read_pairs
from lamina.data.layouts.dataset_json import FILE, DatasetJson, read_dataset
from lamina.data.names import by_stem, nfc
from lamina.data.orientation import Orientation, aligned, canonical
from lamina.data.prepare.unpack import UNPACKED, unpacked
from lamina.data.readers import Dicom, PassedOver, is_volume, look_below, open_volume, stem_of
from lamina.data.targets.label_table import LabelTable
from lamina.data.targets.label_values import Regions
from lamina.errors import DataError, listed
from lamina.files import safe_join
from lamina.task import Task
from lamina.volume import Joined, Volume

_CHANNEL = re.compile(r"(.+)_(\d{4})")

Channels = tuple[Path, ...]
"""Files of the channels of one image, in order."""


class Nnunet(Catalog):
    """A ``dataset.json`` with folders of scans: one file for each channel, or one for all.

    ::

        dataset.json            channels and labels
        imagesTr/X_0000.nii.gz  channel 0 of case X
        imagesTr/X_0001.nii.gz  channel 1
        labelsTr/X.nii.gz       its labels
        imagesTs/...            images to predict, laid out alike

    Where no name ends in four digits each file is an image with all of its channels. Channels of
    one image are brought to the orientation of the first. Names and values of classes are those of
    ``dataset.json``; a binary task is of all its labels together. Labels of several values each,
    which may overlap, are the outputs of a multilabel task.
    """

    kind: Literal["nnunet"] = "nnunet"

    images: str = "imagesTr"
    """Folder of the images to learn from, below the data folder."""

    masks: str = "labelsTr"
    """Folder of the labels, below the data folder."""

    labels: LabelTable | None = None
    """Stored value to class, such as {0: 0, others: 1}; null: as dataset.json says."""

    ignore: int | None = None
    """Stored value of voxels that must not count; null: that of the label ignore, if any."""

    orientation: Orientation = "canonical"
    """canonical: volumes whose file says how they lie in a body are turned to x right, y front,
    z head, and labels are brought to their images. as_stored: what files say of their axes and
    their place is not looked at."""

    dicom: Dicom = Dicom()
    """How the values of DICOM files are meant."""

    unpack: Literal["once", "never"] = "once"
    """Packed volumes are unpacked once into the run folder, since training reads slices in any
    order; or every slice is unpacked from the beginning of its file."""

    def open(self, root: Path, task: Task) -> Listing:
        """List every image with its labels.

        Raises:
            RecipeError: the task names another number of classes than dataset.json.
            DataError: dataset.json or a folder is missing or broken; an image lacks a channel or
                its labels; image and labels do not lie in the same place.
        """
        about = read_dataset(safe_join(root, FILE))
        images = _by_case(_folder(root, self.images, "data.images"), root)
        _check_channels(images, about)
        masks = by_stem(_folder(root, self.masks, "data.masks"), "data.masks", root)
        _check_masks(images, masks)
        task, meaning = self._meaning(about, task)
        pairs = [Pair(id, files[0], masks[id]) for id, files in images.items()]
        opened = open_pairs(pairs, lambda pair: self._opened(pair, images[pair.id]))
        if about.regions and task.kind == "multilabel" and self.labels is None:
            opened = [_with_regions(one, about.regions, meaning.ignore) for one in opened]
        cases, names = read_pairs(opened, task, meaning)
        whole = (replace(case, files=tuple(map(str, images[case.id]))) for case in cases)
        return Listing(tuple(whole), names)

    def images_in(self, folder: Path) -> Iterator[Input]:
        """Yield the images of ``data.images``, or all of a folder without one."""
        inside = image_folder(folder, self.images)
        yield from (Input(id, files[0]) for id, files in _by_case(inside, folder).items())

    def inputs(self, path: Path) -> Iterator[Input]:
        """Yield the images at a path; a file of any channel stands for its image."""
        for input_ in super().inputs(path):
            yield Input(input_.id, self.files_of(input_.path)[0])

    def is_one(self, path: Path) -> bool:
        """Whether a path is a volume: a file, a Zarr store, or a folder that is a DICOM series."""
        return is_volume(path)

    def files_of(self, path: Path) -> Channels:
        """Return the files of all channels of the image that a file belongs to."""
        hit = _CHANNEL.fullmatch(nfc(stem_of(path)))
        if hit is None:
            return (path,)
        suffix = path.name[len(stem_of(path)) :]
        found: list[Path] = []
        while (file := path.with_name(f"{hit[1]}_{len(found):04d}{suffix}")).exists():
            found.append(file)
        return tuple(found) if path in found else (path,)

    def folders(self, root: Path) -> tuple[Path, ...]:
        """Return the folders of images and labels; ``root`` itself where there are none."""
        inside = image_folder(root, self.images)
        masks = safe_join(root, self.masks)
        return (inside, masks) if inside != root and masks.is_dir() else (inside,)

    def passed_over(self, root: Path) -> list[PassedOver]:
        """Return what is not read, without dataset.json."""
        return [one for one in super().passed_over(root) if one.path.name != FILE]

    def id_of(self, path: Path, root: Path | None = None) -> str:
        """Return the name of a file without its suffix and the number of its channel."""
        del root
        name = nfc(stem_of(path))
        hit = _CHANNEL.fullmatch(name)
        return name if hit is None else hit[1]

    def open_image(self, path: Path, id: str | None = None) -> Volume:
        """Open all channels of the image that a file belongs to, one behind the other."""
        del id
        files = self.files_of(path)
        return self._joined(self.id_of(path), [self._stored(file) for file in files])

    def prepared(self, cases: Sequence[Case], folder: Path) -> tuple[Self, Sequence[Case]]:
        """Return the cases with their volumes unpacked, as ``unpack`` says."""
        return self, unpacked(cases, folder / UNPACKED) if self.unpack == "once" else cases

    def _opened(self, pair: Pair, files: Channels) -> OpenedPair:
        if pair.target is None:
            raise ValueError(f"{pair.id}: images come with labels")
        stored = [self._stored(file) for file in files]
        image = self._joined(pair.id, stored)
        target = self._stored(pair.target, target=True)
        if self.orientation == "canonical":
            target = aligned(stored[0], target, pair.id)
        return OpenedPair(pair, image, target)

    def _stored(self, path: Path, *, target: bool = False) -> Volume:
        as_stored = self.orientation == "as_stored"
        return open_volume(path, dicom=self.dicom, as_stored=as_stored, target=target)

    def _joined(self, id: str, stored: Sequence[Volume]) -> Volume:
        first, *others = stored
        if self.orientation == "canonical":
            parts = (canonical(first), *(aligned(first, other, id) for other in others))
        else:
            parts = (first, *others)
        odd = [part for part in parts if (part.axes, part.shape) != (parts[0].axes, parts[0].shape)]
        if odd:
            raise DataError(
                f"case {id}: {odd[0].name} is {odd[0].axes} {odd[0].shape}, and {parts[0].name} is "
                f"{parts[0].axes} {parts[0].shape}; channels must be of one shape: resample them"
            )
        return parts[0] if len(parts) == 1 else Joined(parts)

    def _meaning(self, about: DatasetJson, task: Task) -> tuple[Task, Meaning]:
        """Return the task with its names, and what stored values mean."""
        ignore = about.ignore if self.ignore is None else self.ignore
        if self.labels is not None or task.kind == "restore":
            return task, Meaning(self.labels, ignore)
        if about.regions and task.kind == "multilabel":
            return task.found(tuple(about.regions)), Meaning(None, ignore)
        if about.regions:
            several = [name for name, values in about.regions.items() if len(values) > 1]
            raise DataError(
                f"{about.path}: the labels {', '.join(several)} are of several stored values each "
                "and may overlap; set task.kind to multilabel, or say with data.labels which "
                "stored value is which class"
            )
        values = sorted({0, *about.names})
        names = tuple(about.names.get(value, "background") for value in values)
        if task.kind == "binary":
            one = names[1:] if len(names) == 2 else ("foreground",)
            return task.found(task.names or one), _mapped({v: int(v != 0) for v in values}, ignore)
        meaning = _mapped({value: k for k, value in enumerate(values)}, ignore)
        return task.found(names if task.kind == "multiclass" else names[1:]), meaning


def _with_regions(
    opened: OpenedPair, regions: Mapping[str, tuple[int, ...]], ignore: int | None
) -> OpenedPair:
    if opened.target is None:
        return opened
    target = Regions(opened.target, tuple(regions.values()), ignore)
    return OpenedPair(opened.pair, opened.image, target)


def _mapped(classes: Mapping[int | str, int], ignore: int | None) -> Meaning:
    return Meaning(classes, ignore)


def _folder(root: Path, name: str, option: str) -> Path:
    folder = safe_join(root, name)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; set {option} to the one meant")
    return folder


def _by_case(folder: Path, root: Path) -> dict[str, Channels]:
    """Return the files of each image by id, in order of their channels.

    Raises:
        DataError: there is none, two are one channel, or a channel before another is missing.
    """
    below = look_below(folder, root, volumes=True).images
    found = [path for path in below if path.parent == folder]
    numbered = {path: _CHANNEL.fullmatch(nfc(stem_of(path))) for path in found}
    if not any(numbered.values()):
        return {nfc(stem_of(path)): (path,) for path in found}
    channels: dict[str, dict[int, Path]] = {}
    wrong: list[str] = []
    for path, hit in numbered.items():
        if hit is None:
            wrong.append(f"{path}: does not end in the number of its channel, such as _0000")
        elif int(hit[2]) in channels.setdefault(hit[1], {}):
            wrong.append(f"{path}: is one channel with {channels[hit[1]][int(hit[2])].name}")
        else:
            channels[hit[1]][int(hit[2])] = path
    for id, files in channels.items():
        lost = [f"{id}_{number:04d}" for number in range(max(files)) if number not in files]
        wrong += [f"{folder}: has no {name}" for name in lost]
    if wrong:
        raise DataError(
            listed(f"{folder}: {len(wrong)} files of channels are odd; correct them", wrong)
        )
    return {id: tuple(files[n] for n in sorted(files)) for id, files in sorted(channels.items())}


def _check_channels(images: Mapping[str, Channels], about: DatasetJson) -> None:
    """Refuse images that lack a channel; one file may hold them all."""
    if not images:
        raise DataError(f"{about.path.parent}: holds no image to learn from; add them")
    wanted = about.channels or max(map(len, images.values()))
    odd = [
        f"{id}: {len(files)} of {wanted}"
        for id, files in images.items()
        if len(files) != wanted and (len(files) > 1 or _CHANNEL.fullmatch(nfc(stem_of(files[0]))))
    ]
    if odd:
        raise DataError(
            listed(
                f"{about.path}: images have {wanted} channels, and {len(odd)} of {len(images)} "
                "have others; add the files, or correct channel_names",
                odd,
            )
        )


def _check_masks(images: Mapping[str, Channels], masks: Mapping[str, Path]) -> None:
    lost = [f"{files[0]}: no labels '{id}'" for id, files in images.items() if id not in masks]
    lost += [f"{path}: no image '{id}_0000'" for id, path in masks.items() if id not in images]
    if lost:
        raise DataError(
            listed(f"{len(lost)} images or labels stand alone; add what belongs to them", lost)
        )
