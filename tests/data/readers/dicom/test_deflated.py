"""Deflated files: the same as plain ones, and never more than they promise."""

from __future__ import annotations

import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from lamina.data.readers import Dicom, open_volume
from lamina.data.readers.dicom import deflated
from lamina.errors import DataError
from lamina.volume import read_all

PIXELS = np.arange(24, dtype=np.uint16).reshape(4, 6) * 100


def made(path: Path, pixels: bytes = PIXELS.tobytes(), **tags: object) -> Path:
    """Write a deflated file of 4 x 6 pixels of 16 bits, whatever ``pixels`` holds."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows, data.Columns = 4, 6
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 0
    for name, value in tags.items():
        setattr(data, name, value)
    data.PixelData = pixels
    data.save_as(path, enforce_file_format=True)
    return path


def test_pixels_and_header_are_those_of_pydicom(tmp_path: Path) -> None:
    path = made(tmp_path / "a.dcm", RescaleSlope=2, RescaleIntercept=-1)
    whole = pydicom.dcmread(path)
    np.testing.assert_array_equal(whole.pixel_array, PIXELS)
    np.testing.assert_array_equal(read_all(open_volume(path))[0], 2.0 * PIXELS - 1)
    plain = open_volume(path, dicom=Dicom(rescale=False))
    np.testing.assert_array_equal(read_all(plain)[0], PIXELS)


def test_one_frame_of_several(tmp_path: Path) -> None:
    frames = np.stack([PIXELS, PIXELS + 7])
    path = made(tmp_path / "a.dcm", frames.tobytes(), NumberOfFrames=2)
    np.testing.assert_array_equal(read_all(open_volume(path, dicom=Dicom(frame=1)))[0], frames[1])


def test_elements_behind_the_pixels_are_no_fault(tmp_path: Path) -> None:
    path = made(tmp_path / "a.dcm", DataSetTrailingPadding=b"\0" * 1000)
    np.testing.assert_array_equal(read_all(open_volume(path))[0], PIXELS)


def test_fault_I07_pixels_that_unpack_to_far_more_are_refused_before_memory_is_taken(
    tmp_path: Path,
) -> None:
    path = made(tmp_path / "bomb.dcm", bytes(64 << 20))
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"bomb\.dcm: unpacks to far more than the 48 bytes"):
            read_all(open_volume(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 24 << 20  # the 4 MiB of the header, a few times over, and not 64 MiB


def test_fault_I07_a_header_without_end_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "bomb.dcm", EncapsulatedDocument=bytes(8 << 20))
    with pytest.raises(DataError, match="no pixels within the first 4 MiB"):
        open_volume(path)


def test_fault_I06_a_promise_of_gigabytes_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "bomb.dcm", NumberOfFrames=2_000_000_000 // 48)
    with pytest.raises(DataError, match=r"unpack to 1\.9 GiB, of at most 1; store it"):
        open_volume(path, dicom=Dicom(frame=0))


@pytest.mark.parametrize("lost", [1, 4, 30])
def test_fault_I02_a_stream_that_does_not_end_is_refused(tmp_path: Path, lost: int) -> None:
    path = made(tmp_path / "a.dcm", np.random.default_rng(0).bytes(48))
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(DataError, match=r"a\.dcm"):
        read_all(open_volume(path))


def test_a_file_without_pixels_is_named(tmp_path: Path) -> None:
    path = made(tmp_path / "a.dcm")
    data = path.read_bytes()
    first = pydicom.filereader.read_file_meta_info(path)
    start = deflated._BEFORE + first.FileMetaInformationGroupLength
    whole = zlib.decompress(data[start:], -zlib.MAX_WBITS)
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    cut = engine.compress(whole[: whole.index(deflated._PIXELS)]) + engine.flush()
    path.write_bytes(data[:start] + cut)
    with pytest.raises(DataError, match="has no pixels and is not an image"):
        open_volume(path)
