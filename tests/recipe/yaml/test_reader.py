"""Strict YAML: what is read, where it stands, and what is refused with line and column."""

from __future__ import annotations

import contextlib
import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina.errors import RecipeError
from lamina.options.nodes import Node, Where, plain_value
from lamina.recipe.yaml.reader import LARGEST, read_file, read_text


def write(folder: Path, data: bytes) -> Path:
    path = folder / "r.yaml"
    path.write_bytes(data)
    return path


def part(node: Node, *steps: str | int) -> Node:
    for step in steps:
        value = node.value
        if isinstance(value, dict):
            node = value[str(step)]
        elif isinstance(value, list) and isinstance(step, int):
            node = value[step]
    return node


def test_every_value_knows_the_line_of_its_key(tmp_path: Path) -> None:
    text = "a: 1\nb:\n  c:\n    x\n  d: [1,\n    2]\ne:\n- k: v\n- w\n"
    root, problems = read_file(write(tmp_path, text.encode()), "r.yaml")
    assert problems == []
    assert plain_value(root) == {"a": 1, "b": {"c": "x", "d": [1, 2]}, "e": [{"k": "v"}, "w"]}
    lines = {
        ("a",): 1,
        ("b",): 2,
        ("b", "c"): 3,  # the key's line, not the value's
        ("b", "d", 1): 6,
        ("e", 0): 8,
        ("e", 0, "k"): 8,
        ("e", 1): 9,
    }
    assert {steps: part(root, *steps).where.line for steps in lines} == lines


def test_quotes_make_text_and_keys_are_always_text(tmp_path: Path) -> None:
    root, _ = read_file(write(tmp_path, b"'a': '1'\n0: \"true\"\n255: 0\n"), "r.yaml")
    assert plain_value(root) == {"a": "1", "0": "true", "255": 0}


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    """G09."""
    root, _ = read_file(write(tmp_path, b"\xef\xbb\xbfa: 1\r\nb: x\r\n"), "r.yaml")
    assert plain_value(root) == {"a": 1, "b": "x"}
    assert part(root, "b").where == Where("r.yaml", 2)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a:\n\t- b", "r.yaml:2:1: a tab where YAML needs spaces"),
        (b"a: b\r\nc: [\r\n", "r.yaml:3:1: not YAML: expected the node content"),
        (b"a: b: c", "r.yaml:1:5: not YAML: mapping values are not allowed here"),
        (b"a: b\nc: \xe9", "r.yaml:2:4: byte 0xe9 is not UTF-8"),
        ("a: 1".encode("utf-16"), "r.yaml:1:1: byte 0xff is not UTF-8"),
        (b"a: b\nc: \x00", r"r.yaml:2:4: the character '\x00' is not text"),
        (b'a: "\\U00FFFFFF"', "r.yaml:1: not YAML"),
        (b"a: !!python/object/apply:os.system [ls]", "r.yaml:1:4: the tag '!!python/object"),
        (b"a: !mine b", "r.yaml:1:4: the tag '!mine' is not part of recipes"),
        (b"a: !!str 1", "r.yaml:1:4: the tag '!!str' is not part of recipes"),
        (b"a: &x 1\nb: *x", "r.yaml:1:4: anchors and aliases (& and *) are not part of recipes"),
        (b"b: *x", "r.yaml:1:4: anchors and aliases"),
        (b"b: *_im.tif", "r.yaml:1:4: anchors and aliases"),
        (b"b: *.tif", "anchors and aliases (& and *) are not part of recipes; put a text"),
        (b"a: 1\n---\nb: 1", "r.yaml:2:1: a second document begins"),
        (b"%YAML 1.1\n---\na: no", "r.yaml:2:1: recipes are YAML 1.2"),
        (b"? [a]\n: 1", "r.yaml:1: a key must be a word"),
        (b"", "r.yaml:1: a recipe is a mapping"),
        (b"- a\n- b", "r.yaml:1: a recipe is a mapping"),
        (b"x", "r.yaml:1: a recipe is a mapping"),
    ],
)
def test_what_is_no_recipe_is_refused_at_its_place(
    tmp_path: Path, data: bytes, message: str
) -> None:
    """G03, G09."""
    with pytest.raises(RecipeError, match=re.escape(message)):
        read_file(write(tmp_path, data), "r.yaml")


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    """G09."""
    with pytest.raises(RecipeError, match=r"^no\.yaml: no such file; looked for /"):
        read_file(tmp_path / "no.yaml", "no.yaml")
    with pytest.raises(RecipeError, match=r"^here: is a folder"):
        read_file(tmp_path, "here")


