"""Stored answers are compared with their digests when they are read, once for each file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamina.errors import DataError
from lamina.prediction.folder import ledger as ledger_module
from lamina.prediction.folder.ledger import LEDGER
from lamina.prediction.folder.predictions import Predictions
from lamina.result.decisions import Threshold
from tests.factories.predictions import write_predictions

ANSWER = np.linspace(0, 1, 2 * 8 * 12, dtype=np.float32).reshape(2, 8, 12)
VOLUME = np.linspace(0, 1, 2 * 3 * 8 * 12, dtype=np.float32).reshape(2, 3, 8, 12)


def a_file_of(path: Path) -> Path:
    """Return the file itself, or one chunk of a store."""
    return path if path.is_file() else next(p for p in (path / "c").rglob("*") if p.is_file())


def flip(path: Path) -> None:
    file = a_file_of(path)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


def cut(path: Path) -> None:
    file = a_file_of(path)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(path: Path) -> None:
    a_file_of(path).write_bytes(b"")


def delete(path: Path) -> None:
    a_file_of(path).unlink()


@pytest.mark.parametrize("damage", [flip, cut, empty, delete])
@pytest.mark.parametrize("answer", [ANSWER, VOLUME], ids=["image", "volume"])
def test_trust_2_damaged_probabilities_are_refused_with_their_remedy(
    tmp_path: Path, make: Any, damage: Callable[[Path], None], answer: Any
) -> None:
    """TRUST-2, B04: whatever reads them, in one piece or in slabs."""
    folder = write_predictions(tmp_path / "pred", make.recipe(), {"a": answer, "b": answer})
    damage(Predictions.open(folder).prob_path("a"))
    readers: list[Callable[[Predictions], object]] = [
        lambda found: found.prob("a"),
        lambda found: list(found.slabs("a")),
        lambda found: list(found.decided("a")),
        lambda found: found.mask("a"),
    ]
    for read in readers:
        found = Predictions.open(folder)
        with pytest.raises(DataError, match="run the same `lamina predict` again"):
            read(found)
        assert found.prob("b").shape == answer.shape
    again = Predictions.open(folder)
    assert not again.redecide("a")  # so that the remedy predicts this case, and only this
    again.add("a", answer)
    assert Predictions.open(folder).prob("a").shape == answer.shape


def test_trust_2_a_damaged_mask_is_refused_and_made_again(tmp_path: Path, make: Any) -> None:
    """TRUST-2: masks are compared as well; the remedy writes them from the probabilities."""
    folder = write_predictions(tmp_path / "pred", make.recipe(), {"a": ANSWER})
    before = Predictions.open(folder).stored_mask("a")
    flip(Predictions.open(folder).mask_path("a"))
    with pytest.raises(DataError, match="does not match its digest"):
        Predictions.open(folder).stored_mask("a")
    assert Predictions.open(folder).redecide("a")
    np.testing.assert_array_equal(Predictions.open(folder).stored_mask("a"), before)


def test_trust_2_a_digest_is_compared_once_for_each_file(
    tmp_path: Path, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRUST-2: reading a case again, or by another decision, costs no second look."""
    folder = write_predictions(tmp_path / "pred", make.recipe(), {"a": ANSWER, "b": ANSWER})
    looked: list[str] = []
    digest = ledger_module.stored_digest

    def counted(path: Path) -> str | None:
        looked.append(path.name)
        return digest(path)

    monkeypatch.setattr(ledger_module, "stored_digest", counted)
    found = Predictions.open(folder)
    for id in ("a", "b", "a"):
        found.prob(id)
        found.with_decision(Threshold(threshold=0.9)).mask(id)
    assert looked == ["a.npy", "b.npy"]


@pytest.mark.parametrize(
    "row",
    [
        {"id": ["a"]},
        {"id": {"a": 1}},
        {"id": None},
        {"id": "a", "source": 3, "members": "fold0"},
        {"id": "a", "source": "1" * 64, "members": None},
    ],
)
def test_trust_2_a_strange_row_of_the_ledger_means_not_finished(
    tmp_path: Path, make: Any, row: dict[str, Any]
) -> None:
    """TRUST-2, TRUST-4: a row of other types is no row of this case."""
    folder = write_predictions(tmp_path / "pred", make.recipe(), {"a": ANSWER})
    (folder / LEDGER).write_text(json.dumps(row) + "\n")
    found = Predictions.open(folder)
    assert found.ids == []
    with pytest.raises(DataError, match="'a' is not finished; run the same `lamina predict`"):
        found.prob("a")


def test_trust_2_a_row_without_digests_is_refused(tmp_path: Path, make: Any) -> None:
    """TRUST-2: a row that cannot be compared vouches for nothing."""
    folder = write_predictions(tmp_path / "pred", make.recipe(), {"a": ANSWER})
    row = json.loads((folder / LEDGER).read_text())
    del row["probability"]
    (folder / LEDGER).write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match="does not match its digest"):
        Predictions.open(folder).prob("a")
