"""Problems told at once."""

from __future__ import annotations

from lamina.data.problems import listed


def test_ten_problems_are_shown_indented_and_the_others_counted() -> None:
    assert (
        listed("a: wrong", ["one", "two\n  with more"]) == "a: wrong\n  one\n  two\n    with more"
    )
    lines = listed("head", [str(i) for i in range(13)]).splitlines()
    assert lines == ["head", *(f"  {i}" for i in range(10)), "  ... and 3 more"]