@pytest.mark.parametrize(
    ("data", "messages"),
    [
        (b"name: a\nb: 1\nname: c", ["r.yaml:3: 'name' is set twice; first on line 1"]),
        (b"a: {x: 1, x: 2}", ["r.yaml:1: 'x' is set twice; first on line 1"]),
        (b"0: 1\n'0': 2", ["r.yaml:2: '0' is set twice; first on line 1"]),
        (b"a: [.inf,\n 1e999]", ["r.yaml:1: .inf is not", "r.yaml:2: 1e999 is not"]),
        (b'a: "\\ud800"', [r"r.yaml:1: '\ud800' holds characters that are no text"]),
        (b'"\\0": 1', [r"r.yaml:1: '\x00' holds characters that are no text"]),
    ],
)
def test_smaller_problems_do_not_stop_the_reading(
    tmp_path: Path, data: bytes, messages: list[str]
) -> None:
    _, problems = read_file(write(tmp_path, data), "r.yaml")
    assert len(problems) == len(messages)
    for problem, message in zip(problems, messages, strict=True):
        assert str(problem).startswith(message)


HOSTILE = {
    "ten megabytes": b"a: 1\n" * 2_000_000,
    "ten thousand brackets": b"a: " + b"[" * 10_000 + b"]" * 10_000,
    "ten thousand braces": b"{a: " * 10_000,
    "deep indentation": b"\n".join(b" " * depth + b"k:" for depth in range(900)),
    "many values": b"- a\n" * (LARGEST // 4),
    "many keys": b"".join(b"k%d: v\n" % number for number in range(40_000)),
    "alias bomb": b"a: &a [x,x]\n"
    + b"".join(b"%c: &%c [*%c,*%c]\n" % (n + 1, n + 1, n, n) for n in range(97, 120)),
    "long word": b"x" * LARGEST,
    "long number": b"a: " + b"9" * (LARGEST - 10),
    "open text": b"a: '" + b"x\n" * (LARGEST // 2 - 10),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_within_seconds(tmp_path: Path, name: str) -> None:
    """G05."""
    path = write(tmp_path, HOSTILE[name])
    begun = time.process_time()
    try:
        _, problems = read_file(path, "r.yaml")
    except RecipeError:
        problems = None
    assert time.process_time() - begun < 4  # about 1 on a quiet machine
    assert problems is None or problems


def test_the_largest_depth_is_read(tmp_path: Path) -> None:
    read_file(write(tmp_path, b"a: " + b"[" * 63 + b"]" * 63), "r.yaml")
    with pytest.raises(RecipeError, match="nested deeper than 64 levels"):
        read_file(write(tmp_path, b"a: " + b"[" * 65 + b"]" * 65), "r.yaml")


words = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=8)
leaves = st.none() | st.booleans() | st.integers(-99, 99) | words
trees = st.dictionaries(
    words.filter(lambda key: key != ""),
    st.recursive(leaves, lambda part: st.lists(part) | st.dictionaries(words, part), max_leaves=8),
    min_size=1,
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(trees)
def test_json_is_read_as_json_reads_it(tree: dict[str, object]) -> None:
    node, problems = read_text(json.dumps(tree), lambda line: Where("r.yaml", line))
    assert problems == []
    assert plain_value(node) == tree


@given(st.binary(max_size=60) | st.text("a:-[]{}&*!#'\"\n\t ?|>%@`,.0", max_size=40))
def test_any_bytes_are_read_or_refused_but_never_crash(
    tmp_path_factory: pytest.TempPathFactory, data: bytes | str
) -> None:
    """G09."""
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with contextlib.suppress(RecipeError):
        read_file(path, "fuzz.yaml")
