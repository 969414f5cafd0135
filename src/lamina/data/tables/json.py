"""Files of JSON, refused with their line where they are broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lamina.errors import DataError


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a file of JSON.

    Raises:
        DataError: the file is missing, not UTF-8, no JSON, or another value than an object.
    """
    found = read_any_json(path)
    if not isinstance(found, dict):
        raise DataError(f"{path}: holds a {type(found).__name__}; needed is an object in braces")
    return found


def read_any_json(path: Path) -> Any:
    """Return the value in a file of JSON.

    Raises:
        DataError: the file is missing, not UTF-8, or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; {_neighbours(path)}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be opened ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error}); save it again") from error
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}: line {error.lineno}: not JSON ({error.msg}); copy or export the file again"
        ) from error
    except RecursionError:
        raise DataError(f"{path}: nested too deep to be a file of annotations") from None


def _neighbours(path: Path) -> str:
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    names = sorted(other.name for other in path.parent.glob("*.json"))
    return f"JSON files in that folder: {', '.join(names) or 'none'}"
