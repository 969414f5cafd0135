"""The pre-commit hooks: local only, run what is installed, and hold for the repository as it is."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
CONFIG = YAML(typ="safe").load(ROOT / ".pre-commit-config.yaml")
HOOKS: list[dict[str, Any]] = [hook for repo in CONFIG["repos"] for hook in repo["hooks"]]
BANS = [hook for hook in HOOKS if hook["language"] == "pygrep"]
BROKEN = {
    "no-pickle": "data = np.load(path, allow_pickle=True)",
    "no-bare-suppression": "value = eval(text)  # noqa",
    "no-machine-paths": 'DATA = "/home/me/data"',
    "no-open-points": "# TODO: later",
    "no-conflict-markers": "<<<<<<< HEAD",
}


def files_of(hook: dict[str, Any]) -> list[Path]:
    try:
        done = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    chosen, left_out = re.compile(hook.get("files", "")), hook.get("exclude")
    return [
        ROOT / name
        for name in done.stdout.splitlines()
        if chosen.search(name) and not (left_out and re.search(left_out, name))
    ]


def test_every_hook_is_local() -> None:
    assert {repo["repo"] for repo in CONFIG["repos"]} == {"local"}
    assert {hook["language"] for hook in HOOKS} == {"system", "pygrep"}


def test_programs_come_with_the_linters() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    linters = " ".join(settings["project"]["optional-dependencies"]["lint"])
    programs = {hook["entry"].split()[0] for hook in HOOKS if hook["language"] == "system"}
    assert programs == {"ruff", "mypy", "lint-imports", "python"}
    assert {"ruff", "mypy", "import-linter"} <= set(re.findall(r"[a-z-]+", linters))


@pytest.mark.parametrize("hook", BANS, ids=lambda hook: str(hook["id"]))
def test_no_line_of_the_repository_is_banned(hook: dict[str, Any]) -> None:
    ban = re.compile(hook["entry"])
    found = []
    for path in files_of(hook):
        if path.is_symlink() or not path.is_file():
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        where = path.relative_to(ROOT)
        found += [f"{where}:{n}: {line}" for n, line in enumerate(lines, 1) if ban.search(line)]
    assert found == []


@pytest.mark.parametrize("hook", BANS, ids=lambda hook: str(hook["id"]))
def test_a_banned_line_is_noticed(hook: dict[str, Any]) -> None:
    assert re.search(hook["entry"], BROKEN[hook["id"]])
