"""Rescale, tables, windows and functional groups, against pydicom and the standard's formulas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.pixels import apply_modality_lut, apply_windowing
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from lamina.data.readers import Dicom, open_volume
from lamina.data.readers.dicom.values import Window
from lamina.errors import DataError
from lamina.volume import read_all

RAMP = np.arange(24, dtype=np.uint16).reshape(4, 6) * 100


def made(path: Path, pixels: NDArray[Any], **tags: Any) -> Path:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows, data.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        data.NumberOfFrames = len(pixels)
    data.BitsAllocated = data.BitsStored = 8 * pixels.itemsize
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(pixels.dtype.kind == "i")
    data.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)
    return path


def table(values: list[int], *, first: int = 0, bits: int = 16) -> Sequence:
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [len(values), first, bits], values
    item["LUTDescriptor"].VR = item["LUTData"].VR = "US" if first >= 0 else "SS"
    item["LUTData"].VR, item.ModalityLUTType = "US", "US"
    return Sequence([item])


def group(name: str, **tags: Any) -> Dataset:
    inner, outer = Dataset(), Dataset()
    for tag, value in tags.items():
        setattr(inner, tag, value)
    setattr(outer, name, Sequence([inner]))
    return outer


def seen(path: Path, **options: Any) -> NDArray[Any]:
    return read_all(open_volume(path, dicom=Dicom(**options)))[0]


@pytest.mark.parametrize(("first", "bits"), [(0, 16), (300, 16), (5, 8)])
def test_a_modality_table_is_looked_up_as_pydicom_does(
    tmp_path: Path, first: int, bits: int
) -> None:
    values = [(7 * k + 3) % (1 << bits) for k in range(1500)]
    path = made(tmp_path / "a.dcm", RAMP, ModalityLUTSequence=table(values, first=first, bits=bits))
    whole = pydicom.dcmread(path)
    found = seen(path)
    assert found.dtype == f"u{bits // 8}"
    np.testing.assert_array_equal(found, apply_modality_lut(whole.pixel_array, whole))
    np.testing.assert_array_equal(seen(path, rescale=False), RAMP)


def test_a_modality_table_of_signed_values_may_begin_below_zero(tmp_path: Path) -> None:
    pixels = np.arange(-12, 12, dtype=np.int16).reshape(4, 6)
    values = list(range(1000, 1020))
    path = made(tmp_path / "a.dcm", pixels, ModalityLUTSequence=table(values, first=-8))
    by_hand = [values[min(max(p + 8, 0), 19)] for p in range(-12, 12)]
    assert seen(path).ravel().tolist() == by_hand


def test_a_table_then_a_window_then_turned(tmp_path: Path) -> None:
    values = list(range(0, 40000, 16))
    tags = {"ModalityLUTSequence": table(values), "PhotometricInterpretation": "MONOCHROME1"}
    path = made(tmp_path / "a.dcm", RAMP, **tags)
    looked_up = RAMP.astype(int) * 16
    np.testing.assert_array_equal(seen(path), 65535 - looked_up)
    wanted = 255 - ((looked_up - 9999.5) / 19999 + 0.5).clip(0, 1) * 255
    np.testing.assert_allclose(seen(path, window=(10000, 20000)), wanted, atol=1e-3)


def test_a_table_that_cannot_be_read_names_the_option(tmp_path: Path) -> None:
    odd = made(tmp_path / "a.dcm", RAMP, ModalityLUTSequence=table([1, 2], bits=12))
    with pytest.raises(DataError, match=r"entries of 12 bits; set data\.dicom\.rescale to false"):
        open_volume(odd)
    short = table([1, 2, 3])
    short[0].LUTDescriptor = [500, 0, 16]
    path = made(tmp_path / "b.dcm", RAMP, ModalityLUTSequence=short)
    with pytest.raises(DataError, match=r"b\.dcm: its modality table cannot be read"):
        seen(path)


def test_every_frame_has_its_own_slope_or_all_share_one(tmp_path: Path) -> None:
    frames = np.stack([RAMP, RAMP + 1, RAMP + 2])
    slopes = [(1, 0), (2, -5), (0.5, 7)]
    name = "PixelValueTransformationSequence"
    each = [group(name, RescaleSlope=a, RescaleIntercept=b, RescaleType="US") for a, b in slopes]
    path = made(tmp_path / "a.dcm", frames, PerFrameFunctionalGroupsSequence=Sequence(each))
    for k, (slope, intercept) in enumerate(slopes):
        np.testing.assert_allclose(seen(path, frame=k), frames[k] * float(slope) + intercept)
        np.testing.assert_array_equal(seen(path, frame=k, rescale=False), frames[k])
    shared = Sequence([group(name, RescaleSlope=3, RescaleIntercept=1, RescaleType="US")])
    tags = {"SharedFunctionalGroupsSequence": shared, "RescaleSlope": 9, "RescaleIntercept": 0}
    path = made(tmp_path / "b.dcm", frames, **tags)
    np.testing.assert_allclose(seen(path, frame=2), frames[2] * 3.0 + 1)


def test_the_window_of_a_frame_is_that_of_its_group(tmp_path: Path) -> None:
    frames = np.stack([RAMP, RAMP])
    name = "FrameVOILUTSequence"
    each = [group(name, WindowCenter=c, WindowWidth=w) for c, w in ((900, 800), (400, 100))]
    path = made(tmp_path / "a.dcm", frames, PerFrameFunctionalGroupsSequence=Sequence(each))
    found = seen(path, frame=1, window="first")
    np.testing.assert_array_equal(found, seen(path, frame=1, window=(400, 100)))


@pytest.mark.parametrize("shape", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("width", [1, 2.5, 800])
def test_the_function_of_a_window_is_that_of_the_standard(
    tmp_path: Path, shape: str, width: float
) -> None:
    tags = {"WindowCenter": 1000, "WindowWidth": width, "VOILUTFunction": shape}
    path = made(tmp_path / "a.dcm", RAMP, **tags)
    whole = pydicom.dcmread(path)
    with np.errstate(all="ignore"):
        wanted = apply_windowing(whole.pixel_array, whole) / 65535 * 255
    np.testing.assert_allclose(seen(path, window="first"), wanted, atol=2e-3)


def test_the_middle_of_each_function_by_hand() -> None:
    values = np.array([100, 110, 90], np.float32)
    for window, wanted in (
        (Window(100, 41, "LINEAR"), [255 * (0.5 / 40 + 0.5), 255 * (10.5 / 40 + 0.5)]),
        (Window(100, 40, "LINEAR_EXACT"), [127.5, 255 * 0.75]),
        (Window(100, 40, "SIGMOID"), [127.5, 255 / (1 + np.exp(-1))]),
    ):
        np.testing.assert_allclose(window(values)[:2], wanted, rtol=1e-5)
        assert window(values)[2] < window(values)[0]


def test_windows_that_cannot_be_applied_are_named(tmp_path: Path) -> None:
    tags: dict[str, Any] = {"WindowCenter": 1000, "WindowWidth": 100}
    for more, said in (
        ({"VOILUTFunction": "CUBIC"}, "unknown function CUBIC; give centre and width"),
        ({"WindowWidth": 0.5}, "its LINEAR window is 0.5 wide"),
        ({"WindowWidth": 0, "VOILUTFunction": "SIGMOID"}, "its SIGMOID window is 0.0 wide"),
    ):
        path = made(tmp_path / "a.dcm", RAMP, **(tags | more))
        with pytest.raises(DataError, match=said):
            open_volume(path, dicom=Dicom(window="first"))
        np.testing.assert_array_equal(seen(path), RAMP)
    only = made(tmp_path / "b.dcm", RAMP, VOILUTSequence=table([1, 2, 3]))
    with pytest.raises(DataError, match=r"has a table \(VOI LUT\) and no window; give centre"):
        open_volume(only, dicom=Dicom(window="first"))


def test_a_slope_of_zero_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "a.dcm", RAMP, RescaleSlope=0, RescaleIntercept=0)
    with pytest.raises(DataError, match="rescale slope is 0"):
        open_volume(path)
    np.testing.assert_array_equal(seen(path, rescale=False), RAMP)
