"""What all public functions share: how they take paths and what their results are.

A path is a ``str`` or any ``os.PathLike[str]`` and becomes a ``pathlib.Path`` here, once, where a
public function begins; below that every path is a ``Path``. A verb returns a frozen dataclass
derived from ``VerbResult``.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeAlias

from lamina.errors import RecipeError

StrPath: TypeAlias = "str | os.PathLike[str]"
"""A path, as public functions take it."""

StrPaths: TypeAlias = "StrPath | Iterable[StrPath]"
"""One path or several, as public functions take them."""


def as_path(value: StrPath, name: str = "path") -> Path:
    """Return a path given as text or as any path object; ``~`` at its start is the home folder.

    Args:
        value: The path.
        name: What messages call it, such as the parameter's name.

    Raises:
        RecipeError: it is no path, is empty, holds a NUL, or there is no home folder.

    Example:
        >>> as_path("runs/tiles").parts
        ('runs', 'tiles')
    """
    text = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if not isinstance(text, str):
        raise RecipeError(
            f"{name} is {value!r}; give a path as text or as a pathlib.Path, not "
            f"{type(value).__name__}"
        )
    if not text or "\0" in text:
        raise RecipeError(f"{name} is {text!r}; that is no path")
    path = value if isinstance(value, Path) else Path(text)
    if path.parts[:1] != ("~",):
        return path
    try:
        return path.expanduser()
    except RuntimeError:
        raise RecipeError(f"{name} is {text!r}; there is no home folder") from None


def as_paths(value: StrPaths, name: str = "paths") -> list[Path]:
    """Return one path or several as a list of at least one.

    Args:
        value: A path as for ``as_path``, or an iterable of such.
        name: What messages call it.

    Raises:
        RecipeError: there is none, or as for ``as_path``.

    Example:
        >>> [path.name for path in as_paths(["a.png", Path("b.png")])]
        ['a.png', 'b.png']
    """
    if isinstance(value, (str, bytes, os.PathLike)) or not isinstance(value, Iterable):
        return [as_path(value, name)]
    paths = [as_path(one, f"{name}[{number}]") for number, one in enumerate(value)]
    if not paths:
        raise RecipeError(f"{name} is empty; name at least one path")
    return paths


def at_least(least: float, **values: float | None) -> None:
    """Refuse numbers that are too small; None stands for a default and passes.

    Raises:
        RecipeError: the first that is below ``least`` or no number.

    Example:
        >>> at_least(1, batch=4, steps=None)
    """
    for name, value in values.items():
        if value is None or (isinstance(value, int | float) and value >= least):
            continue
        raise RecipeError(f"{name} is {value!r}; it must be a number of {least:g} or more")


class VerbResult:
    """Base of what verbs return: a frozen dataclass with documented fields."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values, as the command line prints them with ``--json``.

        Paths become text, tuples lists, components such as a decision their options. Fields
        that do not apply to this result are left out.
        """
        names = (field.name for field in fields(self))  # type: ignore[arg-type]  # all are dataclasses
        left_out = self._not_applicable()
        return {name: _plain(getattr(self, name)) for name in names if name not in left_out}

    def _not_applicable(self) -> Container[str]:
        """Return the names of fields that ``to_dict`` leaves out."""
        return ()


def _plain(value: Any) -> Any:
    if isinstance(value, VerbResult):
        return value.to_dict()
    if hasattr(value, "model_dump"):  # a Spec, whose library is not imported here
        return value.model_dump(mode="json")
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value
