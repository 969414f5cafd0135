"""Looking up against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.data.transforms.lookup import look_up


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_what_is_looked_up_is_what_numpy_indexes(dtype: type[np.generic]) -> None:
    rng = np.random.default_rng(0)
    table = rng.integers(0, 65536, 65536).astype(dtype)
    places = rng.integers(0, 65536, (3, 7, 5)).astype(np.uint16)
    for seen in (places, places[:, ::-1], places.transpose(2, 0, 1), places[:0]):
        found = look_up(seen, table)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, table[seen])


def test_other_tables_are_refused() -> None:
    with pytest.raises(ValueError, match="in a table"):
        look_up(np.zeros(3, np.uint16), np.zeros(256, np.float32))
