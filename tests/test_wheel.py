"""The wheel: what a person gets who installs Lamina without its repository."""

from __future__ import annotations

import os
import re
import site
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command that must succeed, without this process's path to the sources."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel built with the installed backend, so that nothing is fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation")
    run(*pip, "--wheel-dir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith("dist-info/METADATA")]
        return Parser().parsestr(archive.read(name).decode("utf-8"))


def test_it_holds_every_file_of_the_package(wheel: Path) -> None:
    tracked = run("git", "ls-files", "src/lamina", cwd=ROOT).splitlines()
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if "dist-info" not in name}
    assert {name.removeprefix("src/") for name in tracked} == held
    assert {"lamina/py.typed", "lamina/recipe/recipe.schema.json"} <= held


def test_its_metadata_are_complete(metadata: Message) -> None:
    for field in ("Author", "Keywords", "License-Expression", "License-File", "Summary"):
        assert metadata[field], field
    classifiers = metadata.get_all("Classifier")
    assert classifiers is not None
    assert "Typing :: Typed" in classifiers


def test_its_readme_points_to_nothing_that_lies_in_the_repository(metadata: Message) -> None:
    assert metadata["Description-Content-Type"].startswith("text/markdown")
    readme = str(metadata.get_payload())
    outside_code = re.sub(r"^```.*?^```", "", readme, flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"\]\((?!https?://|#)", outside_code) == []
    assert "lamina train" in readme


@pytest.mark.timeout(1800)
def test_installed_into_an_empty_environment_it_runs_the_demo(wheel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=False)
    pip = (sys.executable, "-m", "pip", f"--python={folder}", "install", "--quiet", "--no-deps")
    run(*pip, wheel, cwd=tmp_path)
    installed = sysconfig.get_path("purelib", vars={"base": str(folder)})
    # Dependencies are those of this environment; of it no .pth file is read, so that lamina is
    # the one of the wheel.
    libraries = dict.fromkeys([sysconfig.get_path("purelib"), *site.getsitepackages()])
    Path(installed, "dependencies.pth").write_text("\n".join(libraries), encoding="utf-8")
    python = folder / "bin" / "python"
    home = run(python, "-c", "import lamina; print(lamina.__file__)", cwd=tmp_path).strip()
    assert Path(home).is_relative_to(folder)
    said = run(folder / "bin" / "lamina", "demo", "--quick", cwd=tmp_path)
    assert "submission lamina-demo/submission.csv (180 rows)" in said
    assert (tmp_path / "lamina-demo" / "run" / "report.html").is_file()
