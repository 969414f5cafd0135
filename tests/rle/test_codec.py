"""Run-length codes by hand, against a slow and obvious twin, and there and back."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from PIL import Image

from lamina.errors import DataError
from lamina.rle import codec as rle
from lamina.rle.codec import Code, decode, encode

Mask = NDArray[np.bool_]
CODES: tuple[Code, ...] = ("severstal", "siim", "vesuvius")
codes = st.sampled_from(CODES)
FORMS = ("C", "F", "strided", "offset", "frozen")
small_masks = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=12))


@pytest.fixture(params=["numpy", "compiled"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways, whatever the size."""
    use(request.param, monkeypatch)
    return str(request.param)


def use(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    edge = 1 if way == "compiled" else 1 << 60
    for name in ("_LARGE_MASK", "_SMALL_MASK", "_LARGE_TEXT", "_SMALL_TEXT"):
        monkeypatch.setattr(rle, name, edge)


def drawn(*rows: str) -> Mask:
    return np.array([[letter == "#" for letter in row] for row in rows])


def slow_encode(mask: Mask, code: Code) -> str:
    pixels = [bool(on) for on in (mask if code == "vesuvius" else mask.T).reshape(-1)]
    numbers: list[int] = []
    end = at = 0
    while at < len(pixels):
        if not pixels[at]:
            at += 1
            continue
        start = at
        while at < len(pixels) and pixels[at]:
            at += 1
        numbers += [start - end if code == "siim" else start + 1, at - start]
        end = at
    return " ".join(map(str, numbers)) or ("-1" if code == "siim" else "")


@pytest.mark.parametrize(
    ("mask", "severstal", "siim", "vesuvius"),
    [
        (drawn("....", "...."), "", "-1", ""),
        (drawn("####", "####"), "1 8", "0 8", "1 8"),
        (drawn("#"), "1 1", "0 1", "1 1"),
        (drawn("."), "", "-1", ""),
        (drawn("....", "..#."), "6 1", "5 1", "7 1"),
        (drawn("#...", "...."), "1 1", "0 1", "1 1"),  # the first pixel, lost by INK-27's encoder
        (drawn("....", "...#"), "8 1", "7 1", "8 1"),  # the last pixel, lost by SIIM-3's encoder
        (drawn(".#..", "#..."), "2 2", "1 2", "2 1 5 1"),  # over the end of a column: still one run
        (drawn("...#", "#..."), "2 1 7 1", "1 1 4 1", "4 2"),  # over the end of a row
        (drawn("#.#", "#.#", "#.#"), "1 3 7 3", "0 3 3 3", "1 1 3 2 6 2 9 1"),
    ],
)
def test_both_directions_agree_with_numbers_worked_out_by_hand(
    way: str, mask: Mask, severstal: str, siim: str, vesuvius: str
) -> None:
    for code, text in zip(CODES, (severstal, siim, vesuvius), strict=True):
        assert encode(mask, code) == text
        np.testing.assert_array_equal(decode(text, mask.shape, code), mask)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (64, 64), (300, 401)])
def test_runs_that_end_at_the_very_last_pixel_are_kept(way: str, shape: tuple[int, int]) -> None:
    """SIIM-3: the published encoder lost them, so that a full mask became -1."""
    full = np.ones(shape, np.bool_)
    assert encode(full, "siim") == f"0 {full.size}"
    last = np.zeros(shape, np.bool_)
    last[-1, -1] = True
    assert encode(last, "siim") == f"{last.size - 1} 1"
    for mask in (full, last):
        np.testing.assert_array_equal(decode(encode(mask, "siim"), shape, "siim"), mask)


