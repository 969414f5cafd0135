"""Changelog fragments: names and kinds are valid, and a release assembles them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools import changelog


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    changes = tmp_path / "changes"
    changes.mkdir()
    (changes / "README.md").write_text("# not a fragment\n", encoding="utf-8")
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## 0.1.0 (2026-01-01)\n\nThe first.\n", encoding="utf-8"
    )
    return changes


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")


def test_the_fragments_of_the_repository_are_sound() -> None:
    assert changelog.problems(changelog.ROOT / "changes") == []


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("tune.improved.md", "Faster.", "is not TOPIC.KIND.md"),
        ("Tune.fixed.md", "Right.", "is not TOPIC.KIND.md"),
        ("tune_argmax.fixed.md", "Right.", "is not TOPIC.KIND.md"),
        ("tune.fixed.txt", "Right.", "is not TOPIC.KIND.md"),
        ("fixed.md", "Right.", "is not TOPIC.KIND.md"),
        ("tune.fixed.md", " \n", "is empty"),
        ("tune.fixed.md", "- Right.", "begins with a heading or a bullet"),
        ("tune.fixed.md", "# Right.", "begins with a heading or a bullet"),
        ("tune.fixed.md", "half a sentence", "does not end a sentence"),
        ("tune.fixed.md", "One. Two. `Three` is. Four.", "has 4 sentences; 3 at most"),
    ],
)
def test_a_fragment_with_a_problem_is_named(
    folder: Path, name: str, text: str, problem: str
) -> None:
    write(folder, name, text)
    (found,) = changelog.problems(folder)
    assert found.startswith(f"{name}: {problem}")
    with pytest.raises(ValueError, match=r"tune|fixed"):
        changelog.read(folder)


@pytest.mark.parametrize(
    "text", ["Version 0.5 reads `a.b.c`.", "One, e.g. this. Two!\nThree is wrapped\nover lines."]
)
def test_dots_within_words_end_no_sentence(folder: Path, text: str) -> None:
    write(folder, "a.added.md", text)
    assert changelog.problems(folder) == []


def test_a_release_groups_by_kind_and_takes_the_fragments_away(folder: Path) -> None:
    long = "Reads " + "many " * 30 + "files."
    write(folder, "b-two.fixed.md", "Second\nfix.\n")
    write(folder, "a-one.fixed.md", "First fix.")
    write(folder, "zarr.added.md", long)
    log = folder.parent / "CHANGELOG.md"
    changelog.release("0.2.0", folder, log, "2026-02-03")
    text = log.read_text(encoding="utf-8")
    assert text.startswith("# Changelog\n\n## 0.2.0 (2026-02-03)\n\n### Added\n\n- Reads many")
    assert (
        "### Fixed\n\n- First fix.\n- Second fix.\n\n## 0.1.0 (2026-01-01)\n\nThe first.\n" in text
    )
    assert " ".join(text.split()).count(" ".join(long.split())) == 1
    assert max(map(len, text.splitlines())) <= changelog.WIDTH
    assert [file.name for file in folder.iterdir()] == ["README.md"]


@pytest.mark.parametrize(
    ("version", "fragment", "said"),
    [
        ("0.1.0", "a.added.md", "has a section 0.1.0 already"),
        ("next", "a.added.md", "is not a version"),
        ("0.2.0", "a.wrong.md", "is not TOPIC.KIND.md"),
        ("0.2.0", "README.md", "there is no fragment"),
    ],
)
def test_a_release_that_cannot_be_changes_nothing(
    folder: Path, version: str, fragment: str, said: str
) -> None:
    write(folder, fragment, "A sentence.")
    log = folder.parent / "CHANGELOG.md"
    before = log.read_bytes()
    with pytest.raises(ValueError, match=said):
        changelog.release(version, folder, log, "2026-02-03")
    assert log.read_bytes() == before
    assert (folder / fragment).exists()
