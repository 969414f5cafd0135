"""Patterns of paths: what they fit, what they refuse."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.data.layouts.patterns import Pattern, check_pattern
from lamina.errors import OptionError


@pytest.mark.parametrize(
    ("pattern", "path", "found"),
    [
        ("{id}_im.tif", "a_im.tif", ("a", None)),
        ("{id}_im.tif", "p1/a_im.tif", ("p1/a", None)),  # an id may hold folders
        ("*_im.tif", "a_im.tif", ("a", None)),
        ("*_im.tif", "p1/a_im.tif", None),  # a star holds none
        ("images/{id}.*", "images/a.ome.tif", ("a", None)),
        ("images/{id}.*", "images/a.nii.gz", ("a", None)),
        ("images/{id}.*", "images/1.2.840.dcm", ("1.2.840", None)),
        ("images/{id}_mask.*", "images/a_mask.OME.TIFF", ("a", None)),
        ("images/{id}.png", "other/a.png", None),
        ("masks/{class}/{id}.png", "masks/car/p1/a.png", ("p1/a", "car")),
        ("{id}/{id}_seg.nii.gz", "x/x_seg.nii.gz", ("x", None)),
        ("{id}/{id}_seg.nii.gz", "x/y_seg.nii.gz", None),
        ("{split}/images/{id}.png", "train/images/a.png", ("train/a", None)),
        ("*/raw.tif", "v1/raw.tif", ("v1", None)),
        ("a(1).{id}.png", "a(1).b.png", ("b", None)),  # no regular expression
        ("?{id}.png", "xa.png", ("a", None)),
        ("images/{id}.png", "images/\u0065\u0301.png", ("\u00e9", None)),
    ],
)
def test_READ_28_a_pattern_fits_a_path(
    pattern: str, path: str, found: tuple[str, str | None] | None
) -> None:
    assert Pattern(pattern).match(path) == found


names = st.text("ab_.(1é", min_size=1, max_size=5).filter(lambda name: not name.startswith("."))


@given(names, names, names)
def test_READ_28_what_a_pattern_makes_of_an_id_is_found_again(
    before: str, id: str, after: str
) -> None:
    pattern = Pattern(f"x/{before}{{id}}{after}.png")
    assert pattern.match(f"x/{before}{id}{after}.png") == (id, None)
    assert pattern.id_of(Path(f"/elsewhere/x/{before}{id}{after}.png")) == id
    assert pattern.id_of(Path(f"{before}{id}{after}.png")) == id


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{name}.png", "the part {name}; parts of a pattern are {id}, {class}, {split} and *"),
        ("img?.png", "has no {id}"),
        ("images/a.*", "has no {id}"),
        ("masks\\{id}.png", "folders are joined by /"),
        ("", "no folder or pattern"),
    ],
)
def test_READ_28_patterns_that_mean_nothing_are_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        check_pattern(text)


def test_READ_28_the_options_say_so() -> None:
    from lamina.data.catalogs import Folder, VolumePairs

    for make in (
        lambda: Folder(masks="{name}.png"),
        lambda: Folder(images="{class}/{id}.png"),
        lambda: VolumePairs(image="raw/{name}.tif"),
        lambda: VolumePairs(target="a\\b"),
    ):
        with pytest.raises(OptionError):
            make()
