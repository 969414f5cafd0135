"""Real files of every kind that is common, against figures taken with pydicom; and damaged ones."""

from __future__ import annotations

import csv
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataelem import DataElement
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.errors import InvalidDicomError
from pydicom.pixels.utils import pack_bits
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
)

from lamina.data.readers import Dicom, DicomFile, open_volume
from lamina.data.readers.dicom.image import own_warnings
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import read_all

SAMPLES = "dicom-samples"
PLAIN = Dicom(rescale=False)
PADDED = ("MR_small_RLE.dcm", "MR_small_jpeg_ls_lossless.dcm")
"""End in bytes that belong to no pixel."""


def made(path: Path, pixels: NDArray[Any], **tags: Any) -> Path:
    """Write a DICOM image of one frame, or of several where ``pixels`` has three axes."""
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


@pytest.fixture
def ramp() -> NDArray[np.uint16]:
    return np.arange(24, dtype=np.uint16).reshape(4, 6) * 100


def index(folder: Path) -> list[dict[str, str]]:
    with (folder / "index.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.data
def test_every_sample_decodes_to_its_figures(shared_data: Path) -> None:
    for row in index(shared_data / SAMPLES):
        path, frames = shared_data / SAMPLES / row["File"], int(row["Frames"])
        low, high = float(row["Min"]), float(row["Max"])
        found = [
            read_all(open_volume(path, dicom=Dicom(rescale=False, frame=k if frames > 1 else None)))
            for k in range(frames)
        ]
        pixels = np.stack(found)
        shape = [int(n) for n in row["DecodedShape"].split("x")]
        colours = int(row["SamplesPerPixel"])
        rows, columns = shape[-2:] if colours == 1 else shape[:2]
        assert pixels.shape == (frames, colours, rows, columns), path.name
        assert pixels.dtype == row["DecodedDtype"], path.name
        mean = float(row["Mean"])
        if row["Photometric"] == "MONOCHROME1":  # the figures are those before inversion
            top = 2 ** int(row["BitsStored"]) - 1
            low, high, mean = top - high, top - low, top - mean
        assert (pixels.min(), pixels.max()) == (low, high), path.name
        # the lossy 12-bit JPEG may differ by the rounding of its cosine transform
        assert pixels.mean(dtype=np.float64) == pytest.approx(mean, abs=0.02), path.name


@pytest.mark.data
def test_one_image_packed_four_ways_is_one_image(shared_data: Path) -> None:
    names = ("implicit", "RLE", "bigendian", "jpeg_ls_lossless")
    first, *others = (
        read_all(open_volume(shared_data / SAMPLES / f"MR_small_{name}.dcm")) for name in names
    )
    for other in others:
        np.testing.assert_array_equal(first, other)


@pytest.mark.data
def test_slope_and_intercept_are_applied_once(shared_data: Path) -> None:
    """I17."""
    path = shared_data / SAMPLES / "CT_small.dcm"
    volume = open_volume(path)
    assert volume.dtype == np.float32
    np.testing.assert_array_equal(
        read_all(volume), read_all(open_volume(path, dicom=PLAIN)) - 1024.0
    )


@pytest.mark.data
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_fault_I02_a_file_that_is_cut_off_is_refused_or_has_lost_no_pixel(
    shared_data: Path, tmp_path: Path, share: float
) -> None:
    for row in index(shared_data / SAMPLES):
        data = (shared_data / SAMPLES / row["File"]).read_bytes()
        path = tmp_path / row["File"]
        path.write_bytes(data[: int(len(data) * share)])
        options = Dicom(frame=0 if int(row["Frames"]) > 1 else None)
        if row["File"] in PADDED and share == 0.99:
            whole = read_all(open_volume(shared_data / SAMPLES / row["File"]))
            np.testing.assert_array_equal(read_all(open_volume(path)), whole)
            continue
        with pytest.raises(DataError, match=row["File"]):
            read_all(open_volume(path, dicom=options))


def test_monochrome1_is_turned_once_within_its_bits(
    tmp_path: Path, ramp: NDArray[np.uint16]
) -> None:
    """I17."""
    path = made(tmp_path / "a.dcm", ramp, PhotometricInterpretation="MONOCHROME1", BitsStored=12)
    np.testing.assert_array_equal(read_all(open_volume(path))[0], 4095 - ramp)
    signed = made(
        tmp_path / "b.dcm", ramp.astype(np.int16), PhotometricInterpretation="MONOCHROME1"
    )
    np.testing.assert_array_equal(read_all(open_volume(signed))[0], -1 - ramp.astype(np.int16))


def test_a_window_makes_0_to_255_by_the_formula_of_the_standard(
    tmp_path: Path, ramp: NDArray[np.uint16]
) -> None:
    tags = {
        "WindowCenter": [900, 5],
        "WindowWidth": [800, 5],
        "RescaleSlope": 2,
        "RescaleIntercept": 7,
    }
    path = made(tmp_path / "a.dcm", ramp, **tags)
    wanted = np.array(
        [
            0.0
            if x <= 900 - 0.5 - 799 / 2
            else 255.0
            if x > 900 - 0.5 + 799 / 2
            else ((x - (900 - 0.5)) / 799 + 0.5) * 255
            for x in (2.0 * ramp + 7).ravel()
        ]
    )
    found = read_all(open_volume(path, dicom=Dicom(window="first")))[0]
    np.testing.assert_allclose(found.ravel(), wanted, atol=1e-3)
    given = read_all(open_volume(path, dicom=Dicom(window=(900, 800))))[0]
    np.testing.assert_array_equal(found, given)
    turned = made(tmp_path / "b.dcm", ramp, PhotometricInterpretation="MONOCHROME1", **tags)
    again = read_all(open_volume(turned, dicom=Dicom(window="first")))[0]
    np.testing.assert_allclose(again, 255 - found, atol=1e-3)


def test_a_file_of_several_frames_needs_a_choice(tmp_path: Path) -> None:
    pixels = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    path = made(tmp_path / "a.dcm", pixels)
    with pytest.raises(DataError, match=r"holds 3 frames; choose one with data.dicom.frame"):
        open_volume(path)
    with pytest.raises(DataError, match="no frame 3"):
        open_volume(path, dicom=Dicom(frame=3))
    np.testing.assert_array_equal(read_all(open_volume(path, dicom=Dicom(frame=2)))[0], pixels[2])


def test_what_is_not_there_or_not_known_is_named(tmp_path: Path, ramp: NDArray[np.uint16]) -> None:
    """I17."""
    path = made(tmp_path / "a.dcm", ramp)
    with pytest.raises(DataError, match="its header has no window"):
        open_volume(path, dicom=Dicom(window="first"))
    with pytest.raises(DataError, match="more than 10 pixels"):
        open_volume(path, limit=10)
    data = pydicom.dcmread(path)
    del data.PixelData
    data.save_as(tmp_path / "b.dcm")
    with pytest.raises(DataError, match="has no pixels"):
        open_volume(tmp_path / "b.dcm")
    odd = made(tmp_path / "c.dcm", ramp, PhotometricInterpretation="HSV")
    with pytest.raises(DataError, match="its colours are HSV"):
        open_volume(odd)


def test_a_part_is_read_and_the_file_is_known_without_its_suffix(
    tmp_path: Path, ramp: NDArray[np.uint16]
) -> None:
    path = made(tmp_path / "IM0001", ramp)
    volume = open_volume(path)
    assert isinstance(volume, DicomFile)
    part = volume.read(Region((1, 2), (3, 6)))
    np.testing.assert_array_equal(part, ramp[None, 1:3, 2:6])


def test_without_pydicom_one_line_says_what_to_install(tmp_path: Path) -> None:
    path = made(tmp_path / "a.dcm", np.zeros((4, 4), np.uint8))
    code = (
        "import sys; sys.modules['pydicom'] = None\n"
        "from lamina.data.readers import open_volume\n"
        f"open_volume({str(path)!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'lamina[dicom]'" in done.stderr.splitlines()[-1]


def test_fault_I07_a_code_that_claims_another_size_is_refused_before_it_is_decoded(
    tmp_path: Path, ramp: NDArray[np.uint16]
) -> None:
    path = made(tmp_path / "a.dcm", ramp)
    data = pydicom.dcmread(path)
    code = imagecodecs.jpegls_encode(np.zeros((400, 600), np.uint16))
    data.PixelData = pydicom.encaps.encapsulate([code])
    data["PixelData"].is_undefined_length = True
    data.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLSLossless
    data.save_as(path)
    with pytest.raises(DataError, match=r"code says \(400, 600\) rows and columns, the header"):
        read_all(open_volume(path))


def test_reading_other_files_imports_no_pydicom() -> None:
    code = "import lamina.data.readers, sys; raise SystemExit('pydicom' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def packed(path: Path, code: bytes, pixels: NDArray[Any], syntax: str, **tags: Any) -> Path:
    """A DICOM file of one frame in a code of the JPEG family."""
    made(path, pixels, NumberOfFrames=1, **tags)
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = syntax
    data.PixelData = encapsulate([code])
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    data.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize(
    ("encode", "syntax"),
    [
        (lambda a: imagecodecs.ljpeg_encode(a, bitspersample=12), JPEGLosslessSV1),
        (lambda a: imagecodecs.jpegls_encode(a), JPEGLSLossless),
        (lambda a: imagecodecs.jpeg2k_encode(a, level=0, reversible=True), JPEG2000Lossless),
    ],
    ids=["lossless_jpeg", "jpeg_ls", "jpeg_2000"],
)
def test_READ_6_the_sign_of_12_of_16_bits_is_kept(tmp_path: Path, encode: Any, syntax: str) -> None:
    wanted = np.linspace(-2048, 2047, 64 * 48).astype(np.int16).reshape(64, 48)
    stored = (wanted.astype(np.int32) & 0xFFF).astype(np.uint16)
    path = packed(tmp_path / "a.dcm", encode(stored), wanted, syntax, BitsStored=12, HighBit=11)
    volume = open_volume(path)
    assert volume.dtype == np.int16
    np.testing.assert_array_equal(read_all(volume)[0], wanted)


def test_READ_7_rgb_in_jpeg_without_a_marker_is_rgb(tmp_path: Path) -> None:
    colour = np.full((16, 16, 3), (244, 200, 60), np.uint8)
    code = imagecodecs.jpeg_encode(colour, level=100, colorspace="RGB", outcolorspace="RGB")
    at = code.find(b"Adobe")
    if at > 0:  # the segment is taken out, so that nothing in the code says what it holds
        length = int.from_bytes(code[at - 2 : at], "big")
        code = code[: at - 4] + code[at - 2 + length :]
    path = packed(
        tmp_path / "a.dcm",
        code,
        colour,
        JPEGBaseline8Bit,
        PhotometricInterpretation="RGB",
        SamplesPerPixel=3,
        PlanarConfiguration=0,
        Rows=16,
        Columns=16,
    )
    assert np.abs(read_all(open_volume(path)).transpose(1, 2, 0).astype(int) - colour).max() <= 2


def test_READ_12_headers_of_the_wrong_type_are_one_error(
    tmp_path: Path, ramp: NDArray[np.uint16]
) -> None:
    path = made(tmp_path / "a.dcm", ramp)
    good = path.read_bytes()
    for tag, value in (("NumberOfFrames", "1A"), ("Rows", 0), ("BitsAllocated", 0)):
        path.write_bytes(good)
        data = pydicom.dcmread(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            element = DataElement(tag, "LO" if isinstance(value, str) else "US", value)
            data[tag] = element
            data.save_as(path)
        with pytest.raises(DataError, match=r"a\.dcm: "):
            read_all(open_volume(path))


def test_READ_13_padding_behind_the_pixels_is_no_cut(
    tmp_path: Path, ramp: NDArray[np.uint16]
) -> None:
    path = made(tmp_path / "a.dcm", ramp)
    with path.open("ab") as stream:
        stream.write(b"\0" * 128)
    np.testing.assert_array_equal(read_all(open_volume(path))[0], ramp)


def test_read_12_a_file_that_does_not_say_how_pixels_are_stored_is_refused(
    tmp_path: Path, ramp: NDArray[np.uint16]
) -> None:
    """READ-12: without a transfer syntax the pixels cannot be told; said at once."""
    path = made(tmp_path / "a.dcm", ramp)
    data = path.read_bytes()
    at = data.index(b"\x02\x00\x10\x00UI")
    path.write_bytes(data[: at + 2] + b"\x11" + data[at + 3 :])
    with pytest.raises(DataError, match="does not say how its pixels are stored"):
        open_volume(path)


def test_i06_an_element_that_claims_gigabytes_costs_no_more_than_its_file(
    tmp_path: Path, ramp: NDArray[np.uint16]
) -> None:
    """I06: Python takes the memory for a read before it knows the end of the file."""
    path = made(tmp_path / "a.dcm", ramp)
    data = bytearray(path.read_bytes())
    data[132 + 8 : 132 + 12] = (4).to_bytes(4, "little")  # no longer the length of the header
    at = data.index(b"\x02\x00\x02\x00UI")  # a class that claims nearly 4 GiB
    data[at + 4 : at + 8] = b"OB\0\0"
    path.write_bytes(data[: at + 8] + (2**32 - 2).to_bytes(4, "little") + data[at + 8 :])
    code = (
        "import resource, sys\n"
        "from lamina.data.readers import open_volume\n"
        "from lamina.errors import DataError\n"
        "import pydicom\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**28,) * 2)\n"
        "try:\n    open_volume(sys.argv[1])\n"
        "except DataError as error:\n    sys.exit(str(error))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "a.dcm: " in done.stderr
    assert "MemoryError" not in done.stderr


def test_read_29_one_bit_and_float_pixels_are_read_as_pydicom_reads_them(tmp_path: Path) -> None:
    """READ-29: whatever pydicom reads is read."""
    bits = np.random.default_rng(0).integers(0, 2, (5, 8), np.uint8)
    path = made(
        tmp_path / "bits.dcm",
        bits,
        BitsAllocated=1,
        BitsStored=1,
        HighBit=0,
        PixelData=pack_bits(bits),
    )
    np.testing.assert_array_equal(read_all(open_volume(path))[0], bits)
    np.testing.assert_array_equal(pydicom.dcmread(path).pixel_array, bits)
    for kind, name in ((np.float32, "FloatPixelData"), (np.float64, "DoubleFloatPixelData")):
        values = np.random.default_rng(1).normal(size=(4, 6)).astype(kind)
        path = made(tmp_path / "map.dcm", values.view(f"u{values.itemsize}"))
        data = pydicom.dcmread(path)
        del data.PixelData, data.BitsStored, data.HighBit, data.PixelRepresentation
        setattr(data, name, values.tobytes())
        data.save_as(path)
        found = open_volume(path)
        assert found.dtype == kind
        np.testing.assert_array_equal(read_all(found)[0], values)


def test_read_29_files_that_are_no_images_say_what_they_are(tmp_path: Path) -> None:
    path = made(tmp_path / "rt.dcm", np.zeros((4, 6), np.uint8))
    data = pydicom.dcmread(path)
    del data.PixelData, data.Rows, data.Columns
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
    data.save_as(path)
    with pytest.raises(DataError, match="has no pixels, it is of the kind RT Structure Set"):
        open_volume(path)


@pytest.mark.parametrize("implicit", [True, False])
def test_read_29_files_without_a_preamble_are_called_by_their_name(
    tmp_path: Path, implicit: bool
) -> None:
    path = made(tmp_path / "a.dcm", np.zeros((4, 6), np.uint8), Modality="CT")
    data = pydicom.dcmread(path)
    bare = tmp_path / "bare.dcm"
    del data.file_meta, data.preamble
    data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    pydicom.dcmwrite(bare, data, implicit_vr=implicit, little_endian=True)
    with pytest.raises(DataError, match=r"looks like DICOM without its preamble .* dcmwrite"):
        open_volume(bare)


def bundled() -> list[Path]:
    """Return the DICOM images that pydicom brings along."""
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    return sorted(folder.glob("*.dcm"))


def test_read_29_whatever_pydicom_reads_of_its_own_files_is_read_alike() -> None:
    """READ-29, READ-7, READ-13: padded, of one bit, RGB without a whole Adobe marker ..."""
    files = bundled()
    if not files:
        pytest.skip("PYDICOM WITHOUT ITS TEST FILES")
    compared = []
    for path in files:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                data = pydicom.dcmread(path)
                pixels = np.asarray(data.pixel_array)
            except (AttributeError, InvalidDicomError, RuntimeError, ValueError):
                continue  # refused, or no plug-in for it
        if data.PhotometricInterpretation == "MONOCHROME1":
            continue  # turned round here
        frames = int(data.get("NumberOfFrames") or 1)
        options = Dicom(rescale=False, frame=0 if frames > 1 else None)
        found = read_all(open_volume(path, dicom=options))
        found = found[0] if len(found) == 1 else np.moveaxis(found, 0, -1)
        wanted = pixels[0] if frames > 1 else pixels
        packed = data.file_meta.TransferSyntaxUID.name
        lossy = "JPEG" in packed and "Lossless" not in packed  # libraries round cosines otherwise
        apart = np.abs(found.reshape(wanted.shape).astype(np.float64) - wanted).max()
        assert apart <= (2 if lossy else 0), path.name
        compared.append(path.name)
    assert {"MR_small_padded.dcm", "SC_rgb_jpeg.dcm", "liver_1frame.dcm"} <= set(compared)
    assert len(compared) > 20


def test_filters_of_warnings_are_those_of_one_thread_at_a_time() -> None:
    """What is an error to one thread, such as too few pixels, another would ignore."""
    entered = threading.Event()

    def other() -> None:
        with own_warnings():
            warnings.simplefilter("ignore")
            entered.set()

    thread = threading.Thread(target=other)
    with own_warnings():
        warnings.simplefilter("error")
        thread.start()
        assert not entered.wait(0.1)
        with pytest.raises(UserWarning, match="too few"):
            warnings.warn("too few", stacklevel=1)
    thread.join(60)
    assert entered.is_set()
