"""The formats that masks are written in, one file for each.

To add a format: write its file here, import its ``Native`` below and name it in ``FORMATS``.
"""

from __future__ import annotations

from lamina.prediction.outputs.native.base import Native
from lamina.prediction.outputs.native.dicom_seg import DICOM_SEG
from lamina.prediction.outputs.native.nifti import NIFTI
from lamina.prediction.outputs.native.ome_zarr import OME_ZARR
from lamina.prediction.outputs.native.segy import SEGY
from lamina.prediction.outputs.native.tiff import TIFF

FORMATS: tuple[Native, ...] = (NIFTI, SEGY, TIFF, OME_ZARR, DICOM_SEG)
"""All formats that masks are written in."""
