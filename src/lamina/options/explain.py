"""From what pydantic found to sentences with file, line, key and the nearest valid word.

Every sentence quotes what the user wrote, says why it cannot be, and lists what can.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lamina.errors import RecipeError
from lamina.options.elsewhere import OptionNames
from lamina.options.fields import Model, Place, named, part_of, walk
from lamina.options.near_words import did_you_mean, near
from lamina.options.nodes import Node, Problem, Where, item_label, plain_value

M = TypeVar("M", bound=BaseModel)

_WORDS = {
    "a valid dictionary or object to extract fields from": "a component or a mapping",
    "a valid array": "a list",
    "a valid tuple": "a list",
    "an object": "a mapping",
    "a valid dictionary": "a mapping",
    "a valid boolean": "true or false",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid string": "text",
}
"""From the words of JSON to the words of a recipe."""

_ONLY_IN_FILES = ("extends", "train")
"""What a file may say at the top and a recipe does not have."""


_MOST = 3
"""Options elsewhere in the recipe that a sentence proposes."""


def check(model: type[M], root: Node, train: Node | None, problems: Sequence[Problem]) -> M:
    """Return the value that the nodes describe, if nothing is wrong with it.

    Types are strict, as in JSON: ``"3"`` is no number and ``on`` is no truth value.

    Args:
        model: What the recipe must be.
        root: The recipe, merged and changed.
        train: What lies under every stage; a problem in it is told once, as ``train.…``.
        problems: What was wrong already while reading.

    Raises:
        RecipeError: all problems, one a line, ordered by file and line.
    """
    told = list(problems)
    value = None
    try:
        value = model.model_validate_json(json.dumps(plain_value(root)), strict=True)
    except ValidationError as error:
        told += explain(error, model, root, train)
    if value is None or told:
        told.sort(key=lambda problem: problem.where)
        raise RecipeError("\n".join(dict.fromkeys(str(problem) for problem in told)))
    return value


def explain(
    error: ValidationError,
    model: Model,
    root: Node,
    train: Node | None = None,
    *,
    in_file: bool = True,
) -> list[Problem]:
    """Return what pydantic found as problems with a place.

    A missing key is left out where a misspelt neighbour explains it. The branches of a choice
    become one sentence. Where the values are those of a call and not ``in_file``, names that only
    files and the command line know are not proposed.
    """
    findings = [_finding(one, model, root, in_file) for one in error.errors(include_url=False)]
    misspelt = {
        (finding.place.path, near(finding.last, finding.options))
        for finding in findings
        if finding.extra
    }
    reasons: dict[tuple[Where, str], list[str]] = {}
    for one in findings:
        explained = one.type == "missing" and (one.place.path, one.last) in misspelt
        if explained or one.node.unreadable or _is_told_below(one, findings):
            continue
        subject = _subject(one, root, train)
        elsewhere = _elsewhere(one, model, root, subject) if in_file else None
        reason = elsewhere or _reason(one, subject)
        reasons.setdefault((one.where, _start(one, subject)), []).append(reason)
    return [
        Problem(where, start + " or ".join(dict.fromkeys(why)))
        for (where, start), why in reasons.items()
    ]


@dataclass(frozen=True)
class _Finding:
    """One error of pydantic, at the place where it can be put right."""

    type: str
    message: str
    context: dict[str, Any]
    place: Place
    """The value; for a key that is missing or too many, the mapping around it."""

    last: str | int | None
    """The key that is missing, too many, or holds the wrong kind."""

    in_file: bool
    """Whether a file or the command line says it, not a call."""

    @property
    def extra(self) -> bool:
        return self.type == "extra_forbidden"

    @property
    def options(self) -> list[str]:
        """What may be said at this place."""
        top = _ONLY_IN_FILES if self.in_file and not self.place.path else ()
        return [*dict.fromkeys((*self.place.fields, *top))]

    @property
    def node(self) -> Node:
        """The value that the sentence quotes."""
        part = None if self.last is None else part_of(self.place.node, self.last)
        return self.place.node if part is None else part

    @property
    def where(self) -> Where:
        if self.type == "value_error":
            return _mentioned(self.message, self.place.node).where
        return self.node.where


def _is_told_below(one: _Finding, findings: Sequence[_Finding]) -> bool:
    """Return whether a problem deeper inside the value says more than this one."""
    path = one.place.path
    deeper = (len(other.place.path) > len(path) for other in findings)
    inside = (other.place.path[: len(path)] == path for other in findings)
    return one.last is None and any(a and b for a, b in zip(deeper, inside, strict=True))


def _finding(error: ErrorDetails, model: Model, root: Node, in_file: bool) -> _Finding:
    kind, steps = error["type"], error["loc"]
    last: str | int | None = None
    if steps[-1:] == ("[key]",):
        kind, steps, last = "key", steps[:-2], steps[-2]
    elif kind in ("extra_forbidden", "missing"):
        steps, last = steps[:-1], steps[-1]
    place = walk(model, root, steps)
    if kind == "union_tag_invalid":
        last = "kind"
    elif kind == "union_tag_not_found" and isinstance(place.node.value, dict):
        misspelt = near("kind", place.node.value)
        kind, last = ("extra_forbidden", misspelt) if misspelt else (kind, None)
    message = error["msg"].removeprefix("Value error, ")
    return _Finding(kind, message, dict(error.get("ctx") or {}), place, last, in_file)


def _subject(one: _Finding, root: Node, train: Node | None) -> str:
    """Return the dotted name; what comes from ``train`` is named there, not in each stage."""
    path = one.place.path
    quoted_alone = one.type == "key" or (one.type == "missing" and isinstance(one.last, int))
    if one.last is not None and not quoted_alone:
        path = (*path, one.last)
    words = named(root, path)
    if train is not None and path[:1] == ("stages",) and len(path) > 2:
        below: Node | None = train
        inner = path[2:-1] if one.type == "missing" and one.last == path[-1] else path[2:]
        for step in inner:
            below = None if below is None else part_of(below, step)
        if below is one.node:
            words = ("train", *words[2:])
    return ".".join(words)


def _elsewhere(one: _Finding, model: Model, root: Node, subject: str) -> str | None:
    """Return which options end as one that is not here: ``epochs`` as ``train.epochs``."""
    if not one.extra:
        return None
    words, node = [str(one.last)], one.node
    while isinstance(node.value, dict) and len(node.value) == 1:
        ((word, node),) = node.value.items()
        words.append(word)
    options = OptionNames(model, root)
    found = options.ending(words) or options.ending(words[:1])
    if above := subject.rpartition(".")[0]:
        stage = re.match(r"stages\.\w+", above)
        if stage:
            found = [re.sub(r"^train\b", stage.group(), name) for name in found]
        found = [name for name in found if name.startswith(f"{above}.")]
    elif not found and near(words[0], one.options) is None:
        found = options.like(words[-1])
    names = [f"'{name}'" for name in found[:_MOST]]
    return f"did you mean {' or '.join(names)}?" if names else None


def _start(one: _Finding, subject: str) -> str:
    """Return the sentence up to the reason: what the user wrote."""
    match one.type:
        case "extra_forbidden":
            return f"{subject} is not an option here; "
        case "missing" if not isinstance(one.last, int):
            return f"{subject} is missing"
        case "union_tag_not_found":
            return f"{subject} has no kind; "
        case "key":
            return f"a key of {subject} is '{one.last}'; "
        case "value_error" if not subject or _names_itself(one.message, subject):
            return ""
        case "value_error" if isinstance(one.node.value, (dict, list)):
            return f"{subject}: "
        case _:
            return f"{subject} is {one.node}; " if subject else ""


def _reason(one: _Finding, subject: str) -> str:
    match one.type:
        case "extra_forbidden":
            hint = did_you_mean(one.last, one.options).removeprefix("; ")
            return hint or f"options are {', '.join(one.options)}"
        case "missing":
            return "it has too few items" if isinstance(one.last, int) else ""
        case "union_tag_not_found" | "union_tag_invalid":
            return _one_of(one.context.get("tag"), one.place.kinds)
        case "literal_error":
            allowed = re.split(r", | or ", str(one.context["expected"]))
            return _one_of(one.node.value, [word.strip("'") for word in allowed])
        case "too_short":
            return f"it needs {one.context['min_length']} or more items"
        case "too_long":
            return f"it takes {one.context['max_length']} items at most"
        case "value_error" if subject and _names_itself(one.message, subject):
            return subject + one.message[len(_first_word(one.message)) :]
        case "value_error":
            return one.message
        case _:
            return _plain(one.message)


def _one_of(word: object, words: Sequence[str]) -> str:
    if len(words) == 1:
        return f"it must be {words[0]}"
    return f"it must be one of {', '.join(words)}{did_you_mean(word, words)}"


def _plain(message: str) -> str:
    for theirs, ours in _WORDS.items():
        message = message.replace(theirs, ours)
    return (message[:1].lower() + message[1:]).partition(", unable to parse")[0]


def _first_word(message: str) -> str:
    found = re.match(r"[\w.]+", message)
    return found.group() if found else ""


def _names_itself(message: str, subject: str) -> bool:
    """Return whether a validator's message begins with the name of the option."""
    word = _first_word(message)
    return word in (subject, subject.rpartition(".")[2])


def _mentioned(message: str, node: Node) -> Node:
    """Return the value that a validator's message speaks of, as near as its words tell.

    The message begins with a dotted name below ``node``, or quotes the name of an item of one
    of its lists, or the command line has changed something there.
    """
    below: Node | None = node
    for step in _first_word(message).split("."):
        below = None if below is None else part_of(below, step)
    if below is not None:
        return below
    quoted = re.findall(r"'([^']+)'", message)
    parts = node.value.values() if isinstance(node.value, dict) else ()
    items = [item for part in parts if isinstance(part.value, list) for item in part.value]
    named = (item for name in quoted for item in items if item_label(item) == name)
    return next(named, _changed(node) or node)


def _changed(node: Node) -> Node | None:
    """Return the first value at or below ``node`` that was written on the command line."""
    if not node.where.line:
        return node
    parts: Sequence[Node] = ()
    if isinstance(node.value, (dict, list)):
        parts = list(node.value.values()) if isinstance(node.value, dict) else node.value
    return next((found for part in parts if (found := _changed(part))), None)
