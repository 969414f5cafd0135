"""Every address of the viewer, hostile ones, and that nothing is written."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from lamina.viewer.board import Board
from lamina.viewer.server import STATIC, app

TOKEN, PORT = "t" * 43, 8000
BASE = f"http://127.0.0.1:{PORT}"


def client(board: Board) -> TestClient:
    """Return a browser that has opened the address with the token."""
    found = TestClient(app(board, TOKEN, PORT), base_url=BASE, raise_server_exceptions=False)
    answer = found.get(f"/?token={TOKEN}", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    return found


def digest(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        found.update(str(path).encode())
        if path.is_file():
            found.update(path.read_bytes() + str(path.stat().st_mtime_ns).encode())
    return found.hexdigest()


def picture(data: bytes) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED))


def test_every_address_answers_and_nothing_is_written(board: Board) -> None:
    before = digest(board.run.folder)
    browser = client(board)
    page = browser.get("/")
    assert page.headers["content-type"].startswith("text/html")
    for name in STATIC:
        assert browser.get(f"/static/{name}").status_code == 200
        assert f"/static/{name}" in page.text + browser.get("/static/view.js").text
    state = browser.get("/api/state").json()
    assert (state["count"], state["slides"], state["value"]) == (6, True, board.score(""))
    cases = browser.get("/api/cases?sort=worst").json()
    assert cases["count"] == 6
    assert browser.get("/api/cases?sort=id&class=0&fold=1&offset=0").status_code == 200
    row = next(one for one in cases["cases"] if one["number"] == 3)
    assert browser.get("/api/3/about").json() == row
    text = "0.5:0;0.4:20"
    assert browser.get("/api/score", params={"d": text}).json()["value"] == board.score(text)
    answer = browser.get("/api/2/score", params={"d": text}).json()
    assert answer["value"] == board.case_score(2, text)
    assert set(browser.get("/api/curves").json()) == {"fold0", "fold1"}
    assert picture(browser.get("/api/0/thumbnail").content).shape == (32, 48, 3)
    assert digest(board.run.folder) == before


def test_layers_are_the_pixels_of_the_case(board: Board) -> None:
    browser = client(board)
    whole = "box=0,0,32,48&size=32,48"
    opened = board.opened(1)
    found = {
        what: picture(browser.get(f"/api/1/{what}?{whole}&class=1").content)
        for what in ("image", "probability", "truth", "mask")
    }
    assert (found["truth"] == 255 * opened.target[1]).all()
    assert (found["mask"] == 255 * board.decided(1, "")[1]).all()
    assert np.abs(found["probability"] / 255 - opened.prob[1]).max() <= 0.5 / 255 + 1e-6
    image = board.cases[1].case.image
    from lamina.volume import read_all

    assert (found["image"] == read_all(image)[0]).all()
    part = picture(browser.get("/api/1/mask?box=4,6,20,40&size=8,17&class=1").content)
    blocks = board.decided(1, "")[1][4:20, 6:40].reshape(8, 2, 17, 2).any(axis=(1, 3))
    assert (part == 255 * blocks).all()
    text = "1:0;0.05:0"
    tried = picture(browser.get(f"/api/1/mask?{whole}&class=1&d={text}").content)
    assert (tried == 255 * (opened.prob[1] > 0.05)).all()


def test_planes_of_a_volume_agree_where_they_meet(volume_board: Board) -> None:
    browser = client(volume_board)
    shape = volume_board.cases[0].case.image.shape
    at = (1, 7, 9)
    for what in ("image", "truth", "probability", "mask"):
        values = []
        for axis in range(3):
            left = [n for n in range(3) if n != axis]
            rows, columns = (shape[n] for n in left)
            query = f"axis={axis}&at={at[axis]}&box=0,0,{rows},{columns}&size={rows},{columns}"
            found = picture(browser.get(f"/api/0/{what}?{query}").content)
            assert found.shape == (rows, columns)
            values.append(int(found[at[left[0]], at[left[1]]]))
        assert len(set(values)) == 1


HOSTILE = [
    "/api/0/image",
    "/api/0/image?box=0,0,9999999999999999999,4&size=1,1",
    "/api/0/image?box=-1,0,4,4&size=1,1",
    "/api/0/image?box=0,0,32,48&size=100000,100000",
    "/api/0/image?box=nan,0,1,1&size=1,1",
    "/api/0/mask?box=0,0,32,48&size=8,8&class=99",
    "/api/0/mask?box=0,0,32,48&size=8,8&class=-1",
    "/api/0/mask?box=0,0,32,48&size=8,8&d=1e309:0;0:0",
    "/api/0/password?box=0,0,1,1&size=1,1",
    "/api/99999999999999999999999999/thumbnail",
    "/api/-1/thumbnail",
    "/api/6/thumbnail",
    "/api/0/../../etc/passwd",
    "/api/0/..%2f..%2fetc%2fpasswd",
    "/static/..%2f..%2fserver.py",
    "/static/%2e%2e/server.py",
    "/static/view.js%00.css",
    "/static/",
    "/api/cases?sort=__class__",
    "/api/cases?offset=-5",
    "/api/cases?class=1e9",
    "/api/curves?since=[[[[",
    "/api/curves?since={%22fold0%22:%22a%22}",
]


@pytest.mark.parametrize("address", HOSTILE)
def test_n12_hostile_addresses_are_refused_in_words(board: Board, address: str) -> None:
    answer = client(board).get(address)
    assert 400 <= answer.status_code < 500
    assert "Traceback" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_n12_who_has_no_token_or_asks_from_elsewhere_gets_nothing(board: Board) -> None:
    stranger = TestClient(app(board, TOKEN, PORT), base_url=BASE)
    for address in (
        "/",
        "/api/state",
        "/static/view.js",
        "/?token=wrong",
        "/api/state?token=" + TOKEN,
    ):
        answer = stranger.get(address, follow_redirects=False)
        assert answer.status_code == 403
        assert "lamina view" in answer.text
    browser = client(board)
    for host in ("evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1"):
        assert browser.get("/api/state", headers={"host": host}).status_code == 421
    for site in ("cross-site", "same-site"):
        assert browser.get("/api/state", headers={"sec-fetch-site": site}).status_code == 403
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert browser.request(method, "/api/state").status_code == 405


def test_n12_answers_forbid_scripts_of_others_and_storing(board: Board) -> None:
    headers = client(board).get("/").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers
