"""Cores of this process: affinity and control group."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamina.machine import cores
from lamina.machine.cores import allowed_cores


@pytest.mark.parametrize(
    ("text", "most"), [("200000 100000", 2), ("50000 100000", 1), ("max 100000", None), ("", None)]
)
def test_cores_are_those_that_the_control_group_allows(
    tmp_path: Path, text: str, most: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    (tmp_path / "cpu.max").write_text(text)
    assert allowed_cores(tmp_path / "cpu.max") == (most or 8)
    assert allowed_cores(tmp_path / "none") == 8
