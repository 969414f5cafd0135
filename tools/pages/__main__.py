"""Rewrite what is generated in the documents from real runs.

Run        python -m tools.pages                   all pages, without blocks marked slow
           python -m tools.pages --slow            all pages, with them
           python -m tools.pages docs/ink.md ...   these pages only
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tools import tree
from tools.pages import tables
from tools.pages.markdown import Block, pages, rewritten, sessions
from tools.pages.sessions import run_session


def update(page: Path, *, slow: bool) -> bool:
    """Rewrite the outputs of a page; return whether anything changed."""
    changed: list[tuple[Block, str]] = []
    for session in sessions(page):
        if session.slow and not slow:
            print(f"{session.name}: left out, slow")
            continue
        begun = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            changed += run_session(session, Path(folder).resolve())
        print(f"{session.name}: {time.process_time() - begun:.1f} s of CPU")
    before = page.read_text(encoding="utf-8")
    after = rewritten(before, changed)
    after = tables.updated(page.name, after)
    if page == tree.PAGE:
        after = tree.page(after)
    page.write_text(after, encoding="utf-8")
    return after != before


def main(arguments: Sequence[str]) -> int:
    """Rewrite the pages named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tools.pages", description=__doc__)
    parser.add_argument("pages", nargs="*", type=Path, help="pages; none: all")
    parser.add_argument("--slow", action="store_true", help="run what takes minutes, too")
    options = parser.parse_args(arguments)
    for page in [path.resolve() for path in options.pages] or pages():
        if update(page, slow=options.slow):
            print(f"{page.name}: changed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
