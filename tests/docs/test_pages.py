"""Every console and Python block of the documents is run, and shows what the program does now."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from tools.pages.markdown import Session, blocks, pages, sessions
from tools.pages.outputs import differences
from tools.pages.sessions import run_session

from tests.factories.processes import PROCESSES


def every_session() -> list[object]:
    return [
        pytest.param(
            session,
            id=session.name,
            marks=[pytest.mark.docs, *([pytest.mark.slow] if session.slow else [])],
        )
        for page in pages()
        for session in sessions(page)
    ]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("session", every_session())
def test_a_session_does_what_its_page_shows(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes that its commands start are forked from one that has imported everything."""
    monkeypatch.setattr(multiprocessing, "get_context", lambda method=None: PROCESSES)
    for block, now in run_session(session, tmp_path):
        changed = differences(block.text, now)
        where = f"{session.page.name}:{block.line}: run `make docs-update`"
        assert changed == [], "\n".join([where, *changed])


def test_every_console_block_is_run_or_says_why_not() -> None:
    run, skipped = 0, []
    for page in pages():
        ran = [block for session in sessions(page) for block in session.blocks]
        run += sum(block.language == "console" for block in ran)
        for block in blocks(page.read_text(encoding="utf-8")):
            if "skip" in block.notes:
                assert block.notes["skip"], f"{page.name}:{block.line}: skip WHY"
                skipped.append(f"{page.name}:{block.line}")
    assert run > 20
    assert len(skipped) <= 6, skipped
