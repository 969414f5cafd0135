"""The size that a code names, against the codes that encoders make."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest

from lamina.data.readers.images.jpeg_size import code_size

IMAGE = (np.arange(35 * 51, dtype=np.uint16).reshape(35, 51) % 251).astype(np.uint8)


@pytest.mark.parametrize("encoder", ["jpeg8", "jpegls", "jpeg2k"])
def test_the_size_is_that_of_the_image(encoder: str) -> None:
    code = getattr(imagecodecs, f"{encoder}_encode")(IMAGE)
    assert code_size(code) == (35, 51)


def test_lossless_jpeg_and_filling_bytes() -> None:
    by_hand = b"\xff\xd8\xff\xff\xe0\x00\x04ab\xff\xc3\x00\x0b\x10\x01\x02\x03\x04\x01\x01\x11\x00"
    assert code_size(by_hand) == (0x102, 0x304)


@pytest.mark.parametrize(
    "code", [b"", b"\xff\xd8", b"\xff\xd8\xff\xda\x00\x02" + b"\0" * 20, b"x" * 40]
)
def test_what_has_no_frame_has_no_size(code: bytes) -> None:
    assert code_size(code) is None
