"""YAML 1.2 in which every value knows its file and line.

Events are read one by one and the reader stops at the first that cannot stand in a recipe:
a tag, an anchor, an alias, a second document, too much depth or too many values. A hostile
file therefore costs no more than a recipe of the largest allowed size, and nothing in it is
ever constructed, looked up or called (G05, G06).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from lamina.errors import RecipeError
from lamina.options.nodes import Node, Problem, Where, scalar

LARGEST = 250_000
"""Bytes of a recipe file; the biggest built-in one has about 2,500."""

DEEPEST = 64
"""Levels of nesting; a real recipe has about 6."""

_NO_ALIASES = "anchors and aliases (& and *) are not part of recipes"

MOST_VALUES = 10_000
"""Values of a recipe file, which take about 0.3 s to read; a real recipe has about 200."""


def read_file(path: Path, source: str) -> tuple[Node, list[Problem]]:
    """Return the mapping in the file at ``path``, which messages call ``source``.

    Returns:
        The mapping and the problems that did not stop the reading: keys that are set twice.

    Raises:
        RecipeError: the file is missing, a folder, too large, not UTF-8, not YAML 1.2, or holds
            what a recipe must not; with line and column where there is one.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except FileNotFoundError:
        raise RecipeError(f"{source}: no such file; looked for {path.absolute()}") from None
    except IsADirectoryError:
        raise RecipeError(f"{source}: is a folder; name the recipe file in it") from None
    except OSError as error:
        raise RecipeError(f"{source}: not readable ({error.strerror})") from error
    if len(data) > LARGEST:
        raise RecipeError(f"{source}: is larger than {LARGEST // 1000:,} kB; a recipe is a few kB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _position(data[: error.start].decode("utf-8", "replace"))
        raise RecipeError(
            f"{source}:{line}:{column}: byte 0x{data[error.start]:02x} is not UTF-8; save the file "
            "as UTF-8"
        ) from None
    node, problems = read_text(text, lambda line: Where(source, line))
    if not isinstance(node.value, dict):
        raise RecipeError(f"{node.where}: a recipe is a mapping, such as 'name: tiles'")
    return node, problems


def read_text(text: str, place: Callable[[int], Where]) -> tuple[Node, list[Problem]]:
    """Return the one value in ``text``; ``place`` makes a Where of a line counted from 1.

    Raises:
        RecipeError: as ``read_file``.
    """
    builder = _Builder(place)
    try:
        for event in _events(text):
            builder.take(event)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{place(mark.line + 1)}" + (f":{mark.column + 1}" if place(1).line else "")
        raise RecipeError(f"{where}: {_syntax(error, place(1))}") from None
    except ReaderError as error:
        line, column = _position(text[: error.position])
        where = f"{place(line)}" + (f":{column}" if place(1).line else "")
        raise RecipeError(f"{where}: the character {text[error.position]!r} is not text") from None
    except (YAMLError, ValueError) as error:
        raise RecipeError(f"{builder.where}: not YAML ({error})") from None
    return builder.root or Node(None, place(1), ""), builder.problems


def _events(text: str) -> Iterator[Event]:
    events: Iterator[Event] = YAML(typ="safe", pure=True).parse(text)
    return events


def _refuse_odd_text(text: str) -> None:
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError(f"{text[:40]!r} holds characters that are no text")


def _position(before: str) -> tuple[int, int]:
    lines = before.replace("\r\n", "\n").split("\n")
    return len(lines), len(lines[-1]) + 1


def _quoted(where: Where) -> str:
    """Return how a text is written that YAML takes for an anchor or an alias."""
    quoted = '"*_im.tif"' if where.line else "'data.image=\"*_im.tif\"'"
    return f"put a text that begins with & or * in quotes, as {quoted}, or write the value out"


def _syntax(error: MarkedYAMLError, where: Where) -> str:
    problem = str(error.problem or "not YAML")
    if str(error.context).startswith(("while scanning an alias", "while scanning an anchor")):
        return f"{_NO_ALIASES}; {_quoted(where)}"
    if "'\\t'" in problem:
        return "a tab where YAML needs spaces"
    context = f" {error.context}" if error.context else ""
    return f"not YAML: {problem}{context}"


@dataclass
class _Open:
    """A mapping or list whose end is not read yet."""

    node: Node
    key: str | None = None
    key_where: Where | None = None


@dataclass
class _Builder:
    """Makes nodes of events, without recursion."""

    place: Callable[[int], Where]
    root: Node | None = None
    problems: list[Problem] = field(default_factory=list)
    _stack: list[_Open] = field(default_factory=list)
    _count: int = 0
    _line: int = 1

    @property
    def where(self) -> Where:
        """Return where the last event began."""
        return self.place(self._line)

    def take(self, event: Event) -> None:
        """Add one event to the tree.

        Raises:
            RecipeError: it cannot stand in a recipe.
        """
        self._line = event.start_mark.line + 1
        self._refuse(event)
        if isinstance(event, ScalarEvent):
            self._take_scalar(event)
        elif isinstance(event, MappingStartEvent):
            self._begin({})
        elif isinstance(event, SequenceStartEvent):
            self._begin([])
        elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            self._stack.pop()

    def _refuse(self, event: Event) -> None:
        """Raise if the event is of a kind that recipes do not have, or one too many."""
        self._count += 1
        reason = None
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None) is not None:
            reason = f"{_NO_ALIASES}; {_quoted(self.where)}"
        elif (tag := getattr(event, "tag", None)) is not None:
            tag = str(tag).replace("tag:yaml.org,2002:", "!!")
            reason = f"the tag '{tag}' is not part of recipes; a recipe holds plain values"
        elif isinstance(event, DocumentStartEvent):
            if self.root is not None:
                reason = "a second document begins; a recipe is one document"
            elif event.version not in (None, (1, 2)):
                reason = "recipes are YAML 1.2; remove the %YAML line"
        elif len(self._stack) > DEEPEST:
            reason = f"nested deeper than {DEEPEST} levels"
        elif self._count > MOST_VALUES:
            reason = f"holds more than {MOST_VALUES:,} values; a recipe has a few hundred"
        if reason is not None:
            where = self.where
            column = f":{event.start_mark.column + 1}" if where.line else ""
            raise RecipeError(f"{where}{column}: {reason}")

    def _take_scalar(self, event: ScalarEvent) -> None:
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.node.value, dict) and top.key is None:
            self._take_key(top, top.node.value, event.value)
            return
        try:
            _refuse_odd_text(event.value)
            value = scalar(event.value) if event.implicit[0] else event.value
        except ValueError as error:
            self.problems.append(Problem(self.where, str(error)))
            value = None
        text = None if isinstance(value, str) else event.value or "null"
        self._put(Node(value, self._spot(), text))

    def _take_key(self, top: _Open, mapping: dict[str, Node], key: str) -> None:
        if key in mapping:
            first = mapping[key].where.line
            since = f"; first on line {first}" if first else ""
            self.problems.append(Problem(self.where, f"'{key}' is set twice{since}"))
        try:
            _refuse_odd_text(key)
        except ValueError as error:
            self.problems.append(Problem(self.where, str(error)))
            key = "?"
        top.key, top.key_where = key, self.where

    def _begin(self, empty: dict[str, Node] | list[Node]) -> None:
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.node.value, dict) and top.key is None:
            raise RecipeError(f"{self.where}: a key must be a word, not a list or a mapping")
        node = Node(empty, self._spot())
        self._put(node)
        self._stack.append(_Open(node))

    def _spot(self) -> Where:
        """Return where the value belongs: the line of its key, or its own in a list."""
        top = self._stack[-1] if self._stack else None
        return top.key_where if top is not None and top.key_where is not None else self.where

    def _put(self, node: Node) -> None:
        if not self._stack:
            self.root = node
            return
        top = self._stack[-1]
        if isinstance(top.node.value, list):
            top.node.value.append(node)
        elif isinstance(top.node.value, dict) and top.key is not None:
            top.node.value[top.key] = node
            top.key = top.key_where = None
