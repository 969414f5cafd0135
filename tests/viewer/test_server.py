"""Every address of the viewer, hostile ones, and that nothing is written."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from lamina.data.targets.ground_truth import truth
from lamina.viewer.board import Board
from lamina.viewer.live import Training
from lamina.viewer.server import STATIC, Shown, app, routes
from tests.factories.predictions import copied_predictions
from tests.viewer.conftest import shown

TOKEN, PORT = "t" * 43, 8000
BASE = f"http://127.0.0.1:{PORT}"


def client(*boards: Board) -> TestClient:
    """Return a browser that has opened the address with the token."""
    found = TestClient(
        app(seen(*boards), TOKEN, PORT), base_url=BASE, raise_server_exceptions=False
    )
    answer = found.get(f"/?token={TOKEN}", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    return found


def seen(*boards: Board) -> Shown:
    return Shown(boards, Training(boards[0].folder) if boards[0].is_run else None)


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
    before = digest(board.folder)
    browser = client(board)
    page = browser.get("/")
    assert page.headers["content-type"].startswith("text/html")
    scripts = "".join(browser.get(f"/static/{name}").text for name in STATIC)
    for name in STATIC:
        assert f"/static/{name}" in page.text + scripts
    found = browser.get("/api/state").json()
    (state,) = found["folders"]
    assert found["training"]
    assert (state["count"], state["slides"], state["value"]) == (6, True, board.score(""))
    cases = browser.get("/api/cases?sort=worst").json()
    assert cases["count"] == 6
    assert browser.get("/api/cases?sort=id&class=0&fold=1&offset=0").status_code == 200
    row = next(one for one in cases["cases"] if one["number"] == 3)
    assert browser.get("/api/3/about").json() == row
    text = "0.5:0;0.4:20"
    assert browser.get("/api/score", params={"d": text}).json()["value"] == board.score(text)
    answer = browser.get("/api/2/score", params={"d": text}).json()
    assert answer == board.case_score(2, text)
    assert browser.get("/api/training").json()["running"] is False
    assert browser.get("/api/validation").json() == {}
    assert browser.get("/api/cases?text=B.PN").json()["cases"][0]["id"] == "b.png"
    assert set(browser.get("/api/curves").json()) == {"fold0", "fold1"}
    assert picture(browser.get("/api/0/thumbnail").content).shape == (32, 48, 3)
    assert digest(board.folder) == before


ASKED = {
    "/",
    "/api/state",
    "/api/cases",
    "/api/score",
    "/api/compare",
    "/api/training",
    "/api/curves",
    "/api/validation",
    "/api/{case:int}/about",
    "/api/{case:int}/score",
    "/api/{case:int}/thumbnail",
    "/api/{case:int}/{layer:str}",
    *(f"/static/{name}" for name in STATIC),
}
"""What the tests of this file ask for; a new address needs a test."""


def test_there_is_no_other_address(board: Board) -> None:
    assert {route.path for route in routes(seen(board))} == ASKED


def test_layers_are_the_pixels_of_the_case(board: Board) -> None:
    browser = client(board)
    whole = "box=0,0,32,48&size=32,48"
    one = board.cases[1]
    target, prob = truth(one.found.case, board.task)[0], one.found.predictions.prob(one.id)
    found = {
        what: picture(browser.get(f"/api/1/{what}?{whole}&class=1").content)
        for what in ("image", "probability", "truth", "mask")
    }
    assert (found["truth"] == 255 * target[1]).all()
    masks = board.decision(prob)
    assert (found["mask"] == 255 * masks[1]).all()
    assert np.abs(found["probability"] / 255 - prob[1]).max() <= 0.5 / 255 + 1e-6
    image = board.cases[1].found.case.image
    from lamina.volume import read_all

    assert (found["image"] == read_all(image)[0]).all()
    part = picture(browser.get("/api/1/mask?box=4,6,20,40&size=8,17&class=1").content)
    blocks = masks[1][4:20, 6:40].reshape(8, 2, 17, 2).any(axis=(1, 3))
    assert (part == 255 * blocks).all()
    text = "1:0;0.05:0"
    tried = picture(browser.get(f"/api/1/mask?{whole}&class=1&d={text}").content)
    assert (tried == 255 * (prob[1] > 0.05)).all()


def test_planes_of_a_volume_agree_where_they_meet(volume_board: Board) -> None:
    browser = client(volume_board)
    shape = volume_board.cases[0].found.case.image.shape
    at = (1, 7, 9)
    for what in ("image", "truth", "probability", "mask"):
        values = []
        for axis in range(3):
            left = [n for n in range(3) if n != axis]
            rows, columns = (shape[n] for n in left)
            query = f"axis={axis}&at={at[axis]}&box=0,0,{rows},{columns}&size={rows},{columns}"
            found = picture(browser.get(f"/api/0/{what}?{query}").content)
            assert found.shape == (rows, columns)
            turned = picture(browser.get(f"/api/0/{what}?{query}&turned=1").content)
            assert (turned == found.T).all()
            values.append(int(found[at[left[0]], at[left[1]]]))
        assert len(set(values)) == 1


def test_a_small_picture_of_a_volume_has_depth_downwards(
    volume_board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = client(volume_board)
    stored = picture(browser.get("/api/0/thumbnail").content)
    assert stored.shape == (20, 24, 3)
    monkeypatch.setattr("lamina.viewer.cases.pictures.down_of", lambda *_: 2)  # of samples
    turned = picture(browser.get("/api/0/thumbnail").content)
    assert (turned == stored.swapaxes(0, 1)).all()


def test_predictions_and_two_folders_answer_too_and_nothing_is_written(
    run_folder: Path, predictions: Path, tmp_path: Path
) -> None:
    before = [digest(run_folder), digest(predictions)]
    found = shown(tmp_path / "scratch", run_folder, predictions, truth=tmp_path / "data")
    browser = client(*found.boards)
    first, second = browser.get("/api/state").json()["folders"]
    assert (first["run"], second["run"]) == (True, False)
    assert (first["folder"], second["folder"]) == (run_folder.name, predictions.name)
    answer = browser.get("/api/compare?sort=losses").json()
    assert (answer["count"], answer["only"]) == (6, [0, 0])
    assert answer["verdict"]["scores"] == [first["value"], second["value"]]
    for of in (0, 1):
        assert browser.get(f"/api/cases?of={of}&sort=id").json()["count"] == 6
        assert browser.get(f"/api/3/about?of={of}").json()["number"] == 3
        assert picture(browser.get(f"/api/3/thumbnail?of={of}").content).shape == (32, 48, 3)
        assert browser.get(f"/api/score?of={of}").json()["value"] == found.boards[of].score("")
    whole = "box=0,0,32,48&size=32,48&class=0"
    masks = [picture(browser.get(f"/api/0/mask?{whole}&of={of}").content) for of in (0, 1)]
    assert (np.roll(masks[0], 3, axis=1) == masks[1]).all()
    assert [digest(run_folder), digest(predictions)] == before


def test_predictions_alone_have_no_training_and_no_truth(predictions: Path, tmp_path: Path) -> None:
    browser = client(*shown(tmp_path / "scratch", predictions).boards)
    assert browser.get("/api/state").json()["training"] is False
    for address in ("/api/training", "/api/curves", "/api/validation", "/api/compare"):
        assert browser.get(address).status_code == 404
    answer = browser.get("/api/0/truth?box=0,0,32,48&size=32,48")
    assert (answer.status_code, answer.json()["error"]) == (400, "the case has no truth")
    assert picture(browser.get("/api/0/thumbnail").content).shape == (32, 48, 3)
    assert browser.get("/api/0/score").json()["value"] is None


def test_an_image_that_went_away_is_told_in_words(predictions: Path, tmp_path: Path) -> None:
    found = shown(tmp_path / "scratch", predictions)
    (tmp_path / "data").rename(tmp_path / "gone")
    answer = client(*found.boards).get("/api/0/image?box=0,0,32,48&size=32,48")
    assert answer.status_code == 409
    assert "data" in answer.json()["error"]


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
    "/api/cases?of=1",
    "/api/cases?of=-1",
    "/api/cases?of=../run",
    "/api/state/..%2f..%2frecipe.json",
    "/api/compare",
    "/api/compare?sort=worst&offset=-1",
    "/api/0/about?of=99999999999999999999",
    "/api/0/score?d=nan:0;0:0",
    "/api/0/image?box=0,0,4,4&size=0,1",
    "/api/0/image?box=0,0,4,4&size=1,1&axis=3",
    "/api/0/image?box=0,0,4,4,5&size=1,1",
    "/api/validation/fold0",
    "/api/validation%00",
    "/api/training/..",
]


HOSTILE_OF_TWO = [
    "/api/compare?sort=__dict__",
    "/api/compare?offset=-1",
    "/api/compare?offset=1e9",
    "/api/cases?of=2",
    "/api/0/thumbnail?of=0x1",
    "/api/6/thumbnail?of=1",
    "/api/0/mask?of=1&box=0,0,32,48&size=8,8&d=0.5:0",
    "/api/0/..%2f..%2fledger.jsonl?of=1",
]


@pytest.mark.parametrize("address", HOSTILE_OF_TWO)
def test_n12_hostile_addresses_of_two_folders_are_refused_in_words(
    run_folder: Path, tmp_path: Path, address: str
) -> None:
    pred = copied_predictions(run_folder, tmp_path / "pred")
    answer = client(*shown(tmp_path / "scratch", run_folder, pred).boards).get(address)
    assert 400 <= answer.status_code < 500
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("address", HOSTILE)
def test_n12_hostile_addresses_are_refused_in_words(board: Board, address: str) -> None:
    answer = client(board).get(address)
    assert 400 <= answer.status_code < 500
    assert "Traceback" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_n12_who_has_no_token_or_asks_from_elsewhere_gets_nothing(board: Board) -> None:
    stranger = TestClient(app(seen(board), TOKEN, PORT), base_url=BASE)
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
