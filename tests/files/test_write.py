"""Every write is whole or not at all: with errors, full disks and kills at every point."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest

from lamina import files
from lamina.errors import RecipeError, ResourceError

OLD, NEW = b"the old content", b"the new content, somewhat longer"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def with_stream(path: Path) -> None:
    with files.replacing(path) as stream:
        stream.write(NEW)


def new(beside: Path) -> None:
    beside.write_bytes(NEW)


def with_name(path: Path) -> None:
    files.write_with(path, new)


WRITERS = [with_stream, with_name]


def test_what_is_written_is_read_back_with_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"
    assert files.write_bytes(path, NEW) == hashlib.sha256(NEW).hexdigest() == files.digest(path)
    assert path.read_bytes() == NEW
    assert files.write_text(path, "Grüße\n") == hashlib.sha256("Grüße\n".encode()).hexdigest()
    assert path.read_text(encoding="utf-8") == "Grüße\n"
    assert files.write_with(path, new) == hashlib.sha256(NEW).hexdigest()
    assert path.read_bytes() == NEW
    assert names(path.parent) == ["file"]


def test_json_comes_back_and_never_holds_nan(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    files.write_json(path, {"a": [1, 2.5, None], "b": "ü"})
    assert files.read_json(path) == {"a": [1, 2.5, None], "b": "ü"}
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, float("nan"))
    assert files.read_json(path) == {"a": [1, 2.5, None], "b": "ü"}


def half_a_stream(path: Path) -> None:
    with files.replacing(path) as stream:
        stream.write(NEW[:4])
        raise RuntimeError("halfway")


def half_a_name(path: Path) -> None:
    def half(beside: Path) -> None:
        beside.write_bytes(NEW[:4])
        raise RuntimeError("halfway")

    files.write_with(path, half)


@pytest.mark.parametrize("writer", [half_a_stream, half_a_name])
def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, writer: Callable[[Path], None]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(OLD)
    with pytest.raises(RuntimeError, match="halfway"):
        writer(path)
    assert path.read_bytes() == OLD
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_is_said_with_its_cure_and_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: Callable[[Path], None], number: int
) -> None:
    """M01, M02."""
    path = tmp_path / "file"
    path.write_bytes(OLD)

    def full(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResourceError, match=r"file: the disk is full \(\d+ MiB free\)"):
        writer(path)
    assert path.read_bytes() == OLD
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("writer", WRITERS)
def test_a_place_that_cannot_be_written_is_said_as_the_users_choice(
    tmp_path: Path, writer: Callable[[Path], None]
) -> None:
    (tmp_path / "folder" / "in").mkdir(parents=True)
    (tmp_path / "file").write_bytes(OLD)
    with pytest.raises(RecipeError, match=r"folder: cannot be written \(Is a directory\)"):
        writer(tmp_path / "folder")
    with pytest.raises(RecipeError, match=r"file: cannot be written \(File exists\)"):
        writer(tmp_path / "file" / "below")
    assert names(tmp_path) == ["file", "folder"]
    assert (tmp_path / "file").read_bytes() == OLD


def test_a_file_that_the_writer_cannot_read_is_not_called_unwritable(tmp_path: Path) -> None:
    def copy(path: Path) -> None:
        path.write_bytes((tmp_path / "gone").read_bytes())

    with pytest.raises(FileNotFoundError):
        files.write_with(tmp_path / "file", copy)


def test_trust_4_a_failing_disk_is_said_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(handle: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(ResourceError, match=r"file: the disk failed \(input/output error\)"):
        files.write_bytes(tmp_path / "file", NEW)
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_disk_that_is_really_full_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M01."""
    path = tmp_path / "file"
    path.write_bytes(OLD)
    opened = Path.open

    def onto_full(self: Path, mode: str = "r") -> IO[Any]:
        return opened(Path("/dev/full") if self != path else self, mode)

    monkeypatch.setattr(Path, "open", onto_full)
    with pytest.raises(ResourceError, match="the disk is full"), files.replacing(path) as stream:
        stream.write(NEW * 10_000)
    monkeypatch.undo()
    assert path.read_bytes() == OLD


KILLED = """
import sys
from pathlib import Path
from lamina import files
path = Path(sys.argv[2])
if sys.argv[1] == "stream":
    files.write_bytes(path, b"the new content, somewhat longer")
else:
    files.write_with(path, lambda beside: beside.write_bytes(b"the new content, somewhat longer"))
print("done")
"""


