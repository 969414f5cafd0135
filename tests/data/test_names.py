"""Names of cases."""

from __future__ import annotations

import pytest

from lamina.data.names import matches, nfc


def test_two_spellings_become_one() -> None:
    assert nfc("e\u0301.png") == nfc("\u00e9.png") == "\u00e9.png"


@pytest.mark.parametrize(
    ("id", "pattern", "fits"),
    [
        ("2023-10-05_37fd5dd2", "2023-10-05_37fd5dd2", True),
        ("2023-10-05_37fd5dd2", "2023-10-05_*", True),
        ("2023-10-05_37fd5dd2", "37fd5dd2", False),
        ("a[1]", "a[1]", True),
        ("a1", "a[1]", True),
        ("caf\u00e9", "cafe\u0301", True),
        ("A", "a", False),
    ],
)
def test_patterns_name_ids(id: str, pattern: str, fits: bool) -> None:
    assert matches(id, pattern) == fits
