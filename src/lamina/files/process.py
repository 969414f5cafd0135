"""Which process of which machine made a file, who still lives, and who may write no more.

Several machines may share a folder, where one number of a process is given to two of them.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import socket
import time
from pathlib import Path
from typing import Any

from lamina.errors import RecipeError

_TAG = re.compile(r"\.(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-[0-9a-f]{8}(?=\.)")

_FORGOTTEN = 24 * 3600.0
"""Seconds without a write after which a temporary file counts as left, wherever its process is."""


def tag() -> str:
    """Return what makes a temporary name unique: host, process and chance, such as
    ``1f0c22ab-4711-9d3e51c7``.
    """
    return f"{_host()}-{os.getpid()}-{secrets.token_hex(4)}"


def is_left(path: Path) -> bool:
    """Whether a temporary file or folder was left by a process that is gone.

    That is so for one of this machine whose process does not live, for one without a tag, as an
    earlier lamina wrote them, and for any that nobody has written for a day.
    """
    named = _TAG.search(path.name)
    if named is None:
        return True
    if named["host"] == _host() and not alive(int(named["pid"])):
        return True
    try:
        return time.time() - path.stat().st_mtime > _FORGOTTEN
    except OSError:
        return False


def alive(pid: Any) -> bool:
    """Whether a process of this number lives on this machine."""
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    except OverflowError:
        return False
    return True


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


_taken: dict[Path, str] = {}
"""Folders that this process held and another one has taken, and what to say of it."""


def note_taken(folder: Path, why: str | None) -> None:
    """Let nothing more be written below a folder that another process has taken; None: let it."""
    if why is None:
        _taken.pop(folder, None)
    else:
        _taken[folder] = why


def refuse_taken(path: Path) -> None:
    """Refuse to write where another process has taken the folder.

    Raises:
        RecipeError: this process was silent for so long that another took its folder.
    """
    for folder, why in list(_taken.items()):
        if folder in path.absolute().parents:
            raise RecipeError(why)
