"""DICOM Segmentation: patient, study, place and references are those of the source images.

A segment for each class but the background, in one file, as one bit a pixel. Planes without any
mask are left out of the file, as the standard allows. highdicom writes it; it needs a Frame of
Reference UID to place more than one frame.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import lamina
from lamina.data.readers.dicom.frames import DicomFrames
from lamina.data.readers.dicom.image import DicomFile, header_of, own_warnings
from lamina.data.readers.dicom.series import DicomSeries
from lamina.data.readers.dicom.values import group_of
from lamina.errors import RecipeError
from lamina.files import write_with
from lamina.pictures.palette import colour, rgb
from lamina.prediction.folder.digests import decision_digest
from lamina.prediction.outputs.native.base import Answer, Layer, Native

if TYPE_CHECKING:
    from pydicom import Dataset

_NEEDED = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
_MAY_BE_EMPTY = {  # must be there, with a value or without (type 2 of the standard)
    **dict.fromkeys(("PatientID", "PatientName", "PatientBirthDate", "PatientSex"), ""),
    **dict.fromkeys(("AccessionNumber", "StudyID", "StudyDate", "StudyTime"), ""),
    "Modality": "OT",
}
_LABEL = 64  # letters of the name of a segment
_SERIES = 100  # number of the new series


def write(path: Path, answer: Answer, layer: Layer) -> str:
    """Write the masks of all classes as segments; return the SHA-256."""
    del layer  # all classes are in one file
    images = _images(answer.reader)
    if len(answer.shape) == 3:
        _state_thickness(images, answer.reader.placement.spacing[0])
    elif not _is_placed(images[0]) and not _thickness(images[0]) and "PixelSpacing" in images[0]:
        del images[0].PixelSpacing  # highdicom reads no spacing without a thickness
    pixels = _pixels(path, answer, images)
    found = _segmentation(answer, images, pixels)

    def into(target: Path) -> None:
        found.save_as(str(target), enforce_file_format=True)

    return write_with(path, into, flush=False)


def _images(reader: DicomFile | DicomSeries | DicomFrames) -> list[Dataset]:
    """Return the headers of the source images in the order of the stored array."""
    files = reader.files if isinstance(reader, DicomSeries) else (reader.path,)
    heads = [header_of(file) for file in files]
    for head in heads:
        for name, value in _MAY_BE_EMPTY.items():
            if name not in head:
                setattr(head, name, value)
    return heads


def _pixels(path: Path, answer: Answer, images: list[Dataset]) -> NDArray[Any]:
    """Return numbers of segments in the order of the frames; (..., K) where classes overlap."""
    layers = answer.label_layers()
    parts = []
    for layer in layers:
        dtype, part = answer.labels(layer)
        with answer.stored(path, dtype, part) as array:
            parts.append(np.array(array))
    pixels = parts[0] if len(parts) == 1 else np.stack(parts, axis=-1)
    if isinstance(answer.reader, DicomSeries):
        return pixels
    count = int(images[0].get("NumberOfFrames") or 1)
    if count == 1:
        return pixels.reshape(1, *answer.shape[-2:], *pixels.shape[len(answer.shape) :])
    frames = np.zeros((count, *answer.shape[-2:], *pixels.shape[len(answer.shape) :]), pixels.dtype)
    frames[list(answer.reader.frames)] = pixels
    return frames


def _segmentation(answer: Answer, images: list[Dataset], pixels: NDArray[Any]) -> Any:
    import highdicom
    from pydicom.uid import generate_uid

    predictions, case = answer.predictions, answer.predictions.case(answer.id)
    made_of = [predictions.info.plan(), case.id, case.sha256, *case.members]
    made_of += [decision_digest(predictions.decision), lamina.__version__]
    with own_warnings():
        warnings.simplefilter("ignore")  # of masks that are empty, and of names in source images
        return highdicom.seg.Segmentation(
            source_images=images,
            pixel_array=pixels,
            segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=_segments(answer),
            series_instance_uid=generate_uid(entropy_srcs=[*made_of, "series"]),
            series_number=_SERIES,
            sop_instance_uid=generate_uid(entropy_srcs=[*made_of, "instance"]),
            instance_number=1,
            manufacturer="Lamina",
            manufacturer_model_name="lamina",
            software_versions=lamina.__version__,
            device_serial_number=predictions.info.recipe_digest[:16],
            series_description="Segmentation by lamina",
        )


def _state_thickness(images: list[Dataset], step: float) -> None:
    """Set the thickness of slices that do not state it, without which highdicom reads no file."""
    for head in images:
        if not _thickness(head):
            group_of(head, "PixelMeasuresSequence", 0).SliceThickness = step


def _is_placed(head: Dataset) -> bool:
    return bool(head.get("FrameOfReferenceUID"))


def _thickness(head: Dataset) -> Any:
    return group_of(head, "PixelMeasuresSequence", 0).get("SliceThickness")


def _segments(answer: Answer) -> list[Any]:
    import highdicom
    from pydicom.sr.codedict import codes

    algorithm = highdicom.AlgorithmIdentificationSequence(
        name="lamina", family=codes.DCM.ArtificialIntelligence, version=lamina.__version__
    )
    names, first = answer.task.names or (), int(answer.task.exclusive)
    return [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=name[:_LABEL],
            segmented_property_category=codes.SCT.Tissue,
            segmented_property_type=codes.SCT.Tissue,
            algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
            display_color=highdicom.color.CIELabColor.from_rgb(*rgb(colour(number - 1))),
        )
        for number, name in enumerate(names[first:], 1)
    ]


def _layers(_: Answer) -> tuple[Layer, ...]:
    return (Layer("labels"),)


def _why_not(answer: Answer) -> str | None:
    if answer.restores:
        return "a DICOM segmentation holds masks, not restored values"
    _check_library(answer.reader.path)
    heads = _images(answer.reader)
    missing = [name for name in _NEEDED if any(not head.get(name) for head in heads)]
    if missing:
        return f"{answer.reader.path} has no {', '.join(missing)}"
    frames = max(len(heads), int(heads[0].get("NumberOfFrames") or 1))
    if frames > 1 and not all(map(_is_placed, heads)):
        return (
            f"{answer.reader.path} has no Frame of Reference UID, without which {frames} frames "
            "cannot be placed; masks are complete"
        )
    if _is_placed(heads[0]) and not _thickness(heads[0]) and len(answer.shape) < 3:
        return f"{answer.reader.path} does not say how thick its slice is (SliceThickness)"
    return None


def _check_library(path: Path) -> None:
    """Import highdicom, which not everybody installs, only when DICOM was predicted."""
    try:
        import highdicom  # noqa: F401  # its absence is what is asked for
    except ImportError:
        raise RecipeError(
            f"{path}: no DICOM segmentation, since highdicom is not installed; "
            "pip install 'lamina[dicom-seg]', then run the same predict again"
        ) from None


DICOM_SEG = Native(
    readers=(DicomFile, DicomSeries, DicomFrames),
    suffix=".dcm",
    write=write,
    layers=_layers,
    why_not=_why_not,
)
