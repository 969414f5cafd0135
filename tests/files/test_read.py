"""What is read back is checked, and what cannot be read names its file."""

from __future__ import annotations

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
