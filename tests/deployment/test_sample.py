"""The made image is of the kind that members learnt from."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.data.image_types.image_kind import ImageKind, as_learnt
from lamina.deployment.sample import made_image
from lamina.volume import ArrayVolume

KINDS = [
    ImageKind(types=("uint8",), low=3, high=250, scale="whole"),
    ImageKind(types=("uint16",), low=0, high=65535, scale="times_257"),
    ImageKind(types=("float32",), low=0, high=1, scale="over_255"),
    ImageKind(types=("float32", "uint8"), low=-400, high=900),
    ImageKind(types=("int16",), low=-1000, high=2000),
]


@pytest.mark.parametrize("kind", KINDS, ids=[one.words for one in KINDS])
def test_read_11_it_is_taken_as_it_is(kind: ImageKind) -> None:
    image = made_image((2, 33, 21), kind, np.random.default_rng(0))
    assert (image.shape, str(image.dtype)) == ((2, 33, 21), kind.types[0])
    assert image.min() >= kind.low - 1
    assert image.max() <= kind.high + 1
    assert np.ptp(image.astype(np.float64)) > 0.9 * (kind.high - kind.low)
    taken, changed = as_learnt(ArrayVolume(image, "yx", "made"), kind)
    assert changed is None
    assert taken.dtype == image.dtype
