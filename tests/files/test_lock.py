"""A folder has one process at a time, however processes pause and die."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lamina import files
from lamina.errors import RecipeError
from lamina.files import lock as lock_module

FORK = multiprocessing.get_context("fork")


def test_c11_a_second_holder_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    """C11: in the same process and in another; the file is gone afterwards."""
    folder = tmp_path / "new" / "run"
    with files.locked(folder):
        said = json.loads((folder / files.LOCK).read_text())
        assert (said["pid"], said["host"]) == (os.getpid(), socket.gethostname())
        with pytest.raises(RecipeError, match=f"process {os.getpid()} on .*wait for it"):
            files.locked(folder).__enter__()
        code = "import sys; from pathlib import Path; from lamina import files\n"
        code += "with files.locked(Path(sys.argv[1])): pass"
        done = subprocess.run(
            [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False
        )
        assert f"process {os.getpid()} on" in done.stderr
    assert list(folder.iterdir()) == []
    with files.locked(folder):
        pass


def hold(folder: Path, told: Any) -> None:
    with files.locked(folder):
        told.put("held")
        time.sleep(600)


def test_trust_7_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    """TRUST-7, C11: the file stays, its lock does not, and its number is not asked for."""
    told = FORK.Queue()
    child = FORK.Process(target=hold, args=(tmp_path, told))
    child.start()
    assert told.get(timeout=60) == "held"
    with pytest.raises(RecipeError, match=f"process {child.pid} on"):
        files.locked(tmp_path).__enter__()
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    left = json.loads((tmp_path / files.LOCK).read_text())
    assert left["pid"] == child.pid
    left["pid"] = os.getppid()  # a living process that has got the number since
    (tmp_path / files.LOCK).write_text(json.dumps(left))
    with files.locked(tmp_path):
        assert json.loads((tmp_path / files.LOCK).read_text())["pid"] == os.getpid()


def test_trust_7_killed_between_locking_and_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRUST-7: a lock file without a name, or with half of one, is taken over."""
    monkeypatch.setenv("LAMINA_FAULT", "lock.after_lock:1")
    child = FORK.Process(target=hold, args=(tmp_path, FORK.Queue()))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    monkeypatch.delenv("LAMINA_FAULT")
    for content in ("", '{"pid": 12', "[]", "null", '{"pid": []}', "\xff"):
        (tmp_path / files.LOCK).write_text(content, encoding="latin-1")
        with files.locked(tmp_path):
            pass
    assert not (tmp_path / files.LOCK).exists()


def test_trust_7_a_forked_child_does_not_keep_the_lock_of_its_parent(tmp_path: Path) -> None:
    """TRUST-7: loader processes that outlive a killed training do not hold its folder."""

    def parent(pid: Any) -> None:
        with files.locked(tmp_path):
            if (child := os.fork()) == 0:
                time.sleep(600)
            pid.put(child)
            time.sleep(600)

    told = FORK.Queue()
    first = FORK.Process(target=parent, args=(told,))
    first.start()
    orphan = told.get(timeout=60)
    try:
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)
        first.join()
        with files.locked(tmp_path):
            os.kill(orphan, 0)  # it lives
    finally:
        os.kill(orphan, signal.SIGKILL)


def test_trust_7_a_child_that_ends_inside_does_not_remove_the_lock(tmp_path: Path) -> None:
    with files.locked(tmp_path):
        child = FORK.Process(target=lambda: None)
        child.start()
        child.join()
        assert (tmp_path / files.LOCK).exists()
        with pytest.raises(RecipeError):
            files.locked(tmp_path).__enter__()


def test_trust_7_a_name_of_another_machine_or_of_an_earlier_lamina_is_respected(
    tmp_path: Path,
) -> None:
    """TRUST-7: locks may not be shared between machines, and lamina 0.1.0 did not lock."""
    path = tmp_path / files.LOCK
    here = socket.gethostname()
    for said in (
        {"pid": 1, "host": "elsewhere", "flock": True},
        {"pid": os.getpid(), "host": here},
    ):
        path.write_text(json.dumps(said))
        with pytest.raises(RecipeError, match=r"wait for it, or delete .*run\.lock if it is gone"):
            files.locked(tmp_path).__enter__()
        path.unlink()  # the remedy
        with files.locked(tmp_path):
            pass
    dead = FORK.Process(target=lambda: None)
    dead.start()
    dead.join()
    path.write_text(json.dumps({"pid": dead.pid, "host": here}))
    with files.locked(tmp_path):
        pass


def slow(function: Callable[..., Any], seed: int) -> Callable[..., Any]:
    import random

    draw = random.Random(seed)

    def paused(*args: Any, **kwargs: Any) -> Any:
        time.sleep(draw.random() * 0.002)
        found = function(*args, **kwargs)
        time.sleep(draw.random() * 0.002)
        return found

    return paused