@pytest.mark.parametrize("mode", ["numpy", "compiled"])
@settings(max_examples=100, deadline=None)
@given(
    mask=small_masks, code=codes, form=st.sampled_from(["C", "F", "strided", "offset", "frozen"])
)
def test_small_masks_in_any_memory_agree_with_the_slow_twin(
    mode: str, mask: Mask, code: Code, form: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        use(mode, patch)
        assert encode(laid_out(mask, form), code) == slow_encode(mask, code)


def laid_out(mask: Mask, form: str) -> Mask:
    if form == "strided":
        return np.repeat(np.repeat(mask, 2, 0), 3, 1)[::2, ::3]
    if form == "offset":  # contiguous, but not at the start of a word
        room = np.zeros(mask.size + 1, np.bool_)
        room[1:] = mask.reshape(-1)
        return room[1:].reshape(mask.shape)
    mask = np.array(mask, order="F" if form == "F" else "C")
    mask.flags.writeable = form != "frozen"
    return mask


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 90),
    columns=st.integers(1, 90),
    share=st.sampled_from([0.0, 0.003, 0.1, 0.5, 0.97, 1.0]),
    seed=st.integers(0, 2**32 - 1),
    code=codes,
)
def test_larger_masks_agree_with_the_slow_twin_and_come_back(
    rows: int, columns: int, share: float, seed: int, code: Code
) -> None:
    """L10."""
    mask = np.random.default_rng(seed).random((rows, columns)) < share
    with pytest.MonkeyPatch.context() as patch:
        use("compiled", patch)
        text = encode(mask, code)
        assert text == slow_encode(mask, code)
        assert encode(np.asfortranarray(mask), code) == text
        back = decode(text, mask.shape, code)
        np.testing.assert_array_equal(back, mask)
        use("numpy", patch)
        assert encode(mask, code) == text
        np.testing.assert_array_equal(decode(text, mask.shape, code), mask)


def test_masks_above_the_size_where_the_way_changes_come_back() -> None:
    chance = np.random.default_rng(3)
    for shape in ((256, 256), (300, 401)):
        mask = chance.random(shape) < 0.5  # far more runs than the first guess of their number
        for code in CODES:
            text = encode(mask, code)
            assert text == slow_encode(mask, code)
            np.testing.assert_array_equal(decode(text, shape, code), mask)


@pytest.mark.parametrize("order", ["C", "F"])
def test_many_runs_of_a_small_mask_agree_with_the_slow_twin(way: str, order: Any) -> None:
    mask = np.array(np.random.default_rng(3).random((40, 37)) < 0.5, order=order)
    for code in CODES:
        text = encode(mask, code)
        assert text == slow_encode(mask, code)
        np.testing.assert_array_equal(decode(text, mask.shape, code), mask)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_every_integer_but_zero_is_on(way: str, dtype: type[np.generic]) -> None:
    mask = np.array([[0, 255, 0], [7, 0, 1]]).astype(dtype)
    assert encode(mask, "severstal") == encode(mask != 0, "severstal") == "2 2 6 1"


def test_a_bool_view_of_bytes_of_255_is_on(way: str) -> None:
    picture = np.zeros((9, 40), np.uint8)
    picture[2:5, 3:30] = 255
    assert encode(picture.view(np.bool_), "vesuvius") == "84 27 124 27 164 27"


def test_masks_without_pixels_are_empty() -> None:
    empty = np.zeros((0, 5), np.bool_)
    assert encode(empty, "severstal") == ""
    assert encode(empty, "siim") == "-1"
    assert decode("", (0, 5), "vesuvius").shape == (0, 5)


def test_masks_with_fractions_or_other_axes_are_refused() -> None:
    with pytest.raises(ValueError, match="decide by a threshold"):
        encode(np.full((2, 2), np.nan), "siim")
    with pytest.raises(ValueError, match=r"\(H, W\), not for the shape \(1, 2, 2\)"):
        encode(np.zeros((1, 2, 2), np.bool_), "siim")
    with pytest.raises(ValueError, match="not the shape"):
        decode("", (2, 2, 1), "severstal")  # type: ignore[arg-type]


def test_an_empty_cell_that_is_not_a_string_is_named() -> None:
    with pytest.raises(TypeError, match="pass '' for an empty cell"):
        decode(float("nan"), (2, 2), "severstal")  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["-1", " -1", "-1 \n"])
def test_blanks_around_the_empty_sign_are_ignored(text: str) -> None:
    assert not decode(text, (3, 4), "siim").any()


def test_blanks_of_all_kinds_part_numbers(way: str) -> None:
    assert encode(decode("\t1  2\n 4 1\r\n", (2, 3), "severstal"), "severstal") == "1 2 4 1"


