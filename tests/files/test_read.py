"""What is read back is checked, and what cannot be read names its file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lamina import files
from lamina.errors import DataError


@pytest.mark.parametrize(
    ("content", "message"), [(b"{", "not readable as JSON"), (b"\xff", "JSON")]
)
def test_json_that_cannot_be_read_names_the_file(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "value.json"
    with pytest.raises(DataError, match=r"value\.json: no such file"):
        files.read_json(path)
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"value\.json.*{message}"):
        files.read_json(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[" * 100_000, "RecursionError"),
        ('{"a": ' + "1" * 5000 + "}", "ValueError"),
        ("", "JSONDecodeError"),
    ],
    ids=["deep", "long number", "empty"],
)
def test_trust_4_hostile_json_is_refused_in_one_line(
    tmp_path: Path, content: str, said: str
) -> None:
    """TRUST-4: whatever the parser raises; a log drops such a line and keeps the others."""
    path = tmp_path / "value.json"
    path.write_text(content)
    with pytest.raises(DataError, match=rf"value\.json: not readable as JSON \({said}"):
        files.read_json(path)
    log = tmp_path / "log.jsonl"
    log.write_text('{"epoch": 0}\n' + content + '\n[1]\n{"epoch": 1}\n')
    assert files.read_lines(log) == [{"epoch": 0}, {"epoch": 1}]


@pytest.mark.parametrize("content", ["[]", "null", '"root"', "7"])
def test_trust_4_what_should_be_an_object_and_is_not_is_refused(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "value.json"
    path.write_text(content)
    with pytest.raises(DataError, match="holds no JSON object"):
        files.read_object(path, "root")
    path.write_text('{"cases": []}')
    with pytest.raises(DataError, match=r"lacks root, names; copy it again"):
        files.read_object(path, "root", "cases", "names")
    assert files.read_object(path, "cases") == {"cases": []}


def test_trust_4_a_pipe_in_place_of_json_does_not_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "value.json")
    with pytest.raises(DataError, match="is a pipe and no regular file"):
        files.read_json(tmp_path / "value.json")
