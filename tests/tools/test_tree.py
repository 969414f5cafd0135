"""The tree and the layers of docs/architecture.md are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tools import tree


def test_every_package_says_in_one_sentence_what_it_holds() -> None:
    silent = [
        str(file.relative_to(tree.SOURCE))
        for file in tree.SOURCE.rglob("__init__.py")
        if not tree.first_sentence(file).endswith(".")
    ]
    assert silent == []


def test_every_folder_is_described() -> None:
    entries = {entry.path: entry.sentence for entry in tree.folders(depth=99)}
    assert [path for path, sentence in entries.items() if not sentence] == []
    assert set(tree.FOLDERS_WITHOUT_CODE) <= set(entries)


def test_sentences_fit_beside_their_folder() -> None:
    assert [line for line in tree.tree().splitlines() if len(line) > 120] == []


def test_the_tree_names_two_levels_and_no_third(tmp_path: Path) -> None:
    for path, text in {
        "a": "What a is: one thing. And more.",
        "a/b": "b: the sentence of b.\n\nMore of it.",
        "a/b/c": "Too deep.",
        "d": "Wrapped over\ntwo lines! Second.",
    }.items():
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / "__init__.py").write_text(f'"""{text}"""\n', encoding="utf-8")
    (tmp_path / "a" / "__pycache__").mkdir()
    assert list(tree.folders(tmp_path)) == [
        tree.Entry("a", "What a is: one thing."),
        tree.Entry("a/b", "b: the sentence of b."),
        tree.Entry("d", "Wrapped over two lines!"),
    ]


def test_the_page_agrees_with_the_code() -> None:
    text = tree.PAGE.read_text(encoding="utf-8")
    assert text == tree.page(text), "run `make docs-update`"


def test_every_layer_is_a_module_and_every_module_has_a_layer() -> None:
    in_contract = {name for layer in tree.layers() for name in layer}
    on_disk = {path.stem for path in tree.SOURCE.iterdir() if not path.name.startswith("_")}
    assert in_contract <= on_disk
    assert on_disk - in_contract <= {"recipes", "rle", "py"}


def test_the_data_flow_names_packages_that_exist() -> None:
    flow = re.split(r"^## ", tree.PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1]
    named = set(re.findall(r"[a-z_]+\.[a-z_]+", flow)) - {"recipe.yaml", "engine.py"}
    assert len(named) > 10
    missing = [one for one in named if not (tree.SOURCE / one.replace(".", "/")).is_dir()]
    assert missing == []


@pytest.mark.parametrize("layer", tree.layers(), ids="+".join)
def test_the_drawing_has_a_box_for_each_layer(layer: list[str]) -> None:
    assert sum(all(name in line for name in layer) for line in tree.drawing().splitlines()) >= 1