def killed(way: str, path: Path, wish: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", KILLED, way, str(path)],
        env=os.environ | {"LAMINA_FAULT": wish},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("way", "point", "content"),
    [
        ("stream", "file.after_write", OLD),
        ("stream", "file.before_rename", OLD),
        ("stream", "file.after_rename", NEW),
        ("name", "file.after_write", OLD),
        ("name", "file.before_rename", OLD),
        ("name", "file.after_rename", NEW),
    ],
)
def test_a_kill_leaves_the_old_file_or_the_new_one_and_the_next_run_tidies_up(
    tmp_path: Path, way: str, point: str, content: bytes
) -> None:
    """W14, C03."""
    path = tmp_path / "run" / "file"
    path.parent.mkdir()
    path.write_bytes(OLD)
    assert killed(way, path, f"{point}:1").returncode == -signal.SIGKILL
    assert path.read_bytes() == content
    left = [name for name in names(path.parent) if name != "file"]
    assert all(".partial" in name and name.startswith(".") for name in left)

    assert files.delete_partial_files(tmp_path) == len(left) == (content == OLD)
    assert names(path.parent) == ["file"]
    assert path.read_bytes() == content


@pytest.mark.parametrize("writer", WRITERS)
def test_i21_names_of_255_bytes_are_written(tmp_path: Path, writer: Callable[[Path], None]) -> None:
    """I21, TRUST-4: the temporary name has room where the name itself takes all there is."""
    path = tmp_path / ("ü" * 125 + ".tiff")
    assert len(os.fsencode(path.name)) == 255
    writer(path)
    assert path.read_bytes() == NEW
    assert names(tmp_path) == [path.name]


def test_a_fault_at_the_second_passage_lets_the_first_one_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    assert killed("stream", path, "file.after_rename:2").stdout == "done\n"
    assert killed("stream", path, "elsewhere:1").stdout == "done\n"
    fallen: list[int] = []
    monkeypatch.setattr(os, "kill", lambda process, number: fallen.append(number))
    monkeypatch.setenv("LAMINA_FAULT", "point:3")
    for passage in (1, 2, 3):
        assert fallen == []
        files.fault("point")
        files.fault("other")
        assert passage == 3 or not fallen
    assert fallen == [signal.SIGKILL]


def test_sweep_takes_only_what_writers_left(tmp_path: Path) -> None:
    """W14."""
    kept = [tmp_path / "a.partial.txt", tmp_path / "deep" / ".hidden", tmp_path / "x.partial"]
    swept = [tmp_path / ".a.12.partial", tmp_path / "deep" / ".12.partial.b.npy"]
    (tmp_path / "deep").mkdir()
    for path in kept + swept:
        path.write_bytes(OLD)
    assert files.delete_partial_files(tmp_path) == 2
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in swept)
    assert files.delete_partial_files(tmp_path / "missing") == 0


def test_a_half_line_of_a_log_is_dropped_and_swallows_nothing(tmp_path: Path) -> None:
    """C12."""
    log = tmp_path / "new" / "metrics.jsonl"
    assert files.read_lines(log) == []
    for epoch in range(3):
        files.append_line(log, json.dumps({"epoch": epoch}))
    with log.open("ab") as stream:
        stream.write('{"epoch": 3, "note": "ü'.encode()[:-1])
    assert files.read_lines(log) == [{"epoch": 0}, {"epoch": 1}, {"epoch": 2}]
    files.append_line(log, json.dumps({"epoch": 3}))  # the run goes on
    assert [row["epoch"] for row in files.read_lines(log)] == [0, 1, 2, 3]


def test_a_scratch_stream_lies_beside_and_is_gone_whatever_happens(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    with files.scratch(path) as stream:
        stream.write(NEW)
        stream.seek(4)
        assert stream.read() == NEW[4:]
        assert all(name.startswith(".") for name in names(path.parent))
    assert names(path.parent) == []
    with pytest.raises(ZeroDivisionError), files.scratch(path):
        raise ZeroDivisionError
    assert names(path.parent) == []


def test_a_scratch_stream_on_a_full_disk_says_so(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="the disk is full"), files.scratch(tmp_path / "file"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert names(tmp_path) == []
