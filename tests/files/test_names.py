"""Names that come from data never lead out of their folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina import files
from lamina.errors import DataError


@pytest.mark.parametrize("name", ["a.png", "deep/er/a.png", "ü.png", "a b.png", "..a", "a..b/c"])
def test_plain_names_are_joined(tmp_path: Path, name: str) -> None:
    assert files.safe_join(tmp_path, name) == tmp_path / name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "../secret",
        "a/../../secret",
        "a/..",
        "..",
        "..\\secret",
        "a\\..\\..\\secret",
        "\\\\server\\share",
        "C:\\secret",
        "C:secret",
        "a\0.png",
        "//etc/passwd",
    ],
)
def test_ways_out_of_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    """G10, W09."""
    with pytest.raises(DataError, match="leaves the folder"):
        files.safe_join(tmp_path, name)


def test_links_out_of_the_folder_are_refused_and_links_within_are_not(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "inner").mkdir(parents=True)
    outside.mkdir()
    (root / "out").symlink_to(outside)
    (root / "in").symlink_to(root / "inner")
    (root / "file").symlink_to(outside / "secret")
    for name in ("out", "out/secret", "in/../out", "file"):
        with pytest.raises(DataError, match=r"a link leads out|leaves the folder"):
            files.safe_join(root, name)
    assert files.safe_join(root, "in/a.png") == root / "in" / "a.png"


def test_a_root_that_is_itself_a_link_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert files.safe_join(tmp_path / "link", "a.png") == tmp_path / "link" / "a.png"


def test_names_are_composed_so_that_one_name_is_one_file(tmp_path: Path) -> None:
    assert files.safe_join(tmp_path, "u\u0308.png") == files.safe_join(tmp_path, "\u00fc.png")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet="ab./\\:~\0 \u2025\uff0e\u0308", max_size=12))
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    try:
        path = files.safe_join(tmp_path, name)
    except DataError:
        return
    assert Path(os.path.normpath(path)).is_relative_to(tmp_path)
    assert path.resolve().is_relative_to(tmp_path.resolve())
