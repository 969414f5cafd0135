"""The names at the top: what each of them is, whatever was imported before."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import lamina

VERBS = ("ensemble", "predict", "pseudo", "report", "score", "submit", "train", "tune")


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_is_called_by_its_name_though_a_package_has_the_same(name: str) -> None:
    import lamina.prediction.engine
    import lamina.reporting.page
    import lamina.training.run

    for _ in range(2):
        verb = getattr(lamina, name)
        assert callable(verb)
        assert inspect.signature(verb) == inspect.signature(lamina.__getattr__(name))
    assert lamina.training.run.train is not None
    assert lamina.prediction.engine.predict_case is not None


def test_a_call_reaches_the_function(tmp_path_factory: pytest.TempPathFactory) -> None:
    from lamina import predict, report

    folder = tmp_path_factory.mktemp("empty")
    with pytest.raises(lamina.LaminaError, match="name a run folder"):
        report(folder)
    with pytest.raises(lamina.LaminaError):
        predict([folder], [folder], folder / "out")


def test_every_name_is_there_and_importing_lamina_loads_nothing_heavy() -> None:
    for name in lamina.__all__:
        assert getattr(lamina, name) is not None
    code = "import lamina, sys; print({'numpy', 'torch', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
