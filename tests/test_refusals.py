"""What the system and libraries raise becomes one error of lamina, by kind."""

from __future__ import annotations

import errno
import json
import os
import socket
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lamina import files
from lamina.errors import BundleError, DataError, LaminaError, RecipeError, ResourceError
from lamina.refusals import check_regular, of_system, reading, system_said, verb, writing

LIMITS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk is full",
    errno.EFBIG: "ulimit -f",
    errno.ENOMEM: "does not fit the memory",
    errno.EMFILE: "ulimit -n",
    errno.ENFILE: "ulimit -n",
    errno.EIO: "the disk failed",
    errno.ESTALE: "the disk failed",
    errno.ETIMEDOUT: "the disk failed",
}


@pytest.mark.parametrize("number", LIMITS)
@pytest.mark.parametrize("named", [True, False])
def test_trust_4_a_limit_of_the_machine_is_a_resource_error(
    tmp_path: Path, number: int, named: bool
) -> None:
    """TRUST-4, M01, M11: exit 6 with a remedy, while reading, writing and anywhere else."""
    path = tmp_path / "file"
    error = OSError(number, os.strerror(number), *([str(path)] if named else []))
    for context in (writing(path), reading(path), system_said()):
        with pytest.raises(ResourceError, match=LIMITS[number]) as found, context:
            raise error
        assert found.value.__cause__ is error
        assert ";" in str(found.value)


def test_trust_4_every_error_number_becomes_an_error_of_lamina(tmp_path: Path) -> None:
    """TRUST-4: whatever the number, reading and writing a file end in one of the error tree."""
    for number in errno.errorcode:
        error = OSError(number, os.strerror(number), str(tmp_path / "file"))
        with pytest.raises(LaminaError), writing(tmp_path / "file"):
            raise error
        with pytest.raises(LaminaError), reading(tmp_path / "file"):
            raise error
        if not isinstance(error, ConnectionError | BrokenPipeError):
            with pytest.raises(LaminaError, match=str(tmp_path / "file")), system_said():
                raise error


def test_trust_4_errors_about_other_files_are_not_blamed_on_the_one_written(
    tmp_path: Path,
) -> None:
    gone = tmp_path / "gone"
    with pytest.raises(FileNotFoundError), writing(tmp_path / "file"):
        gone.read_bytes()
    with pytest.raises(DataError, match=r"gone: no such file"), system_said():
        gone.read_bytes()


def test_trust_4_a_name_of_300_letters_is_too_long(tmp_path: Path) -> None:
    """TRUST-4: ENAMETOOLONG, from the system itself."""
    path = tmp_path / ("x" * 300)
    with pytest.raises(RecipeError, match="this name is too long for a file"):
        files.write_bytes(path, b"x")
    with pytest.raises(RecipeError, match="this name is too long for a file"), system_said():
        path.exists()


def ends_early() -> None:
    raise EOFError


BROKEN: list[Callable[[], object]] = [
    lambda: zlib.decompress(b"not zlib"),
    lambda: json.loads("[" * 100_000),
    lambda: int("1" * 5000),
    lambda: struct.unpack("<q", b""),
    lambda: int(float("inf")),
    lambda: bytes([255]).decode(),
    lambda: {}["missing"],
    lambda: zipfile.ZipFile(__file__),
    ends_early,
]


@pytest.mark.parametrize("number", range(len(BROKEN)))
def test_trust_4_what_libraries_raise_on_damage_is_one_line_of_the_kind_asked_for(
    number: int,
) -> None:
    """TRUST-4: zlib.error, RecursionError, OverflowError, EOFError and the rest."""
    for kind in (DataError, BundleError):
        with (
            pytest.raises(kind, match=r"^a\.zip: is damaged \(\w+.*\); copy it again$") as found,
            reading("a.zip", kind),
        ):
            BROKEN[number]()
        assert found.value.__cause__ is not None


def test_trust_4_memory_that_is_not_there_is_a_resource_error() -> None:
    for context in (reading("huge.npy"), system_said()):
        with pytest.raises(ResourceError, match="does not fit the memory"), context:
            raise MemoryError
    assert of_system(OSError(errno.EISDIR, "is a directory")) is None


def test_trust_4_bugs_and_errors_of_lamina_pass_as_they_are() -> None:
    """Only what the system refuses is turned; a mistake in the code keeps its traceback."""

    @verb
    def work(error: Exception) -> None:
        """Say."""
        raise error

    assert work.__doc__ == "Say."
    for error in (ValueError("x"), KeyError("x"), ZeroDivisionError(), BrokenPipeError(32, "x")):
        with pytest.raises(type(error)) as found:
            work(error)
        assert found.value is error
    own = RecipeError("mine")
    with pytest.raises(RecipeError, match="mine"), reading("a"):
        raise own


LIMITED = """
import resource, sys
from pathlib import Path
from lamina import files
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
path = Path(sys.argv[1])
for write in (
    lambda: files.write_bytes(path, bytes(10_000)),
    lambda: files.write_with(path, lambda beside: beside.write_bytes(bytes(10_000))),
    lambda: [files.append_line(path.with_name("log"), "x" * 1000) for _ in range(10)],
):
    try:
        write()
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_trust_4_a_limit_of_file_size_is_said_and_leaves_the_old_file(tmp_path: Path) -> None:
    """TRUST-4: EFBIG under a real ``ulimit -f``."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("ResourceError") and "ulimit -f" in line for line in lines)
    assert path.read_bytes() == b"old"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "log"]


@contextmanager
def without_rights(path: Path) -> Iterator[None]:
    """Take the right to read a file away, from the superuser as well."""
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if user == 0:
            os.seteuid(user)


def test_trust_4_a_file_without_the_right_to_read_it_is_named(tmp_path: Path) -> None:
    """TRUST-4: PermissionError of prediction.json, metrics.jsonl and any other."""
    path = tmp_path / "metrics.jsonl"
    path.write_text("{}\n")
    with without_rights(path), pytest.raises(DataError, match="Permission denied"), system_said():
        files.read_lines(path)
    with without_rights(path), pytest.raises(DataError, match="Permission denied"), system_said():
        files.read_json(path)


def test_trust_3_only_regular_files_are_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRUST-3: a pipe, a socket and a device are refused before they are waited for."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match=r"pipe: is a pipe and no regular file; copy its content"):
        check_regular(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as door:
        monkeypatch.chdir(tmp_path)
        door.bind("door")
        with pytest.raises(DataError, match="is a socket"):
            check_regular(tmp_path / "door")
    with pytest.raises(DataError, match="is a device"):
        check_regular(Path("/dev/null"))
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    with pytest.raises(DataError, match="is a pipe"):
        check_regular(tmp_path / "link")
    (tmp_path / "file").touch()
    for name in ("file", ".", "gone"):
        check_regular(tmp_path / name)
