"""Generated parts of a page: what lies between ``<!-- NAME -->`` and ``<!-- end of NAME -->``."""

from __future__ import annotations

import re


def replaced(text: str, name: str, content: str) -> str:
    """Return ``text`` with the stretch called ``name`` replaced.

    Raises:
        ValueError: the text does not have the stretch exactly once.
    """
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"the page must have '{begin}' and '{end}' once")
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    new = f"{begin}\n{content}\n{end}"
    return re.sub(pattern, lambda _: new, text, flags=re.DOTALL)
