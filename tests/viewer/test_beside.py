"""The page of a training from before it has begun to after its end, in a process of its own."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

from lamina.viewer.beside import viewing


def opener() -> Callable[[str], bytes]:
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    return lambda address: bytes(browser.open(address, timeout=60).read())


def test_a_training_is_shown_once_it_has_begun(run_folder: Path, tmp_path: Path) -> None:
    later = tmp_path / "later"
    with viewing(later, tmp_path / "data") as address:
        base, get = address.split("/?")[0], opener()
        assert b"has not begun" in get(address)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(base, timeout=60)
        run_folder.rename(later)
        state: dict[str, list[dict[str, int]]] = {}
        for _ in range(600):
            page = get(f"{base}/api/state")
            if page.startswith(b"{"):
                state = json.loads(page)
                if state["folders"][0]["count"] == 6:
                    break
            time.sleep(0.1)
        assert state["folders"][0]["count"] == 6
        assert json.loads(get(f"{base}/api/training"))["running"] is False
    with pytest.raises(OSError, match=r"refused|reset"):
        urllib.request.urlopen(base, timeout=5)
