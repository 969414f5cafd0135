"""Stored labels become channels by the table of the task, and odd values are explained."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from lamina.data.readers import open_volume
from lamina.data.targets.label_map import Classes, target_of, values_in
from lamina.errors import DataError, RecipeError
from lamina.geometry.region import Region
from lamina.volume import ArrayVolume, Volume, read_all


def labels(rows: Any, dtype: str = "u1", axes: str = "yx") -> ArrayVolume:
    array = np.array(rows, dtype)
    return ArrayVolume(array[None] if array.ndim == len(axes) else array, axes, "mask.png")


def target(volume: Volume, task_kind: Any = "binary", **options: Any) -> Volume:
    found, _ = target_of(
        volume, **{"task_kind": task_kind, "classes": 1, "values": None, "ignore": None, **options}
    )
    return found


def test_binary_values_are_taken_as_they_are() -> None:
    found = target(labels([[0, 1], [1, 1]]))
    assert (found.channels, found.dtype, found.axes) == (1, np.dtype("u1"), "yx")
    assert read_all(found).tolist() == [[[0, 1], [1, 1]]]


def test_stored_values_are_mapped_to_classes() -> None:
    found = target(
        labels([[0, 32, 191], [223, 255, 0]]),
        "multiclass",
        classes=3,
        values={0: 0, 32: 0, 191: 1, 223: 2, 255: 0},
    )
    assert read_all(found).tolist() == [[[0, 0, 1], [2, 0, 0]]]


def test_an_index_image_becomes_one_channel_per_output() -> None:
    found = target(labels([[0, 1, 2, 3]]), "multilabel", classes=3)
    assert found.channels == 3
    assert read_all(found).tolist() == [[[0, 1, 0, 0]], [[0, 0, 1, 0]], [[0, 0, 0, 1]]]


def test_a_stack_of_masks_may_overlap() -> None:
    masks = np.array([[[0, 255, 255]], [[0, 0, 255]]], np.uint8)
    for volume in (ArrayVolume(masks, "yx"), ArrayVolume(masks[None], "zyx")):
        found = target(volume, "multilabel", classes=2, values={0: 0, 255: 1}, axes="yx")
        assert (found.channels, found.shape, found.axes) == (2, (1, 3), "yx")
        assert read_all(found).tolist() == [[[0, 1, 1]], [[0, 0, 1]]]


def test_a_stack_says_how_many_classes_there_are() -> None:
    stack = ArrayVolume(np.zeros((3, 2, 2), np.uint8))
    assert target(stack, "multilabel", classes=None).channels == 3
    with pytest.raises(DataError, match=r"holds 3 masks, but the task has 4 outputs"):
        target(ArrayVolume(np.zeros((1, 3, 2, 2), np.uint8), "zyx"), "multilabel", classes=4,
               axes="yx")  # fmt: skip


def test_restore_takes_values_as_they_are() -> None:
    volume = labels([[0.5, 7.25]], "f4")
    assert target(volume, "restore", classes=None) is volume


def test_fault_L09_the_ignored_value_does_not_count() -> None:
    found, valid = target_of(
        labels([[0, 1, 255]]), task_kind="binary", classes=1, values=None, ignore=255
    )
    assert read_all(found).tolist() == [[[0, 1, 0]]]
    assert valid is not None
    assert (valid.channels, valid.dtype, valid.shape) == (1, np.dtype("u1"), (1, 3))
    assert read_all(valid).tolist() == [[[1, 1, 0]]]


def test_without_an_ignored_value_all_pixels_count() -> None:
    _, valid = target_of(labels([[0]]), task_kind="binary", classes=1, values=None, ignore=None)
    assert valid is None


def test_fault_L01_a_mask_of_0_and_255_names_its_remedy() -> None:
    with pytest.raises(DataError) as caught:
        read_all(target(labels([[0, 0, 0, 255]])))
    assert str(caught.value).splitlines() == [
        "mask.png: 25 % of the pixels hold a value that is no class; "
        "set data.labels: {0: 0, 255: 1}",
        "  255: 1 pixels, 25 %",
    ]


def test_fault_L02_a_smoothed_mask_is_refused_with_the_share_of_odd_values() -> None:
    with pytest.raises(DataError) as caught:
        read_all(target(labels([[0, 10, 100, 200, 255, 255, 255, 255]]), values={0: 0, 255: 1}))
    message = str(caught.value)
    assert "37.5 % of the pixels hold 3 values that are no class" in message
    assert "saved as JPEG, save it again as PNG without smoothing" in message.splitlines()[0]
    assert "\n  10: 1 pixels, 12.5 %" in message


def test_values_are_counted_over_the_whole_mask_and_not_only_where_it_was_read() -> None:
    volume = labels([[0, 7], [0, 7], [1, 0], [9, 0]])
    with pytest.raises(DataError, match=r"37.5 % of the pixels hold 2 values") as caught:
        target(volume, "multiclass", classes=3).read(Region((0, 0), (1, 2)))
    assert "7: 2 pixels" in str(caught.value)
    assert "9: 1 pixels" in str(caught.value)


def test_as_many_values_as_classes_suggest_a_table() -> None:
    with pytest.raises(DataError, match=r"set data.labels: \{0: 0, 32: 1, 96: 2\}"):
        read_all(target(labels([[0, 32, 96]]), "multiclass", classes=3))


def test_fault_L04_an_unknown_class_is_listed() -> None:
    with pytest.raises(DataError, match=r"or the one that must not count in data.ignore") as caught:
        read_all(target(labels([[0, 1, 2, 3, 9]]), "multiclass", classes=4))
    assert "9: 1 pixels, 20 %" in str(caught.value)


def test_a_part_without_odd_values_can_be_read() -> None:
    assert target(labels([[0, 1, 9]])).read(Region((0, 0), (1, 2))).tolist() == [[[0, 1]]]


@pytest.mark.parametrize(
    "stored",
    [
        np.array([[[0, 1]]], "f4"),
        np.array([[[0, 1]]], "f8"),
        np.array([[[0, 1]]], "?"),
        np.array([[[0, 1]]], "i2"),
        np.array([[[0, 1]]], "u4"),
        np.array([[[0, 1]]] * 3, "u1"),
        np.array([[[0, 1]], [[255, 255]]], "u1"),
        np.array([[[0, 1]]] * 3 + [[[255, 255]]], "u1"),
    ],
    ids=["f4", "f8", "bool", "i2", "u4", "rgb", "alpha", "rgba"],
)
def test_fault_L03_other_types_are_accepted_where_they_are_exact(stored: NDArray[Any]) -> None:
    volume = ArrayVolume(stored)
    assert read_all(target(volume)).tolist() == [[[0, 1]]]
    assert values_in(volume) == {0: 1, 1: 1}


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        (np.array([[[0.0, 0.37]]]), r"1 of 2 pixels, 50 %, are not whole numbers, such as 0.37"),
        (np.array([[[0.0, np.nan]]]), "are not whole numbers, such as nan"),
        (np.array([[[0]], [[1]], [[0]]]), "a mask of 3 channels that differ"),
        (np.array([[[1, 1]], [[0, 255]]], "u1"), "transparent parts; save it without alpha"),
    ],
)
def test_fault_L03_other_types_are_refused_where_they_are_not(
    stored: NDArray[Any], words: str
) -> None:
    volume = ArrayVolume(stored, name="mask.npy")
    with pytest.raises(DataError, match=f"mask.npy: .*{words}"):
        read_all(target(volume))
    with pytest.raises(DataError, match=words):
        values_in(volume)


def test_a_class_that_the_task_lacks_is_the_recipes_mistake() -> None:
    with pytest.raises(RecipeError, match=r"data.labels maps 9 to 2, but classes .* are 0 to 1"):
        target(labels([[0]]), values={0: 0, 9: 2})
    with pytest.raises(RecipeError, match=r"data.labels is empty"):
        target(labels([[0]]), values={})
    with pytest.raises(ValueError, match="must be known"):
        target(labels([[0]]), "multiclass", classes=None)


def test_the_number_of_classes_follows_from_the_table() -> None:
    found = target(labels([[4, 5]]), "multilabel", classes=None, values={4: 0, 5: 2})
    assert read_all(found).tolist() == [[[0, 0]], [[0, 1]]]


def test_more_than_256_classes_need_a_wider_type() -> None:
    found = target(labels([[0, 299]], "u2"), "multiclass", classes=300)
    assert found.dtype == read_all(found).dtype == np.uint16
    assert read_all(found).tolist() == [[[0, 299]]]


@settings(max_examples=40)
@given(
    stored=arrays(
        st.sampled_from(["u1", "i1", "u2", "i2", "i4", "f4"]),
        (4, 5),
        elements=st.integers(0, 6),
    ),
    table=st.dictionaries(st.integers(-3, 6), st.integers(0, 3), min_size=1),
    ignore=st.one_of(st.none(), st.integers(0, 6)),
)
def test_the_table_does_what_a_loop_over_pixels_does(
    stored: NDArray[Any], table: dict[int, int], ignore: int | None
) -> None:
    found, valid = target_of(
        ArrayVolume(stored[None]), task_kind="multiclass", classes=4, values=table, ignore=ignore
    )
    known = {**table, **({} if ignore is None else {ignore: 0})}
    if set(stored.ravel().astype(int).tolist()) <= set(known):
        wanted = [[known[int(value)] for value in row] for row in stored]
        assert read_all(found)[0].tolist() == wanted
    else:
        with pytest.raises(DataError, match="no class"):
            read_all(found)
    if valid is not None:
        assert read_all(valid)[0].tolist() == (stored != ignore).astype(int).tolist()


def test_targets_pickle_and_compare() -> None:
    found = target(labels([[0, 1]]))
    assert isinstance(found, Classes)
    assert read_all(pickle.loads(pickle.dumps(found))).tolist() == [[[0, 1]]]


def test_a_region_outside_is_the_callers_mistake() -> None:
    found, valid = target_of(labels([[1]]), task_kind="binary", classes=1, values=None, ignore=0)
    for volume in (found, valid):
        assert volume is not None
        with pytest.raises(ValueError, match="leaves the volume"):
            volume.read(Region((0, 0), (2, 2)))


def test_fault_L03_a_one_bit_png_is_a_mask(tmp_path: Path) -> None:
    Image.fromarray(np.array([[False, True], [True, True]])).save(tmp_path / "mask.png")
    found = target(open_volume(tmp_path / "mask.png"))
    assert read_all(found).tolist() == [[[0, 1], [1, 1]]]


@pytest.mark.data
def test_real_labels_have_the_shares_their_readme_states(shared_data: Path) -> None:
    volume = open_volume(shared_data / "em-drosophila-vnc" / "mitochondria.tif")
    counts = values_in(volume)
    assert sorted(counts) == [0, 255]
    assert round(100 * counts[255] / sum(counts.values()), 2) == 6.45
    with pytest.raises(DataError, match=r"set data.labels: \{0: 0, 255: 1\}"):
        target(volume).read(Region((0, 0, 0), (1, 1024, 576)))
    mapped = target(volume, values={0: 0, 255: 1})
    part = Region((4, 0, 0), (5, 1024, 576))
    np.testing.assert_array_equal(mapped.read(part), volume.read(part) // 255)
