"""Sessions run for real, and pages that say something else are noticed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools.pages.markdown import Session, sessions
from tools.pages.outputs import differences
from tools.pages.sessions import BlockError, run_session


def session(folder: Path, text: str) -> Session:
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    (found,) = sessions(page)
    return found


def drift(folder: Path, text: str) -> list[str]:
    """Return how a page differs from what it does."""
    work = folder / "work"
    work.mkdir()
    results = run_session(session(folder, text), work)
    return [line for block, now in results for line in differences(block.text, now)]


def test_a_page_that_is_right_has_no_differences(tmp_path: Path) -> None:
    text = (
        "```yaml\n# mine.yaml\nextends: folder-laptop\nname: mine\n```\n"
        "```console\n$ lamina check mine.yaml --why name\nname = mine\n...\n```\n"
        "```python\nfrom pathlib import Path\nprint(len(Path('mine.yaml').read_text()))\n```\n"
        "```text\n12345\n```\n"
    )
    assert drift(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("```console\n$ ls\nfile.txt\n```\n", "- file.txt"),
        ("```python\nprint('new')\n```\n```text\nold\n```\n", "+ new"),
    ],
)
def test_a_page_that_shows_something_else_is_noticed(tmp_path: Path, text: str, line: str) -> None:
    assert line in drift(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```console\n$ lamina new no-such-recipe\n```\n", "page.md:2: .* left with 2"),
        ("```console\n$ lamina new --list\nerror: no recipes\n```\n", "left with 0"),
        ("```python\nraise KeyError('x')\n```\n", "page.md:2: 'x'"),
        ("```console\n$ pip list\n```\n", "pages do not run 'pip'"),
        ("<!-- docs: data moon -->\n```console\n$ ls\n```\n", "moon"),
    ],
)
def test_a_block_that_does_not_work_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BlockError, match=said):
        drift(tmp_path, text)


def test_quick_options_are_added_only_where_no_output_is_shown(tmp_path: Path) -> None:
    note = "<!-- docs: quick check --resolved -->\n"
    silent = f"{note}```console\n$ lamina check folder-laptop > out.txt\n```\n"
    assert drift(tmp_path, silent) == []
    # With an output shown the very command is run, which prints one line.
    text = f"{note}```console\n$ lamina check folder-laptop\n...\n```\n"
    folder = tmp_path / "second"
    folder.mkdir()
    ((_, now),) = run_session(session(tmp_path, text), folder)
    assert now.count("\n") == 2