def test_touching_runs_and_leading_zeros_are_read(way: str) -> None:
    np.testing.assert_array_equal(
        decode("1 2 003 00000001", (1, 4), "vesuvius"), [[True, True, True, False]]
    )
    assert decode("0 2 0 1", (4, 1), "siim").sum() == 3


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("1 2 x 1", "severstal", "token 3 ('x')"),
        ("1 2.0", "severstal", "token 2 ('2.0')"),
        ("nan", "severstal", "token 1 ('nan')"),
        ("-1", "severstal", "token 1 ('-1')"),
        ("-1", "vesuvius", "token 1 ('-1')"),
        ("+1 2", "severstal", "token 1 ('+1')"),
        ("1_0 2", "severstal", "token 1 ('1_0')"),
        ("²  2", "severstal", "token 1 ('²')"),
        ("1 2 -1", "siim", "token 3 ('-1')"),
        ("-1 3", "siim", "token 1 ('-1')"),
        ("1 2 3", "severstal", "token 3 ('3') is the last"),
        ("0 2", "severstal", "token 1 ('0') starts a run before pixel 1"),
        ("1 0", "severstal", "token 2 ('0') is the length"),
        ("1 2 5 0", "siim", "token 4 ('0') is the length"),
        ("1 3 3 1", "severstal", "token 3 ('3') starts a run before"),
        ("5 2 1 1", "vesuvius", "token 3 ('1') starts a run before"),
        ("11 3", "severstal", "token 2 ('3') lets a run end beyond the last of 12 pixels"),
        ("13 1", "severstal", "token 1 ('13') starts a run beyond the last of 12 pixels"),
        ("12 1", "siim", "token 1 ('12') starts a run beyond the last of 12 pixels"),
        ("3 4 3 3", "siim", "token 4 ('3') lets a run end beyond"),
        (
            "1 99999999999999999999999999",
            "severstal",
            "token 2 ('999999999999999999999999') is more",
        ),
    ],
)
def test_malformed_text_is_refused_by_the_position_of_its_token(
    way: str, text: str, code: Code, place: str
) -> None:
    with pytest.raises(DataError) as caught:
        decode(text, (3, 4), code)
    assert str(caught.value).startswith(f"run-length text: {place}")


@pytest.mark.parametrize("text", ["", "  "])
def test_a_missing_cell_is_not_an_empty_mask_in_the_code_that_has_a_sign_for_it(text: str) -> None:
    with pytest.raises(DataError, match="writes '-1' for an empty mask"):
        decode(text, (3, 4), "siim")
    assert not decode(text, (3, 4), "severstal").any()


@settings(max_examples=150, deadline=None)
@given(
    text=st.text(alphabet="0123456789 -.\t+x\xa0", max_size=24)
    | st.lists(st.integers(-1, 30), max_size=8).map(lambda numbers: " ".join(map(str, numbers))),
    code=codes,
)
def test_any_text_is_read_or_refused_the_same_way_by_both_implementations(
    text: str, code: Code
) -> None:
    """L10."""
    answers: list[list[list[bool]] | str] = []
    with pytest.MonkeyPatch.context() as patch:
        for mode in ("numpy", "compiled"):
            use(mode, patch)
            try:
                answers.append(decode(text, (4, 5), code).tolist())
            except DataError as error:
                answers.append(str(error))
    assert answers[0] == answers[1]


@pytest.mark.data
def test_the_masks_of_real_radiographs_are_those_of_their_text(shared_data: Path) -> None:
    folder = shared_data / "chest-xray-masks"
    with (folder / "train-rle-consolidation.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))[1:]
    assert len(rows) == 44
    for name, text in rows:
        picture = Image.open(folder / "masks" / "consolidation" / f"{name}.png")
        mask = np.asarray(picture) > 127
        np.testing.assert_array_equal(decode(text, mask.shape, "siim"), mask)
        assert encode(mask, "siim") == text.strip()


def test_importing_the_codes_does_not_load_the_compiler() -> None:
    code = (
        "import sys, numpy, lamina.rle as r; m = numpy.ones((9, 9), bool);"
        "assert r.decode(r.encode(m, 'siim'), (9, 9), 'siim').all();"
        "print({'numba', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
