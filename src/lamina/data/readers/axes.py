"""Names of stored axes, checked."""

from __future__ import annotations

from pathlib import Path

from lamina.errors import DataError


def name_axes(path: Path, stored: str) -> tuple[str, int | None]:
    """Split the names of stored axes into the spatial ones and the place of the channels.

    Args:
        path: The file, for messages.
        stored: One letter per stored axis; ``c`` is the channel axis.

    Returns:
        The spatial axes in stored order, two or three letters, and the index of ``c`` or None.

    Raises:
        DataError: a letter stands twice, is none, or two or three spatial axes do not remain.
    """
    spatial = stored.replace("c", "", 1)
    plain = stored.isascii() and stored.isalpha() and stored.islower()
    if not plain or len(set(stored)) != len(stored) or len(spatial) not in (2, 3):
        raise DataError(
            f"{path}: axes '{stored}' must be two or three different small letters, such as 'yx' "
            "or 'zyx', and 'c' where there are channels; set data.axes"
        )
    return spatial, stored.index("c") if "c" in stored else None
