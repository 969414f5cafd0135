"""The process of one device: it trains the folds that its parent hands it, one after another.

    parent ── Work, Work ... ──▶ connection
           ◀── Begun, Row, FoldResult or Failed ── connection
           ◀── lines of progress ── standard error

When the parent ends, however it ends, so does this process.
"""

from __future__ import annotations

import os
import queue
import threading
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch

from lamina import files
from lamina.errors import LaminaError
from lamina.model.weights import downloads
from lamina.prediction.tiling.memory import keep_memory
from lamina.prediction.tiling.precision import choose, name_of
from lamina.progress import showing
from lamina.training.devices.children.messages import Begun, Row, Setup, Work
from lamina.training.devices.complete_fold import complete_fold
from lamina.training.devices.failures import Failed
from lamina.training.devices.ranks import Ranks, joined
from lamina.training.process_state import arithmetic, own_accelerator
from lamina.training.stage.context import FoldContext
from lamina.training.stage.loading.loader import default_workers
from lamina.training.stage.signals import Stop
from lamina.training.stage.time_limit import Clock
from lamina.training.train_result import FoldResult

_UNREAD = (
    "a process of this training cannot read what it was sent, most likely since lamina was updated "
    "meanwhile; run the same command again to resume"
)


class _Parent:
    """The other end of the connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.busy = False
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self) -> None:
        try:
            while True:
                self._requests.put(self._connection.recv())
        except (EOFError, OSError):
            if self.busy:  # the parent is gone: what is saved is whole, the rest is done again
                os._exit(1)
            self._requests.put(None)
        except Exception as error:  # noqa: BLE001 - the parent tells it, and would wait for ever
            self.say(Failed("LaminaError", f"{_UNREAD} ({type(error).__name__}: {error})", 1))
            os._exit(1)

    def next(self) -> Any:
        """Return the next request; None: there is no more."""
        return self._requests.get()

    def say(self, message: object) -> None:
        """Send a message."""
        try:
            self._connection.send(message)
        except OSError:
            os._exit(1)


def run(connection: Any, saying: Any, setup: Setup) -> None:
    """Serve the parent until it has no more folds.

    Args:
        connection: This end of the connection.
        saying: The pipe that takes the place of standard error.
        setup: What this process is.
    """
    os.setsid()  # Ctrl-C is for the parent, which passes it on once
    for stream in (1, 2):
        os.dup2(saying.fileno(), stream)
    saying.close()
    parent = _Parent(connection)
    stop = Stop()
    keep_memory()
    with (
        showing(setup.level),
        downloads(allowed=setup.online),
        stop.listening(),
        joined(setup.rank, torch.device(setup.device)) as ranks,
    ):
        while isinstance(work := parent.next(), Work):
            parent.busy = True
            parent.say(_answer(parent, setup, work, stop, ranks))
            parent.busy = False


def _answer(
    parent: _Parent, setup: Setup, work: Work, stop: Stop, ranks: Ranks
) -> FoldResult | Failed:
    try:
        return train_fold_of(setup, work, stop, ranks, parent.say)
    except LaminaError as error:
        return Failed.of(error)
    except Exception as error:  # noqa: BLE001 - the parent tells it
        what = f"fold {work.fold} on {setup.name}: {type(error).__name__}: {error}"
        return Failed("LaminaError", f"{what}\n{traceback.format_exc()}", 1)


def train_fold_of(
    setup: Setup, work: Work, stop: Stop, ranks: Ranks, tell: Callable[[object], None]
) -> FoldResult:
    """Train the fold that a parent sent.

    Args:
        setup: What this process is.
        work: The fold.
        stop: Whether a signal asked to stop.
        ranks: The processes that share its steps.
        tell: Takes messages to the parent.
    """
    device, recipe = torch.device(setup.device), work.data.recipe
    precision = choose(recipe.precision, device)
    tell(Begun(name_of(precision)))
    with (
        files.locked(work.data.folder) if ranks.is_main else nullcontext(),
        arithmetic(device, recipe.precision, deterministic=recipe.deterministic),
        own_accelerator(device, precision) as accelerator,
    ):
        workers = default_workers(device, processes=setup.processes)
        job = FoldContext.of(
            work.data,
            accelerator=accelerator,
            precision=precision,
            workers=workers if setup.workers is None else setup.workers,
            stop=stop,
            track=lambda numbers, step: tell(Row(numbers, step)),
            clock=Clock(None, minutes=work.minutes, used=work.used),
            ranks=ranks,
        )
        return complete_fold(job, work.fold, setup.saving)
