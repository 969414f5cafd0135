"""What words of YAML 1.2 mean, and values that know their line."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.options.nodes import Node, Where, plain_value, scalar


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1e-4", 1e-4),  # YAML 1.1 reads text here (G02)
        ("1E5", 1e5),
        (".5", 0.5),
        ("3.", 3.0),
        ("-7", -7),
        ("+7", 7),
        ("0", 0),
        ("0o17", 15),
        ("0xFF", 255),
        ("true", True),
        ("FALSE", False),
        ("", None),
        ("~", None),
        ("null", None),
    ],
)
def test_a_word_has_the_value_of_the_core_schema(word: str, value: object) -> None:
    """G02."""
    assert scalar(word) == value
    assert type(scalar(word)) is type(value)


@pytest.mark.parametrize(
    "word", ["no", "on", "off", "yes", "012", "-007", "1_000", "0b11", "1:30", "2001-01-01", "<<"]
)
def test_a_word_that_yaml_1_1_would_read_otherwise_is_text(word: str) -> None:
    """G04."""
    assert scalar(word) == word


@pytest.mark.parametrize("word", [".inf", "-.INF", ".nan", "1e999", "9" * 400])
def test_a_number_that_is_not_finite_is_refused(word: str) -> None:
    """G08."""
    with pytest.raises(ValueError, match="not a finite number"):
        scalar(word)


def test_a_number_of_more_than_a_hundred_figures_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        scalar("9" * 101)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**20), 10**20))
def test_what_python_writes_is_read_as_the_same_number(number: float) -> None:
    """G02."""
    assert scalar(repr(number)) == number


@given(st.text(alphabet="0123456789.eE+-_xoinfa", max_size=12))
def test_no_word_becomes_a_number_that_is_not_finite(word: str) -> None:
    try:
        value = scalar(word)
    except ValueError:
        return
    assert not isinstance(value, float) or math.isfinite(value)


def test_a_value_without_lines_is_what_json_holds() -> None:
    here = Where("a.yaml", 1)
    tree = Node({"a": Node([Node(1, here), Node("x", here)], here), "b": Node(None, here)}, here)
    assert plain_value(tree) == {"a": [1, "x"], "b": None}


def test_a_number_is_quoted_as_the_user_wrote_it() -> None:
    assert str(Node(1e-5, Where("a.yaml", 1), "1e-5")) == "1e-5"


def test_a_long_value_is_quoted_in_part() -> None:
    assert str(Node("x" * 100, Where("a.yaml", 1))) == "'" + "x" * 56 + "..."


def test_a_place_is_a_file_with_a_line_or_a_change() -> None:
    assert str(Where("a.yaml", 3)) == "a.yaml:3"
    assert str(Where("-s a=1")) == "-s a=1"
