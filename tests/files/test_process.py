"""Temporary names tell who wrote them, so that only what was left is swept."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lamina import files
from lamina.errors import RecipeError
from lamina.files import process
from lamina.files.process import alive, is_left, tag


def ended() -> int:
    """Return the number of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_tags_of_one_process_differ_and_name_it() -> None:
    one, other = tag(), tag()
    assert one != other
    assert re.fullmatch(rf"[0-9a-f]{{8}}-{os.getpid()}-[0-9a-f]{{8}}", one)
    assert one.rpartition("-")[0] == other.rpartition("-")[0]


@pytest.mark.parametrize(
    "name", [".a.txt.{}.partial", ".{}.partial.a.npy", ".a.{}.scratch.partial"]
)
def test_a_file_is_left_where_its_process_is_gone(tmp_path: Path, name: str) -> None:
    host, mine, chance = tag().split("-")

    def left(host: str, pid: object, days: float = 0) -> bool:
        path = tmp_path / name.format(f"{host}-{pid}-{chance}")
        path.write_bytes(b"")
        when = time.time() - days * 86400
        os.utime(path, (when, when))
        return is_left(path)

    assert not left(host, mine)
    assert not left(host, os.getppid())
    assert left(host, ended())
    assert not left("00000000", ended())  # of another machine: nobody here can tell
    assert left("00000000", ended(), days=1.1)
    assert left(host, mine, days=1.1)
    assert is_left(tmp_path / ".a.12.partial")  # of a lamina that wrote no tags


def test_sweeping_leaves_what_others_write(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from lamina import files\n"
        "with files.replacing(Path(sys.argv[1]) / 'a') as stream:\n"
        "    stream.write(b'whole'); print('writing', flush=True); sys.stdin.read()\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=pipe, stdout=pipe, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "writing\n"
        assert files.delete_partial_files(tmp_path) == 0
        other.communicate()
    assert (tmp_path / "a").read_bytes() == b"whole"
    assert other.returncode == 0


def test_a_folder_that_a_killed_process_began_is_removed_by_the_next(tmp_path: Path) -> None:
    host, _, chance = tag().split("-")
    left = tmp_path / f".out.{host}-{ended()}-{chance}.partial"
    kept = tmp_path / f".out.{host}-{os.getppid()}-{chance}.partial"
    for folder in (left, kept):
        folder.mkdir()
    with files.replacing_folder(tmp_path / "out") as beside:
        (beside / "a").write_text("a")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([kept.name, "out"])


def test_no_number_that_is_no_process_lives() -> None:
    assert alive(os.getpid())
    assert not any(alive(pid) for pid in (ended(), 0, -1, "1", None, 10**12))


def test_nothing_is_written_below_a_folder_that_was_taken(tmp_path: Path) -> None:
    process.note_taken(tmp_path / "run", "it was taken")
    try:
        with pytest.raises(RecipeError, match="it was taken"):
            files.write_text(tmp_path / "run" / "deep" / "a", "a")
        files.write_text(tmp_path / "runs" / "a", "a")
    finally:
        process.note_taken(tmp_path / "run", None)
    files.write_text(tmp_path / "run" / "deep" / "a", "a")
