"""Pages as blocks: where they are, what is noted above them, and how they are replaced."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools.pages.markdown import blocks, rewritten, sessions

PAGE = """\
# A page

<!-- docs: data tiles; quick train -s a=1, pseudo --sure 0.5 -->
```console
$ lamina new
```

```python
print(1)
```

```text
1
```
Text between.
```text
alone
```

<!-- docs: session; slow -->
```console
$ ls
```

<!-- docs: skip it fetches packages -->
```console
$ pip install lamina
```
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.md"
    path.write_text(PAGE, encoding="utf-8")
    return path


def test_blocks_know_language_line_and_notes() -> None:
    found = list(blocks(PAGE))
    assert [block.language for block in found] == [
        "console", "python", "text", "text", "console", "console",
    ]  # fmt: skip
    assert found[0].notes == {"data": "tiles", "quick": "train -s a=1, pseudo --sure 0.5"}
    assert [PAGE.splitlines()[block.line - 1] for block in found] == [
        block.text.splitlines()[0] for block in found
    ]
    assert [block.follows for block in found] == [False, True, True, False, False, False]


def test_a_directive_is_a_block_of_no_language_that_runs() -> None:
    page = "```{toctree}\na\n```\n" * 3 + PAGE
    languages = [block.language for block in blocks(page)]
    assert languages[:3] == ["{toctree}"] * 3
    assert languages[3:] == [block.language for block in blocks(PAGE)]


def test_sessions_begin_at_their_note_and_leave_skipped_blocks_out(page: Path) -> None:
    first, second = sessions(page)
    assert [block.language for block in first.blocks] == ["console", "python", "text", "text"]
    assert [block.text for block in second.blocks] == ["$ ls\n"]
    assert (first.slow, second.slow) == (False, True)
    assert first.name == "page-5"


def test_blocks_are_replaced_where_they_are() -> None:
    found = list(blocks(PAGE))
    changed = [(found[2], "2\n3\n"), (found[0], "$ lamina new\nmore\n")]
    expected = PAGE.replace("$ lamina new\n", "$ lamina new\nmore\n").replace("\n1\n", "\n2\n3\n")
    assert rewritten(PAGE, changed) == expected
    assert rewritten(PAGE, [(block, block.text) for block in found]) == PAGE


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```console\n$ ls\n", "the block has no end"),
        ("<!-- docs: fast -->\n```console\n```\n", "'fast' is none of the notes"),
    ],
)
def test_a_page_with_a_mistake_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        list(blocks(text))
