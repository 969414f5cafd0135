"""The page about layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lamina.errors import DataError
from lamina.files import write_json, write_text
from lamina.reporting.depth_alignment import layers_of, layers_page
from lamina.reporting.page import report


def said(*, ink: bool = True) -> dict[str, Any]:
    curve = [None, 1.0, 5.0, 2.0]
    curves = {"full": curve, "ink": curve if ink else None, "background": curve if ink else None}
    return {
        "before": curves,
        "after": curves,
        "shift": [[0.0, 1.5], [-2.0, 3.0]],
        "scale": [[0.6, 0.6], [0.6, 0.6]],
        "rows": [5.5, 20.5],
        "columns": [5.5, 20.5],
    }


def test_fragments_are_shown_with_what_they_have(tmp_path: Path) -> None:
    write_json(tmp_path / "layers.json", {"<1>": said(), "2": said(ink=False)})
    found = layers_of(tmp_path)
    assert found is not None
    titles = [[plot.title for plot in fragment.plots] for fragment in found.fragments]
    assert titles == [["full", "ink", "background", "shift, layers"], ["full", "shift, layers"]]
    assert found.fragments[0].words == "shifts -2.0 to 3.0 layers, scale 0.60"
    page = layers_page(tmp_path).read_text(encoding="utf-8")
    assert "&lt;1&gt;" in page
    assert "<1>" not in page


def test_the_page_of_a_run_shows_what_alignment_did(run_folder: Path) -> None:
    assert 'id="layers"' not in report(run_folder).report.read_text(encoding="utf-8")
    write_json(run_folder / "curves" / "layers.json", {"1": said()})
    page = report(run_folder).report.read_text(encoding="utf-8")
    assert 'id="layers"' in page
    assert "shifts -2.0 to 3.0 layers" in page


def test_nothing_is_shown_of_nothing(tmp_path: Path) -> None:
    assert layers_of(tmp_path) is None
    with pytest.raises(DataError, match="lamina flatten"):
        layers_page(tmp_path)


@pytest.mark.parametrize("text", ["[]", '{"1": {}}', '{"1": {"before": 3}}'])
def test_damaged_curves_are_said(tmp_path: Path, text: str) -> None:
    write_text(tmp_path / "layers.json", text)
    with pytest.raises(DataError, match="is damaged"):
        layers_of(tmp_path)
