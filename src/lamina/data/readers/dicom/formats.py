"""DICOM as types of files: images, segmentations, and folders that hold a series."""

from __future__ import annotations

from pathlib import Path

from lamina.data.readers.dicom.frames import DicomFrames
from lamina.data.readers.dicom.image import DicomFile, frames_in, kind_of_object
from lamina.data.readers.dicom.segmentation import SEGMENTATION, DicomSegmentation
from lamina.data.readers.dicom.series import DicomSeries, is_series
from lamina.data.readers.dicom.values import Dicom
from lamina.data.readers.format import Format, Options
from lamina.volume import Volume


def _open(path: Path, options: Options) -> Volume:
    if kind_of_object(path) == SEGMENTATION:
        return DicomSegmentation(path, limit=options.limit)
    meaning = options.dicom or Dicom()
    if options.stack and meaning.frame is None and _is_stack(path):
        return DicomFrames(path, meaning, limit=options.limit)
    return DicomFile(path, meaning, limit=options.limit)


def _is_stack(path: Path) -> bool:
    """Whether a file holds several frames."""
    return frames_in(path) > 1


DICOM = Format(
    name="DICOM",
    suffixes=(".dcm", ".dicom"),
    any_name=True,
    known_by=lambda _, head: head[128:132] == b"DICM",
    open=_open,
)

SERIES = Format(
    name="DICOM series",
    suffixes=(),
    store="two DICOM files or more and nothing else",
    of_volumes=True,
    known_by=lambda path, _: is_series(path),
    open=lambda path, options: DicomSeries(path, options.dicom or Dicom(), limit=options.limit),
)
