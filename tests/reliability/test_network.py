"""No command asks the network for anything, not even for a name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories.discs import discs

EARLIER = Path(__file__).parents[1] / "data" / "earlier_run"

RECORDED = """
import json, os, sys, time
asked = []

def note(event, words):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        asked.append([event, str(words[0])])
    elif event in ("socket.connect", "socket.sendto") and isinstance(words[1], tuple):
        asked.append([event, str(words[1])])  # sockets between processes have a path

sys.addaudithook(note)
if os.environ.get("WITHOUT_PAUSES"):  # between the hub's own retries
    time.sleep = lambda seconds: None
from lamina.cli.main import app
codes = []
for line in json.loads(sys.argv[1]):
    try:
        app(line, standalone_mode=True)
    except SystemExit as end:
        codes.append(end.code)
print()
print(json.dumps({"asked": asked, "codes": codes}))
"""


def recorded(lines: list[list[str]], **environment: str) -> dict[str, list[object]]:
    """Run commands in one new process; return what they asked of the network, and exit codes."""
    done = subprocess.run(
        [sys.executable, "-c", RECORDED, json.dumps(lines)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LAMINA_ONLINE": "0", "OMP_NUM_THREADS": "1", **environment},
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[object]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
def test_w13_every_command_works_without_a_network(tmp_path: Path) -> None:
    """W13, R6: all verbs, in one process whose every look-up and connection is noted."""
    run = Path(shutil.copytree(EARLIER, tmp_path / "earlier")) / "run"
    data, out = tmp_path / "earlier" / "data", tmp_path / "out"
    images, pred = data / "images", out / "pred"
    recipe = tmp_path / "recipe.yaml"
    shutil.copy(run / "recipe.yaml", recipe)
    lines = [
        ["new", "folder-laptop"],
        ["check", recipe, "--data", data],
        ["doctor", recipe, "--data", data],
        ["train", recipe, "--data", data, "--out", out / "run", "--workers", "1",
         "-s", "train.epochs=1"],
        ["tune", out / "run"],
        ["report", out / "run"],
        ["ensemble", run, out / "run", "--out", out / "both"],
        ["predict", out / "both", images, "--out", pred],
        ["score", pred, data],
        ["submit", pred, "--format", "severstal", "--out", out / "sub.csv"],
    ]  # fmt: skip
    found = recorded([[str(word) for word in line] for line in lines])
    assert found["asked"] == []
    assert found["codes"] == [0] * len(lines)


@pytest.mark.slow
def test_trust_1_published_weights_are_not_looked_up_without_leave(tmp_path: Path) -> None:
    """TRUST-1, R6: exit 4 without leave; with ``--online`` the name of the hub is asked."""
    data = discs(tmp_path / "data", count=4)
    line = ["train", "folder-laptop", "--data", str(data), "--workers", "0", "-s", "split.count=2"]
    line += ["-s", "network.weights=imagenet", "-s", "network.encoder=resnet18"]
    hub = {"HF_HOME": str(tmp_path / "hub"), "HF_ENDPOINT": "http://127.0.0.1:9"}  # refused
    hub["WITHOUT_PAUSES"] = "1"
    quiet = recorded([[*line, "--out", str(tmp_path / "a")]], **hub)
    assert quiet == {"asked": [], "codes": [4]}
    allowed = recorded([[*line, "--out", str(tmp_path / "b"), "--online"]], **hub)
    assert allowed["codes"] == [4]
    assert any("127.0.0.1" in str(one) for one in allowed["asked"])


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
def test_w13_in_a_network_namespace_without_routes(tmp_path: Path) -> None:
    """W13: where the machine allows it, with no network at all."""
    run = Path(shutil.copytree(EARLIER, tmp_path / "earlier")) / "run"
    images = tmp_path / "earlier" / "data" / "images"
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let a test make a network namespace")
    words = ["predict", str(run), str(images), "--out", str(tmp_path / "pred")]
    done = subprocess.run(
        ["unshare", "-rn", sys.executable, "-m", "lamina.cli.main", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
