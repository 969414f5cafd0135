"""Signals: the first is remembered, the second leaves at once, handlers are given back."""

from __future__ import annotations

import os
import signal

import pytest

from lamina.training.stage.signals import Stop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_remembered_and_the_second_leaves(number: signal.Signals) -> None:
    """C04."""
    before = signal.getsignal(number)
    stop = Stop()
    with stop.listening():
        os.kill(os.getpid(), number)
        assert stop.signal == number
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before
