"""What tells that a folder, or a case in it, has changed."""

from __future__ import annotations

from pathlib import Path

from lamina.viewer.sources.prediction_source import PredictionSource


def test_a_folder_has_changed_once_its_ledger_has(predictions: Path, tmp_path: Path) -> None:
    source = PredictionSource(predictions, None, None, tmp_path)
    before = source.stamp()
    assert before == source.stamp()
    with (predictions / "ledger.jsonl").open("ab") as file:
        file.write(b"{}\n")
    assert source.stamp() != before


def test_a_case_has_changed_once_its_probabilities_or_decision_have(
    predictions: Path, tmp_path: Path
) -> None:
    one, other, *_ = PredictionSource(predictions, None, None, tmp_path).read().cases
    again = PredictionSource(predictions, None, None, tmp_path).read().cases[0]
    assert one.stamp == again.stamp
    assert one.stamp != other.stamp
    decided = type(one)(
        one.case,
        one.predictions.with_decision(one.predictions.decision.with_thresholds((0.25,))),
        None,
    )
    assert decided.stamp != one.stamp
