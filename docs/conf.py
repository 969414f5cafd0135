"""How Sphinx builds the pages: `make docs` writes them, without a network.

The reference of commands and of recipes is written from the program itself into docs/reference.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import lamina

project = "lamina"
version = release = lamina.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["site"]
html_theme = "furo"
html_title = f"lamina {release}"
html_copy_source = False
html_show_sourcelink = False
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
autodoc_typehints = "description"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
suppress_warnings = ["misc.highlighting_failure", "ref.python"]

HERE = Path(__file__).parent
REFERENCE = HERE / "reference"

PYTHON = {
    "Verbs": [
        "train",
        "tune",
        "predict",
        "score",
        "report",
        "export",
        "submit",
        "pseudo",
        "flatten",
    ],
    "A loaded model": ["load", "Model", "Prediction"],
    "Data": ["load_recipe", "open_volume", "Case", "Predictions", "Bundle"],
    "Errors": [
        "LaminaError",
        "DataError",
        "RecipeError",
        "OptionError",
        "BundleError",
        "ResourceError",
        "LeakError",
        "PartialError",
        "StoppedError",
    ],
}
"""Public names, by what they are for."""


def setup(app: Any) -> None:
    """Write the reference, and make links out of the pages into names of files."""
    REFERENCE.mkdir(exist_ok=True)
    (REFERENCE / "commands.md").write_text(commands(), encoding="utf-8")
    (REFERENCE / "python.md").write_text(python(), encoding="utf-8")
    (REFERENCE / "recipe.md").write_text(recipe(), encoding="utf-8")
    app.connect("source-read", without_links_out)
    app.connect("autodoc-process-docstring", with_stars)


def without_links_out(_: Any, __: str, source: list[str]) -> None:
    """Replace links to files outside of docs, which the site does not have, by their words."""
    source[0] = re.sub(r"\[([^\]]+)\]\(\.\./[^)]*\)", r"\1", source[0])


def with_stars(_: Any, __: str, ___: str, ____: Any, _____: Any, lines: list[str]) -> None:
    """Keep the star of shapes such as (K, *S), which would begin an emphasis."""
    lines[:] = [re.sub(r"(?<![\w*\\])\*(S|\w+\))", r"\\*\1", line) for line in lines]


def commands() -> str:
    """Return the help of every command as a page."""
    from typer.main import get_command
    from typer.testing import CliRunner

    from lamina.cli.main import app

    runner = CliRunner()
    lines = ["# Commands", ""]
    for name in get_command(app).commands:  # type: ignore[attr-defined]
        help_ = runner.invoke(app, [name, "--help"], env={"COLUMNS": "100", "TERM": "dumb"})
        lines += [f"## lamina {name}", "", "```text", help_.stdout.rstrip(), "```", ""]
    return "\n".join(lines)


def python() -> str:
    """Return a page on which autodoc shows the public names."""
    lines = ["# Python", ""]
    for title, names in PYTHON.items():
        lines += [f"## {title}", ""]
        for name in names:
            kind = "autoexception" if name.endswith("Error") else "autofunction"
            if kind == "autofunction" and isinstance(getattr(lamina, name), type):
                kind = "autoclass"
            lines += ["```{eval-rst}", f".. {kind}:: lamina.{name}"]
            if kind == "autoclass":
                lines += ["   :members:"]
            lines += ["```", ""]
    return "\n".join(lines)


def recipe() -> str:
    """Return a page with every option of a recipe, from its JSON schema."""
    import json

    path = Path(lamina.__file__).parent / "recipe" / "recipe.schema.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    lines = ["# Options of recipes", "", "Every part of a recipe with its options.", ""]
    parts = {"Recipe": schema, **schema["$defs"]}
    for title, part in sorted(parts.items(), key=lambda pair: (pair[0] != "Recipe", pair[0])):
        lines += [f"## {title}", "", str(part.get("description", "")), ""]
        for name, option in part.get("properties", {}).items():
            default = json.dumps(option["default"]) if "default" in option else "no default"
            words = " ".join(str(option.get("description", "")).split())
            lines.append(f"- `{name}` ({default}): {words}")
        lines.append("")
    return "\n".join(lines)
