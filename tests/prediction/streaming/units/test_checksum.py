"""Checksums of work files, against values that others publish."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamina.prediction.streaming.units.checksum import Checksum, checksum


@pytest.mark.parametrize(
    ("content", "value"),  # RFC 3720, appendix B.4; and the usual check of catalogues of CRCs
    [
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"123456789", 0xE3069283),
        (b"", 0),
    ],
)
def test_a_checksum_is_crc32c(tmp_path: Path, content: bytes, value: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    assert checksum(file) == f"{value:08x}"


def test_arrays_one_after_another_give_the_checksum_of_their_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.random(shape, np.float32) for shape in ((3, 5, 7), (0, 4), (700_001,))]
    found, file = Checksum(), tmp_path / "file"
    for array in arrays:
        found.update(array)
    file.write_bytes(b"".join(array.tobytes() for array in arrays))
    assert found.digits == checksum(file)
