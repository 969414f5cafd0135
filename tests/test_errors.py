"""The error tree and its exit codes, as drawn in the module's first lines."""

from __future__ import annotations

import re
import signal

import pytest

from lamina import errors
from lamina.errors import (
    BundleError,
    DataError,
    LaminaError,
    LayoutError,
    LeakError,
    PartialError,
    RecipeError,
    ResourceError,
    StoppedError,
    listed,
)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (LaminaError, 1),
        (RecipeError, 2),
        (DataError, 3),
        (LayoutError, 3),
        (LeakError, 3),
        (BundleError, 4),
        (PartialError, 5),
        (ResourceError, 6),
    ],
)
def test_every_error_is_caught_as_one_and_leaves_with_its_code(
    kind: type[LaminaError], code: int
) -> None:
    with pytest.raises(LaminaError, match="what is wrong") as caught:
        raise kind("where: what is wrong; what to do")
    assert caught.value.exit_code == code


def test_a_leak_is_an_error_of_the_data() -> None:
    assert issubclass(LeakError, DataError)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_leaves_with_the_code_of_its_signal(number: signal.Signals, code: int) -> None:
    error = StoppedError("saved after epoch 3", number)
    assert error.exit_code == code
    assert str(error) == "saved after epoch 3"
    assert LaminaError.exit_code == 1  # the class keeps its own


def test_the_drawn_tree_names_every_error() -> None:
    drawn = set(re.findall(r"\b[A-Z]\w+Error\b", errors.__doc__ or ""))
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, LaminaError)
    }
    assert drawn == defined


def test_ten_problems_are_shown_indented_and_the_others_counted() -> None:
    assert (
        listed("a: wrong", ["one", "two\n  with more"]) == "a: wrong\n  one\n  two\n    with more"
    )
    lines = listed("head", [str(i) for i in range(13)]).splitlines()
    assert lines == ["head", *(f"  {i}" for i in range(10)), "  ... and 3 more"]
