"""Files by name from a folder, a zip or memory: the same answers and the same refusals."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from lamina.bundle.store import FolderStore, MemoryStore, open_store
from lamina.errors import BundleError


@pytest.mark.parametrize("prefix", ["", "run-bundle/"])
def test_a_zip_may_hold_the_files_at_its_top_or_in_a_folder(tmp_path: Path, prefix: str) -> None:
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as opened:
        opened.writestr(f"{prefix}bundle.json", "{}")
        opened.writestr(f"{prefix}members/a", "1")
    store = open_store(tmp_path / "b.zip", "bundle.json")
    assert (store.read("bundle.json"), store.read("members/a")) == (b"{}", b"1")
    assert store.where == str(tmp_path / "b.zip")


def test_a_zip_without_an_index_is_no_bundle(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as opened:
        opened.writestr("a/b/bundle.json", "{}")
    with pytest.raises(BundleError, match=r"no bundle\.json in this zip"):
        open_store(tmp_path / "b.zip", "bundle.json")


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../secret", "nul\0"])
def test_names_do_not_leave_a_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "in").mkdir()
    with pytest.raises(BundleError, match="leaves the folder"):
        FolderStore(tmp_path / "in").read(name)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    for store in (FolderStore(tmp_path), MemoryStore({})):
        with pytest.raises(BundleError, match="'x' is missing"):
            store.read("x")
