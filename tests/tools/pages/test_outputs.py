"""What is compared of an output, and how much of it a block shows."""

from __future__ import annotations

import pytest
from tools.pages.outputs import differences, masked, shown

LINES = "".join(f"fold {fold} epoch {n}\n" for fold in (0, 1) for n in (1, 2, 3)) + "trained\n"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("loss 1.0504  lr 2.80e-04  0.3 s", "loss 0.9  lr 1e-3  12 s"),
        ("  value      0.9742", "  value   1.0000"),
        ("dice 0.4775 *  lr 1e-3", "dice 0.1  lr 2e-3"),
        ("device cpu, float32, 8 tiles", "device cuda, bfloat16, 64 tiles"),
        ("member 3f786850e387", "member 89e6c98d9288"),
        ("  class_2  0.5  -  0.1", "  class_2  0.5  0.3  0.1"),
        ("1,234 of 12,568 images", "7 of 8 images"),
        ("needs 895M; 3.5 GiB free, 7%", "needs 900M; 30.5 GiB free, 12%"),
        ("worse than the baseline", "better than the baseline"),
    ],
)
def test_what_differs_between_machines_is_the_same(left: str, right: str) -> None:
    assert masked(left) == masked(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("class_1  0.5", "class_2  0.5"),
        ("fold0 0.5", "fold1 0.5"),
        ("unet, resnet18", "unet, resnet34"),
        ("error: no such file", "error: no such folder"),
        ("wrote 3 rows", "wrote 3 lines"),
        ("--memory 2G", "--batch 2G"),
        ("f_beta", "f beta"),
    ],
)
def test_what_the_program_says_differs(left: str, right: str) -> None:
    assert masked(left) != masked(right)


def test_an_output_without_elision_is_shown_whole() -> None:
    assert shown("a 1\nb 2\n\n", "a 3\n") == "a 1\nb 2\n"
    assert shown("a 1\n", "a 3\n\n") == "a 1\n\n"
    assert shown("", "a\n") == ""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x\n...\ntrained\n", "fold 0 epoch 1\n...\ntrained\n"),
        ("x\ny\n...\n", "fold 0 epoch 1\nfold 0 epoch 2\n...\n"),
        (
            "fold 0 epoch 9\n...\nfold 1 epoch 9\n...\ntrained\n",
            "fold 0 epoch 1\n...\nfold 0 epoch 2\n...\ntrained\n",
        ),
        ("x\n...\ngone\n...\nz\n", "fold 0 epoch 1\n...\ntrained\n"),
    ],
)
def test_the_same_stretches_are_left_out_as_before(before: str, after: str) -> None:
    assert shown(LINES, before) == after


def test_a_short_output_is_not_shortened() -> None:
    assert shown("a\nb\n", "x\n...\ny\n") == "a\nb\n"


def test_differences_name_both_sides() -> None:
    assert differences("value 1\nsame\n", "value 2\nsame\n") == []
    assert differences("value 1\nold\n", "value 1\nnew\n") == ["- old", "+ new"]
    assert differences("one\n", "one\ntwo\n") == ["+ two"]
