"""The tree of packages and the drawing of layers, generated from the code.

Run        python -m tools.tree             print the tree, two levels deep
           python -m tools.tree --write     write tree and layers into docs/architecture.md

A folder is described by the first sentence of its package docstring; the layers are those of the
import contract in pyproject.toml.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.blocks import replaced

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "lamina"
PAGE = ROOT / "docs" / "architecture.md"
DEPTH = 2
FOLDERS_WITHOUT_CODE = {
    "recipes": "The built-in recipes, one YAML file each.",
    "reporting/templates": "The page of the report as a Jinja template.",
    "viewer/static": "The page of the viewer: its markup, its style and its scripts.",
}


@dataclass(frozen=True)
class Entry:
    """A folder or a module of the package."""

    path: str
    """Relative to ``src/lamina``, with ``/``."""
    sentence: str

    @property
    def depth(self) -> int:
        """1 directly below ``lamina``."""
        return self.path.count("/") + 1


def first_sentence(file: Path) -> str:
    """Return the first sentence of a module's docstring on one line; empty without a docstring."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=[.!?])\s", paragraph.replace("``", ""))[0]


def folders(source: Path = SOURCE, depth: int = DEPTH) -> Iterator[Entry]:
    """Yield the folders of a package, parents first, each level by name."""
    for folder in sorted({file.parent for file in source.rglob("*") if file.is_file()}):
        path = folder.relative_to(source).as_posix()
        if folder == source or folder.name.startswith("__") or path.count("/") >= depth:
            continue
        package = folder / "__init__.py"
        sentence = first_sentence(package) if package.exists() else FOLDERS_WITHOUT_CODE.get(path)
        yield Entry(path, sentence or "")


def modules(source: Path = SOURCE) -> Iterator[Entry]:
    """Yield the modules that lie directly in a package, without those that begin with ``_``."""
    for file in sorted(source.glob("[!_]*.py")):
        yield Entry(file.name, first_sentence(file))


def tree() -> str:
    """Return the tree as text: a line for each folder and for each module beside them."""
    entries = [*folders(), *modules()]
    labels = ["  " * (entry.depth - 1) + _label(entry) for entry in entries]
    width = max(map(len, labels)) + 2
    lines = [f"{a:{width}}{_said(entry)}" for a, entry in zip(labels, entries, strict=True)]
    return "\n".join(["lamina/", *(f"  {line}" for line in lines)])


def _label(entry: Entry) -> str:
    name = entry.path.rpartition("/")[2]
    return name if name.endswith(".py") else f"{name}/"


def _said(entry: Entry) -> str:
    """Return the sentence of an entry, without the name of its folder where it begins with it."""
    name, colon, rest = entry.sentence.partition(": ")
    if colon and name.lower() == entry.path.rpartition("/")[2]:
        return rest[0].upper() + rest[1:]
    return entry.sentence


def layers() -> list[list[str]]:
    """Return the layers of the import contract, the highest first; each a list of packages."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (contract,) = [one for one in contracts if one["type"] == "layers"]
    return [
        [name.strip().removeprefix("lamina.") for name in layer.split("|")]
        for layer in contract["layers"]
    ]


def drawing() -> str:
    """Return the layers as boxes, one upon another."""
    rows = [" │ ".join(layer) for layer in layers()]
    width = max(map(len, rows))
    rule = "─" * (width + 2)
    boxes = f"\n├{rule}┤\n".join(f"│ {row:^{width}} │" for row in rows)
    return f"┌{rule}┐\n{boxes}\n└{rule}┘"


def page(text: str) -> str:
    """Return the text of the architecture page with tree and layers as they are now."""
    text = replaced(text, "layers", f"```text\n{drawing()}\n```")
    return replaced(text, "tree", f"```text\n{tree()}\n```")


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(tree())
