"""The nearest word."""

from __future__ import annotations

from lamina.options.near_words import did_you_mean, near


def test_a_near_word_is_proposed_and_a_far_one_is_not() -> None:
    assert near("epoch", ["batch", "epochs"]) == "epochs"
    assert near("quux", ["batch", "epochs"]) is None
    assert did_you_mean("epoch", ["epochs"]) == "; did you mean 'epochs'?"
    assert did_you_mean(3, ["epochs"]) == ""
