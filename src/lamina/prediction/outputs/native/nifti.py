"""NIfTI: the header of the source with another type of numbers; nothing is built anew.

A header made of an affine alone loses the codes of both forms, units and extensions; one that
is kept as it is keeps the type and the scaling of intensities.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

from lamina.data.readers.nifti import NiftiVolume
from lamina.files import write_with
from lamina.prediction.outputs.native.base import Answer, Layer, Native, one_channel

_LEVEL = 3  # of gzip; masks are mostly zeros


def write(path: Path, answer: Answer, layer: Layer) -> str:
    """Write labels, probabilities or values on the grid of the source; return the SHA-256."""
    dtype, part = answer.numbers(layer)
    with answer.stored(path, dtype, part, order="F") as array:
        image = _image(answer.reader, array)

        def into(target: Path) -> None:
            with target.open("wb") as stream, gzip.GzipFile("", "wb", _LEVEL, stream, 0) as packed:
                image.to_stream(packed)

        return write_with(path, into, flush=False)


def _image(reader: NiftiVolume, array: Any) -> Any:
    import nibabel

    header = reader.header().copy()
    header.set_data_dtype(array.dtype)
    header.set_slope_inter(1, 0)
    header["cal_min"] = header["cal_max"] = 0
    second = int(header["sizeof_hdr"]) == 540
    kind: Any = nibabel.Nifti2Image if second else nibabel.Nifti1Image
    return kind(array, None, header)


def _why_not(answer: Answer) -> str | None:
    reader: NiftiVolume = answer.reader
    if not reader.stored_axes.startswith(reader.axes):
        return f"channels are stored among its places (axes '{reader.stored_axes}')"
    return one_channel(answer)


NIFTI = Native(
    readers=(NiftiVolume,),
    suffix=".nii.gz",
    write=write,
    layers=Answer.label_layers,
    probabilities=True,
    why_not=_why_not,
)
