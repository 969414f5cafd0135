"""The suite with the lowest versions that the floors in pyproject.toml allow.

Run        python -m tools.lowest                      print the lowest versions, as constraints
           python -m tools.lowest VENV [PYTEST ...]    make VENV with them and run the suite in it

uv resolves: the lowest version of what Lamina names itself, the newest that fits of the rest.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
OLDEST_PYTHON = "3.11"


def lowest(uv: Sequence[str]) -> str:
    """Return the lowest versions together as pip constraints, a line each.

    Args:
        uv: The command that runs uv.

    Raises:
        subprocess.CalledProcessError: no set of versions satisfies the floors.
    """
    options = ["--resolution", "lowest-direct", "--extra", "test", "--python", OLDEST_PYTHON]
    command = [*uv, "pip", "compile", "--quiet", "--no-header", "--no-annotate", *options]
    done = subprocess.run(
        [*command, str(ROOT / "pyproject.toml")], check=True, capture_output=True, text=True
    )
    return done.stdout


def main(arguments: Sequence[str]) -> int:
    """Print the constraints, or run the suite in a new environment; return the exit status."""
    if not arguments:
        print(lowest([sys.executable, "-m", "uv"]), end="")
        return 0
    folder, *options = arguments
    venv.create(folder, with_pip=True, clear=True)
    python = str(Path(folder) / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "uv"], check=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(lowest([python, "-m", "uv"]))
        file.flush()
        subprocess.run([*pip, "--constraint", file.name, "-e", f"{ROOT}[test]"], check=True)
    return subprocess.run([python, "-m", "pytest", *options], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
