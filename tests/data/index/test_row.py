"""Lines of an index: read as they were written, and damage is seen."""

from __future__ import annotations

import json

import pytest

from lamina.data.index.row import Row, key_of, row_of


@pytest.mark.parametrize(
    "name", ["/data/a b.png", '/data/"quoted".png', "/data/é\\n.png", "/d/\t.png"]
)
def test_the_key_of_a_line_is_what_its_json_says(name: str) -> None:
    line = Row(name, "target", 1, 2, "3" * 64).line()
    assert key_of(line) == (name, "target")
    assert (json.loads(line)["file"], json.loads(line)["role"]) == (name, "target")


def test_a_damaged_line_has_no_key() -> None:
    line = Row("/data/a.png", "image", 1, 2, "3" * 64).line()
    assert row_of(line) == Row("/data/a.png", "image", 1, 2, "3" * 64)
    for place in range(len(line)):
        assert key_of(line[:place] + bytes([line[place] ^ 1]) + line[place + 1 :]) is None
        assert key_of(line[:place]) is None
