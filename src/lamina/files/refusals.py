"""What the system refuses, as errors that say what to do."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lamina.errors import RecipeError, ResourceError

PARTIAL = ".partial"


@contextmanager
def refusal_said(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write ``path`` into an error that says what to do.

    Errors about other files, such as one that the block reads, pass as they are.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(path.parent).free
            raise ResourceError(
                f"{path}: the disk is full ({free / 2**20:.0f} MiB free); free some space and run "
                "the same command again to resume"
            ) from error
        named = Path(os.fsdecode(error.filename or ""))
        above = named in path.parents
        if above or named == path or PARTIAL in named.name:
            what = f"{error.strerror}: {named}" if above else error.strerror
            raise RecipeError(
                f"{path}: cannot be written ({what}); choose another place"
            ) from error
        raise