def contend(folder: Path, seed: int, rounds: int, told: Any) -> None:
    """Take the lock again and again, with pauses between all of its steps."""
    for name in ("_lock", "_refuse_living", "_is_the_file", "_content"):
        setattr(lock_module, name, slow(getattr(lock_module, name), seed))
    held = twice = 0
    while held < rounds:
        try:
            with files.locked(folder):
                held += 1
                try:
                    guard = os.open(folder / "guard", os.O_CREAT | os.O_EXCL)
                except FileExistsError:
                    twice += 1
                    continue
                time.sleep(0.0005)
                os.close(guard)
                os.unlink(folder / "guard")  # noqa: PTH108
        except RecipeError:
            time.sleep(0.0005)
    told.put(twice)


def test_trust_7_it_is_never_held_twice_whatever_the_pauses(tmp_path: Path) -> None:
    """TRUST-7: four processes, 160 turns, pauses between looking, locking, writing, removing."""
    told = FORK.Queue()
    children = [FORK.Process(target=contend, args=(tmp_path, n, 40, told)) for n in range(4)]
    for child in children:
        child.start()
    found = [told.get(timeout=120) for _ in children]
    for child in children:
        child.join()
    assert found == [0, 0, 0, 0]


def test_trust_7_a_file_system_without_locks_goes_by_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(handle: int, how: int) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(lock_module.fcntl, "flock", unsupported)
    with files.locked(tmp_path), pytest.raises(RecipeError, match=f"process {os.getpid()}"):
        files.locked(tmp_path).__enter__()
    with files.locked(tmp_path):
        pass


def elsewhere(folder: Path, age: float, **more: Any) -> Path:
    """Leave the lock of a process of another machine whose last sign of life is ``age`` s old."""
    path = folder / files.LOCK
    path.write_text(json.dumps({"pid": 1, "host": "elsewhere", "flock": True, "beat": 30} | more))
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def test_a_machine_that_is_silent_for_five_minutes_loses_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A requeued job needs no hand; a process that lives, or gives no signs of life, keeps it."""
    monkeypatch.setattr(lock_module, "_SECOND_LOOK", 0.05)
    elsewhere(tmp_path, 200)
    with pytest.raises(RecipeError, match=r"process 1 on elsewhere .* 20\d s old, and after 300 s"):
        files.locked(tmp_path).__enter__()
    elsewhere(tmp_path, 301)
    with files.locked(tmp_path):
        assert json.loads((tmp_path / files.LOCK).read_text())["host"] == socket.gethostname()
    assert list(tmp_path.iterdir()) == []


def test_a_third_machine_that_takes_a_silent_folder_at_once_wins_or_loses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def third(seconds: float) -> None:
        assert seconds == 2
        path.write_text(json.dumps({"pid": 7, "host": "third", "flock": True, "beat": 30}))

    path = elsewhere(tmp_path, 1000)
    monkeypatch.setattr(lock_module.time, "sleep", third)
    with pytest.raises(RecipeError, match="process 7 on third is working"):
        files.locked(tmp_path).__enter__()
    assert json.loads(path.read_text())["host"] == "third"


@pytest.mark.parametrize(
    ("job", "restarts", "free"), [("12", "1", True), ("12", "0", False), ("13", "1", False)]
)
def test_the_same_slurm_job_restarted_takes_its_folder_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, job: str, restarts: str, free: bool
) -> None:
    monkeypatch.setattr(lock_module, "_SECOND_LOOK", 0.05)
    monkeypatch.setenv("SLURM_JOB_ID", job)
    monkeypatch.setenv("SLURM_RESTART_COUNT", restarts)
    elsewhere(tmp_path, 5, job="12", restarts=0)
    if not free:
        with pytest.raises(RecipeError, match="process 1 on elsewhere is working"):
            files.locked(tmp_path).__enter__()
        return
    with files.locked(tmp_path):
        said = json.loads((tmp_path / files.LOCK).read_text())
        assert (said["job"], said["restarts"]) == ("12", 1)


def test_the_holder_gives_signs_of_life_and_stops_writing_where_it_lost_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_module, "BEAT", 0.02)
    path = tmp_path / "run" / files.LOCK
    with files.locked(path.parent):
        os.utime(path, (0, 0))
        until(lambda: path.stat().st_mtime > 0)
        files.write_text(path.parent / "fold0" / "a", "before")
        path.write_text(json.dumps({"pid": 1, "host": "elsewhere", "flock": True, "beat": 30}))
        until(lambda: refused(path.parent / "fold0" / "a"))
        with pytest.raises(RecipeError, match="process 1 on elsewhere took this folder while"):
            files.append_line(path.parent / "log", "line")
        files.write_text(tmp_path / "other", "is nobody else's")
    assert (path.parent / "fold0" / "a").read_text() == "before"
    assert json.loads(path.read_text())["host"] == "elsewhere"  # it is not ours to remove


def refused(path: Path) -> bool:
    try:
        files.write_text(path, "before")
    except RecipeError:
        return True
    return False


def until(done: Callable[[], bool]) -> None:
    for _ in range(500):
        if done():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to that")
