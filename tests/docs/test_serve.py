"""The HTTP endpoint of docs/serve.md, run by a server in a process of its own."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tools.pages.markdown import ROOT, blocks

import lamina
from tests.factories.bundles import Maker

PAGE = ROOT / "docs" / "serve.md"


def program() -> str:
    """Return the code that the page calls serve.py."""
    text = PAGE.read_text(encoding="utf-8")
    (code,) = [one.text for one in blocks(text) if one.text.startswith("# serve.py\n")]
    return code


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve serve.py of a folder on a free port of the loopback, and yield its address."""
    command = [sys.executable, "-m", "uvicorn", "serve:app", "--host", "127.0.0.1", "--port", "0"]
    quiet = [*command, "--no-access-log"]
    with subprocess.Popen(quiet, cwd=folder, stderr=subprocess.PIPE, text=True) as server:
        try:
            yield _address(server.stderr or ())
        finally:
            server.terminate()


def _address(lines: Iterable[str]) -> str:
    """Return the address that a starting server says."""
    said = []
    for line in lines:
        said.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return found[0]
    raise AssertionError("".join(said))


def post(address: str, data: bytes) -> tuple[int, Any]:
    request = urllib.request.Request(f"{address}/predict", data=data, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_a_server_answers_as_the_model_does(make: Maker, tmp_path: Path) -> None:
    make.bundle(task={"kind": "binary", "names": ["spot"]}).save(tmp_path / "runs" / "photos")
    (tmp_path / "serve.py").write_text(program().replace("32 * 2**20", "100_000"), encoding="utf-8")
    model, files = lamina.load(tmp_path / "runs" / "photos"), []
    for number in range(4):
        noise = np.random.default_rng(number).random((40 + number, 60)).astype(np.float32)
        pixels = (cv2.GaussianBlur(noise, (0, 0), 2) * 255).astype(np.uint8)
        files.append(tmp_path / f"{number}.png")
        cv2.imwrite(str(files[-1]), pixels)
    with served(tmp_path) as address:
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda path: post(address, path.read_bytes()), files))
        for path, (status, found) in zip(files, answers, strict=True):
            wanted = model(path)
            assert (status, found["names"]) == (200, ["spot"])
            png = np.frombuffer(base64.b64decode(found["png"]), np.uint8)
            mask = cv2.imdecode(png, cv2.IMREAD_UNCHANGED)
            sure = np.abs(wanted.probabilities[0] - 0.5) > 1e-3
            np.testing.assert_array_equal(mask[sure], wanted.labels[sure])
            parts = cv2.connectedComponents(mask, connectivity=8)[0] - 1
            assert len(found["objects"]["features"]) == parts
        assert post(address, b"no image")[0] == 422
        assert "error" in post(address, b"")[1]
        assert post(address, bytes(200_000))[0] == 413
        assert post(address, files[0].read_bytes())[0] == 200


def test_the_program_is_about_thirty_lines() -> None:
    lines = [line for line in program().splitlines() if line.strip()]
    assert len(lines) <= 38
