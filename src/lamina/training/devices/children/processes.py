"""The parent's side of a device's process: started, handed folds, asked to stop, or killed."""

from __future__ import annotations

import contextvars
import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing import get_context
from typing import Any

from lamina.errors import LaminaError, ResourceError, StoppedError
from lamina.machine.environment import started_with
from lamina.progress import say
from lamina.training.devices.children.child import run
from lamina.training.devices.children.messages import Begun, Row, Setup, Work
from lamina.training.devices.failures import Failed
from lamina.training.train_result import FoldResult

_ENDS = 10.0  # seconds that a process has to end when there is nothing more to do


class DeviceProcess:
    """One process with one device."""

    def __init__(
        self,
        setup: Setup,
        variables: Mapping[str, str],
        *,
        track: Callable[[dict[str, float], int], None],
    ) -> None:
        """Start it.

        Args:
            setup: What it is told first.
            variables: What its environment has besides ours, set before torch is imported.
            track: Gets the rows of numbers for the trackers.
        """
        self.name, self.busy, self._track = setup.name, False, track
        self._asked = False  # to stop
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._said, saying = context.Pipe(duplex=False)
        self._process = context.Process(target=run, args=(theirs, saying, setup))
        with started_with(variables):
            self._process.start()
        theirs.close()
        saying.close()
        here = contextvars.copy_context()  # so that lines are shown as the caller wants
        self._lines = threading.Thread(target=here.run, args=(self._relay,), daemon=True)
        self._lines.start()

    def work(self, work: Work, begun: Callable[[str], None]) -> FoldResult:
        """Let it train a fold; return the result.

        Args:
            work: The fold.
            begun: Called with the type of numbers when it begins.

        Raises:
            LaminaError: as the process said, or it ended; ``alive`` tells which.
        """
        with suppress(OSError):  # it ended; receiving tells
            self._connection.send(work)
        self.busy = True
        while True:
            message = self._receive(work)
            self.busy = not isinstance(message, FoldResult | Failed)
            if isinstance(message, FoldResult):
                return message
            if isinstance(message, Failed):
                raise message.error()
            if isinstance(message, Row):
                self._track(message.numbers, message.step)
            if isinstance(message, Begun):
                begun(message.precision)

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.is_alive()

    def stop(self) -> None:
        """Ask it to save and stop, once: a second signal would end it before it has saved."""
        asked, self._asked = self._asked, True
        if not asked and self._process.pid is not None and self.alive:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.join()

    def close(self) -> None:
        """End it when it has nothing more to do."""
        self._connection.close()
        self._process.join(_ENDS)
        if self.alive:
            self.kill()
        self._lines.join(_ENDS)
        self._said.close()

    def _receive(self, work: Work) -> Any:
        try:
            return self._connection.recv()
        except (EOFError, OSError):
            raise self._ended(work) from None

    def _ended(self, work: Work) -> LaminaError:
        self._process.join(_ENDS)
        code = self._process.exitcode or 0
        if self._asked and code == -signal.SIGTERM:
            return StoppedError(
                f"{work.data.title}: stopped while its process on {self.name} was starting; run "
                "the same command again to resume",
                signal.SIGTERM,
            )
        how = f"ended with exit code {code}"
        if code < 0:
            how = f"was killed by signal {-code}"
            if code == -signal.SIGKILL:
                how += ", perhaps because the memory is full"
        return ResourceError(
            f"{work.data.title}: its process on {self.name} {how}; run the same command again to "
            "resume"
        )

    def _relay(self) -> None:
        """Say every line of its standard error."""
        with os.fdopen(os.dup(self._said.fileno()), "rb") as lines:
            for line in lines:
                say(line.decode(errors="replace").rstrip("\n"))
