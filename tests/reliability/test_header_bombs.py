"""Headers that promise terabytes cost no memory: measured in a process of its own."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel
import numpy as np
import zarr as library
from PIL import Image

MEASURED = """
import json, resource, sys
from pathlib import Path
from lamina.data.readers import open_volume
from lamina.errors import LaminaError
from lamina.model.weights import read
from lamina.volume import read_all

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

folder = Path(sys.argv[1])
for plain in sorted((folder / "plain").iterdir()):  # imports what the readers need
    read_all(open_volume(plain))
before = peak()
found = {}
for path in sorted((folder / "bombs").iterdir()):
    said = "read"
    try:
        if path.suffix == ".safetensors":
            read(path)
        else:
            read_all(open_volume(path))
    except LaminaError as error:
        said = f"{type(error).__name__} {error}"
    found[path.name] = [said, peak() - before]
print(json.dumps(found))
"""

LIMIT = 64 * 2**20


def png(path: Path, side: int) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return b"".join(
            (struct.pack(">I", len(data)), name, data, struct.pack(">I", zlib.crc32(name + data)))
        )

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(10_000))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def npy(path: Path, side: int) -> None:
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "<f8", "fortran_order": False, "shape": (side, side, side)}
        )
        stream.write(bytes(64))


def tiff(path: Path, side: int) -> None:
    tags = [(256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1)]
    tags += [(273, 4, 1, 200), (277, 3, 1, 1), (278, 4, 1, side), (279, 4, 1, 20)]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + bytes(4)
    path.write_bytes(head.ljust(200, b"\0") + zlib.compress(bytes(1000)))


def nifti(path: Path, side: int) -> None:
    nibabel.save(nibabel.Nifti1Image(np.zeros((2, 2, 2), np.float32), np.eye(4)), path)
    data = bytearray(path.read_bytes())
    struct.pack_into("<4h", data, 40, 3, side, side, side)
    path.write_bytes(data)


def hdf5(path: Path, side: int) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("a", (side, side, side), np.float64, chunks=(64, 64, 64))


def zarr(path: Path, side: int) -> None:
    path.mkdir()
    meta = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [side] * 3,
        "data_type": "float64",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [side, side, side]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0.0,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        "attributes": {},
    }
    (path / "zarr.json").write_text(json.dumps(meta))
    (path / "c" / "0" / "0").mkdir(parents=True)
    (path / "c" / "0" / "0" / "0").write_bytes(bytes(64))


def safetensors(path: Path, side: int) -> None:
    entry = {"dtype": "F64", "shape": [side, side, side], "data_offsets": [0, 8 * side**3]}
    header = json.dumps({"a": entry}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(64))


BOMBS: dict[str, tuple[Callable[[Path, int], None], int]] = {
    "a.png": (png, 60_000),
    "a.npy": (npy, 31_000),
    "a.tif": (tiff, 60_000),
    "a.nii": (nifti, 30_000),
    "a.h5": (hdf5, 20_000),
    "a.zarr": (zarr, 40_000),
    "a.safetensors": (safetensors, 40_000),
}


def test_i06_headers_of_terabytes_cost_no_memory(tmp_path: Path) -> None:
    """I06: each is refused by name, and the process is less than 64 MiB larger than before."""
    bombs, plain = tmp_path / "bombs", tmp_path / "plain"
    bombs.mkdir()
    plain.mkdir()
    for name, (write, side) in BOMBS.items():
        write(bombs / name, side)
    pixels = np.zeros((4, 4, 4), np.uint8)
    np.save(plain / "a.npy", pixels)
    for name in ("a.png", "a.tif"):
        Image.fromarray(pixels[0]).save(plain / name)
    nibabel.save(nibabel.Nifti1Image(pixels, np.eye(4)), plain / "a.nii")
    with h5py.File(plain / "a.h5", "w") as file:
        file["a"] = pixels
    store = library.create_array(
        plain / "a.zarr", shape=pixels.shape, chunks=(2, 2, 2), dtype=pixels.dtype
    )
    store[...] = pixels + 1
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found) == set(BOMBS)
    for name, (said, grown) in found.items():
        assert said.startswith(("DataError", "BundleError")), (name, said)
        assert name in said
        assert grown < LIMIT, (name, said, grown)
