"""Fragments aligned as a person does it."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from lamina.cli.main import app
from lamina.synthetic.scroll import write_fragments


def test_fragments_are_aligned_and_shown(tmp_path: Path) -> None:
    write_fragments(tmp_path / "data", count=1, shape=(64, 96))
    line = ["flatten", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--reference", "1"]
    line += ["--layers", "30,32", "--as", "zarr"]
    line += [word for name in ("tile=16", "step=8") for word in ("-s", f"data.prepare.{name}")]
    done = CliRunner().invoke(app, [*line, "--json"])
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert list(found["fragments"]) == ["1"]
    assert (tmp_path / "out" / "1" / "surface_volume.zarr" / "zarr.json").is_file()
    page = Path(found["page"]).read_text(encoding="utf-8")
    assert page.count("<img ") == 2 + 3 + 1  # all before and after; full, ink, background; shifts
    assert "http" not in page.replace("http-equiv", "")
    again = CliRunner().invoke(app, line)
    assert again.stdout.startswith("1: shifts")


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    line = ["flatten", str(tmp_path), "--out", str(tmp_path / "out"), "--layers", "9"]
    done = CliRunner().invoke(app, line)
    assert done.exit_code == 2
    assert "such as 20,44" in done.stderr
