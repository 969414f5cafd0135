"""Every reader and loader meets damaged files: 50 each here, 2,000 each with ``make fuzz``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamina.data.readers import FORMATS
from tests.fuzz.child import fingerprint
from tests.fuzz.mutations import mutated
from tests.fuzz.run import faults, fuzz
from tests.fuzz.targets import TARGETS

COUNT = 50


@pytest.mark.parametrize("name", TARGETS)
def test_trust_4_damage_gives_the_same_data_or_one_error(name: str, tmp_path: Path) -> None:
    """TRUST-4, READ-9, W04, L10: one LaminaError that names the file, no hang, at most 1 GiB."""
    rows = fuzz(name, tmp_path, COUNT, seed=7)
    assert [row["number"] for row in rows] == list(range(COUNT))
    assert faults(rows) == []
    refused = sum(row["outcome"] == "refused" for row in rows)
    assert refused or name == "curves"  # measured anew from a damaged file


def test_every_format_has_a_target() -> None:
    assert {known.name.lower().replace("seg-y", "segy") for known in FORMATS.known} <= set(TARGETS)


def test_damage_is_the_same_for_the_same_seed_and_differs_for_others() -> None:
    data = bytes(range(256)) * 3
    once, again, other = (
        [mutated(data, data, np.random.default_rng([seed, n])) for n in range(40)]
        for seed in (1, 1, 2)
    )
    assert once == again
    assert sum(a != b for a, b in zip(once, other, strict=True)) > 30
    assert {kind for kind, _ in once} >= {"flip", "number", "cut", "hole", "splice", "fill"}
    assert mutated(b"", b"", np.random.default_rng(0))[1] is not None


@pytest.mark.parametrize(
    ("how", "outcome"),
    [
        ("hangs", "hung"),
        ("crashes", "crashed"),
        ("takes memory", "memory"),
        ("raises", "raised"),
        ("names no file", "no place"),
        ("says nothing", "unnoticed"),
    ],
)
def test_a_fault_is_found(
    how: str, outcome: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The harness itself: a reader that is wrong in each of the ways is reported."""
    monkeypatch.setenv("LAMINA_FUZZ_FAULT", how)
    monkeypatch.setenv("LAMINA_FUZZ_SECONDS", "1")
    rows = fuzz("faulty", tmp_path, 3, seed=0)
    assert {row["outcome"] for row in rows} == {outcome}
    assert len(faults(rows)) == 3


def test_equal_data_have_equal_fingerprints() -> None:
    assert fingerprint([1, (2, b"x")]) == fingerprint([1, (2, b"x")])
    assert fingerprint([1, (2, b"x")]) != fingerprint([1, (2, b"y")])
