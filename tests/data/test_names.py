"""Names of cases."""

from __future__ import annotations

from lamina.data.names import nfc


def test_two_spellings_become_one() -> None:
    assert nfc("e\u0301.png") == nfc("\u00e9.png") == "\u00e9.png"
