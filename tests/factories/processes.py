"""Processes forked from a server that has imported everything: they start in milliseconds.

There is one such server for a process of tests. ``tests/conftest.py`` starts it, before lamina
starts one that has imported less.
"""

from __future__ import annotations

import multiprocessing

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        "tests.factories.ranks",
        "tests.fuzz.child",
        "distributed.nanny",  # where it is installed
        "lamina.prediction.workers.worker",
        "lamina.reporting.run_contents",
        "lamina.training.run",
        "segmentation_models_pytorch",
        "torch._inductor",  # an optimiser imports it
        "torch.distributed",
    ]
)
