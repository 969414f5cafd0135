"""The program in this process, as a person runs it."""

from __future__ import annotations

from typing import Any

from typer.testing import CliRunner, Result

from lamina.cli.main import app


def run_command(*words: Any, code: int = 0) -> Result:
    """Run ``lamina`` with these words and check its exit code; what failed is shown whole."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    said = f"{done.stdout}\n{done.stderr}\n{done.exception!r}"
    assert done.exit_code == code, said
    assert done.exception is None or isinstance(done.exception, SystemExit), said
    return done
