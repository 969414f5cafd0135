"""Small valid files of every format that is read."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.readers import open_volume
from lamina.geometry.region import Region
from lamina.volume import read_all
from tests.fuzz.target import Target

_DRAW = np.random.default_rng(0)
GREY = _DRAW.integers(0, 256, (21, 34), np.uint8)
SMOOTH = (np.add.outer(np.arange(21), np.arange(34)) * 3 % 256).astype(np.uint8)
DEEP = _DRAW.integers(0, 2**16, (21, 34), np.uint16)
COLOURS = _DRAW.integers(0, 256, (21, 34, 3), np.uint8)
CUBE = np.arange(5 * 6 * 7, dtype=np.uint16).reshape(5, 6, 7)
FLOATS = _DRAW.normal(size=(5, 6, 7)).astype(np.float32)

_MASKS = ("bits.dcm", "one.dcm")
"""Samples that are no images."""

Writers = dict[str, Callable[[Path], Any]]


def _load(sample: Path) -> Any:
    """Open the one file or store of a sample as an image and as a mask, and read all of both."""
    (path,) = sample.iterdir()
    found: list[Any] = []
    for target in (False, True) if path.name not in _MASKS else (True,):
        volume = open_volume(path, target=target)
        first = Region((0,) * len(volume.shape), (1,) * len(volume.shape))
        values = read_all(volume)
        about = (volume.axes, volume.shape, volume.channels, str(volume.dtype), values.shape)
        found += [about, values.tobytes(), volume.read(first).tobytes()]
    return found


def _target(name: str, writers: Writers, *, checked: bool = False) -> Target:
    def make(folder: Path) -> None:
        for number, (file, write) in enumerate(writers.items()):
            (folder / str(number)).mkdir()
            write(folder / str(number) / file)

    return Target(name, make, _load, checked)


def _pillow(array: NDArray[Any], mode: str | None = None, **options: Any) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        from PIL import Image

        image = Image.fromarray(array)
        image = image.quantize(16) if mode == "P" else image.convert(mode or image.mode)
        image.save(path, **options)

    return write


def _exif(path: Path) -> None:
    from PIL import Image

    tags = Image.Exif()
    tags[0x0112] = 6
    Image.fromarray(COLOURS).save(path, exif=tags)


def _tiff(array: NDArray[Any], **options: Any) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        import tifffile

        tifffile.imwrite(path, array, **options)

    return write


def _npy(array: NDArray[Any]) -> Callable[[Path], Any]:
    return lambda path: np.save(path, array)


def _hdf5(**options: Any) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        import h5py

        with h5py.File(path, "w", libver=options.pop("libver", None)) as file:
            file.create_dataset("volumes/raw", data=CUBE, **options)
            file["note"] = "text"

    return write


def _nifti(array: NDArray[Any], **fields: Any) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        import nibabel

        image = nibabel.Nifti1Image(array, np.diag([1.0, 2.0, 3.0, 1.0]))
        image.header.set_slope_inter(*fields.get("scale", (None, None)))
        plain = path.with_name("plain.nii")
        nibabel.save(image, plain)
        data = plain.read_bytes()
        plain.unlink()
        path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)

    return write


def _zarr(**options: Any) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        import zarr

        chosen = {"chunks": (2, 6, 4)} | options
        zarr.create_array(path, shape=CUBE.shape, dtype=CUBE.dtype, **chosen)[...] = CUBE

    return write


def _ome(path: Path) -> None:
    import zarr

    axes = [{"name": letter, "type": "space"} for letter in "zyx"]
    scales = [{"axes": axes, "datasets": [{"path": "0"}]}]
    zarr.open_group(path, mode="w", attributes={"ome": {"version": "0.5", "multiscales": scales}})
    _zarr()(path / "0")


def _segy(kind: int) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        import segyio

        spec = segyio.spec()
        spec.format, spec.samples, spec.tracecount = kind, np.arange(7) * 4.0, 30
        with segyio.create(str(path), spec) as file:
            for number in range(30):
                lines = {189: 100 + number // 6, 193: 7 + number % 6}
                file.header[number] = {115: 7, 29: 1} | lines
                file.trace[number] = (FLOATS[number // 6, number % 6] * 1000).astype(_SEGY[kind])

    return write


def _dicom(how: str) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        import pydicom
        from pydicom.dataset import FileDataset, FileMetaDataset
        from pydicom.encaps import encapsulate
        from pydicom.uid import UID

        meta = FileMetaDataset()
        meta.TransferSyntaxUID = UID(_SYNTAX[how])
        meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
        meta.MediaStorageSOPInstanceUID = "1.2.3"
        data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.Rows, data.Columns = DEEP.shape
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation = 15, 0
        data.RescaleSlope, data.RescaleIntercept = "1", "-1024"
        data.PixelData = DEEP.tobytes()
        if how == "rle":
            from pydicom.uid import RLELossless

            data.compress(RLELossless, encoding_plugin="pydicom")
        elif how == "jpeg2000":
            import imagecodecs

            data.PixelData = encapsulate([imagecodecs.jpeg2k_encode(DEEP, level=0, codecformat=0)])
            data["PixelData"].is_undefined_length = True
        pydicom.dcmwrite(path, data, enforce_file_format=True)

    return write


def _series(turn: str) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        from tests.factories import dicom

        dicom.write_series(path, CUBE.astype(np.int16), turn=getattr(dicom, turn))

    return write


def _segmentation(segments: int) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        from tests.factories.dicom import write_segmentation

        masks = np.zeros((segments, 5, 6, 7), np.bool_)
        for segment in range(segments):
            masks[segment, 1:4, segment * 3 : segment * 3 + 2, 1:5] = True
        write_segmentation(path, masks)

    return write


_SYNTAX = {
    "plain": "1.2.840.10008.1.2.1",
    "implicit": "1.2.840.10008.1.2",
    "deflated": "1.2.840.10008.1.2.1.99",
    "rle": "1.2.840.10008.1.2.1",
    "jpeg2000": "1.2.840.10008.1.2.4.90",
}

_SEGY: dict[int, Any] = {1: np.float32, 2: np.int32, 5: np.float32}

READERS = (
    _target(
        "png",
        {
            "grey.png": _pillow(GREY),
            "deep.png": _pillow(DEEP),
            "colours.png": _pillow(COLOURS),
            "palette.png": _pillow(COLOURS, "P"),
            "bits.png": _pillow(GREY, "1"),
            "turned.png": _exif,
        },
        checked=True,
    ),
    _target(
        "jpeg",
        {
            "grey.jpg": _pillow(GREY),
            "colours.jpg": _pillow(COLOURS, quality=90),
            "progressive.jpg": _pillow(COLOURS, progressive=True),
            "turned.jpg": _exif,
        },
    ),
    _target(
        "bmp",
        {
            "grey.bmp": _pillow(GREY),
            "colours.bmp": _pillow(COLOURS),
            "palette.bmp": _pillow(COLOURS, "P"),
            "bits.bmp": _pillow(GREY, "1"),
        },
    ),
    _target(
        "webp",
        {"lossless.webp": _pillow(COLOURS, lossless=True), "lossy.webp": _pillow(COLOURS)},
    ),
    _target(
        "tiff",
        {
            "plain.tif": _tiff(DEEP),
            "deflate.tif": _tiff(CUBE, compression="zlib", photometric="minisblack"),
            "lzw.tif": _tiff(np.tile(SMOOTH, (2, 2)), compression="lzw", tile=(16, 16)),
            "colours.tif": _tiff(COLOURS, photometric="rgb", rowsperstrip=4),
            "jpeg.tif": _tiff(np.tile(SMOOTH, (2, 2)), compression="jpeg", tile=(32, 32)),
            "large.tif": _tiff(FLOATS, bigtiff=True, photometric="minisblack"),
            "ome.tif": _tiff(CUBE, ome=True, photometric="minisblack", metadata={"axes": "ZYX"}),
            "zstd.tif": _tiff(CUBE, compression="zstd", predictor=True, photometric="minisblack"),
        },
    ),
    _target("npy", {"a.npy": _npy(DEEP), "b.npy": _npy(FLOATS), "c.npy": _npy(CUBE)}),
    _target(
        "hdf5",
        {
            "plain.h5": _hdf5(),
            "gzip.h5": _hdf5(chunks=(2, 3, 7), compression="gzip", shuffle=True),
            "checked.h5": _hdf5(chunks=(2, 3, 7), fletcher32=True),
            "latest.h5": _hdf5(libver="latest", chunks=(2, 3, 7), compression="lzf"),
        },
    ),
    _target(
        "nifti",
        {
            "a.nii": _nifti(CUBE.astype(np.int16)),
            "b.nii": _nifti(FLOATS, scale=(2.0, 1.0)),
        },
    ),
    _target(
        "nifti.gz",
        {"a.nii.gz": _nifti(CUBE.astype(np.int16)), "b.nii.gz": _nifti(FLOATS)},
        checked=True,
    ),
    _target(
        "zarr",
        {
            "v3.zarr": _zarr(),
            "v2.zarr": _zarr(zarr_format=2),
            "sharded.zarr": _zarr(chunks=(1, 3, 4), shards=(2, 6, 4)),
            "ome.zarr": _ome,
        },
    ),
    _target("segy", {"ieee.sgy": _segy(5), "ibm.sgy": _segy(1), "long.sgy": _segy(2)}),
    _target("dicom", {f"{how}.dcm": _dicom(how) for how in _SYNTAX}),
    _target("dicom series", {"axial": _series("AXIAL"), "sagittal": _series("SAGITTAL")}),
    _target("dicom segmentation", {"bits.dcm": _segmentation(2), "one.dcm": _segmentation(1)}),
)
"""A target for each format."""
