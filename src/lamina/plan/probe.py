"""Three training steps of a planned recipe in a process of their own: what it takes is measured.

A step that is killed for want of memory ends that process and not the plan. What one held-out case
costs is measured in the same process, since validation belongs to the time of a run.
"""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from math import prod
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lamina.data.case import Case
from lamina.errors import DataError, LaminaError, ResourceError
from lamina.geometry.region import Region
from lamina.public import VerbResult

if TYPE_CHECKING:
    from lamina.recipe.recipe import Recipe
    from lamina.training.dataset import OpenedData
    from lamina.training.stage.loading.samples import Batch, StageData

_WARM, _STEPS = 2, 3
_CASES = 6  # to learn from
_SLICES = 8  # of a held-out volume
_KILLED = -9


@dataclass(frozen=True)
class Probed(VerbResult):
    """What a recipe takes on this machine."""

    memory: int
    """Greatest number of bytes that the process held: of the GPU, or else of the machine."""

    step: float
    """Seconds of a training step, its samples included."""

    setup: float
    """Seconds from the start of the process to the first step, for the cases that were opened."""

    validation: float
    """Seconds for all held-out cases of the first fold."""

    training_cases: int
    """Images or slices that the first fold learns from."""

    positive_cases: int
    """Those that show a class, where the catalog knows; else all."""

    held_out: int
    """Cases that the first fold holds out."""


class DoesNotFitError(ResourceError):
    """The process was killed, or memory ran out."""


def probe(values: Mapping[str, Any], root: Path, device: str) -> Probed:
    """Train three steps of a recipe in another process and return what it took.

    Args:
        values: The recipe.
        root: The data folder.
        device: ``cpu``, ``cuda`` or ``mps``.

    Raises:
        DoesNotFitError: memory ran out.
        LaminaError: the recipe does not suit the data.
    """
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(send, dict(values), str(root), device))
    process.start()
    send.close()
    try:
        answer = receive.recv()
    except EOFError:
        process.join()
        if process.exitcode == _KILLED:
            raise DoesNotFitError("the process was killed, as for want of memory") from None
        raise LaminaError(f"the trial of the recipe ended with code {process.exitcode}") from None
    finally:
        receive.close()
        process.join()
    if isinstance(answer, Probed):
        return answer
    kind, text = answer
    raise {"memory": DoesNotFitError, "data": DataError}.get(kind, LaminaError)(text)


def _child(send: Connection, values: dict[str, Any], root: str, device: str) -> None:
    from pydantic import ValidationError

    from lamina.prediction.tiling.memory import is_out_of_memory
    from lamina.progress import Level, showing

    try:
        with showing(Level.QUIET):
            send.send(_measured(values, Path(root), device))
    except DataError as error:
        send.send(("data", str(error)))
    except LaminaError as error:
        send.send(("other", str(error)))
    except ValidationError as error:
        why = "; ".join(one["msg"].removeprefix("Value error, ") for one in error.errors())
        send.send(("other", f"the rules make a recipe that is not valid: {why}"))
    except Exception as error:
        if is_out_of_memory(error):
            send.send(("memory", str(error).splitlines()[0]))
        else:
            send.send(("other", f"the trial of the recipe failed: {type(error).__name__}: {error}"))
            raise
    finally:
        send.close()


def _measured(values: dict[str, Any], root: Path, device: str) -> Probed:
    """Open the data, take the steps and validate one case."""
    import torch

    from lamina.model.memory_layout import lay_out
    from lamina.prediction.engine import Member
    from lamina.prediction.tiling.memory import keep_memory
    from lamina.prediction.tiling.precision import choose, choose_device
    from lamina.recipe.recipe import Recipe
    from lamina.training.dataset import open_data
    from lamina.training.stage.validate import validate

    begun = time.monotonic()
    recipe = Recipe.model_validate(values)
    opened = open_data(recipe, root)
    recipe, where = opened.recipe, choose_device(device)
    precision = choose(recipe.precision, where)
    keep_memory()
    fold = opened.numbers[0]
    training = opened.training(fold)
    planes = recipe.frame.cases(training)
    with tempfile.TemporaryDirectory(prefix="lamina-plan-") as folder:
        few = _few(opened, training, opened.held_out(fold), Path(folder))
        cases, held = few
        normalise = recipe.frame.fit(cases)
        network = recipe.network.build(recipe.frame.inputs, recipe.task.outputs)
        network = lay_out(network.to(where))
        setup = time.monotonic() - begun
        step = _steps(recipe, recipe.frame.cases(cases), normalise, network, where, precision)
        validation = 0.0
        for case in held:
            cut, share = _cut(case, recipe)
            at = time.monotonic()
            validate(
                recipe,
                recipe.task,
                [cut],
                Member(network, normalise),
                device=where,
                precision=precision,
                losses=recipe.loss,
            )
            pixels = sum(_pixels(one) for one in opened.held_out(fold)) / _pixels(case)
            validation = (time.monotonic() - at) / share * pixels
    memory = _peak()
    if where.type == "cuda":
        memory = torch.cuda.max_memory_allocated(where)
    return Probed(
        memory=memory,
        step=step,
        setup=setup,
        validation=validation,
        training_cases=len(planes),
        positive_cases=sum(one.facts.get("classes") != "" for one in planes),
        held_out=len(opened.held_out(fold)),
    )


def _peak() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _few(
    opened: OpenedData, training: Sequence[Case], held: Sequence[Case], folder: Path
) -> tuple[Sequence[Case], Sequence[Case]]:
    """Return a few cases to learn from, some with a class, and one to validate, ready to read."""
    positive = [case for case in training if case.facts.get("classes") != ""]
    few = {case.id: case for case in (*positive[: _CASES // 2], *training[:_CASES])}
    chosen = [*few.values()][:_CASES]
    median = sorted(held, key=_pixels)[len(held) // 2 : len(held) // 2 + 1]
    part = replace(opened, cases=[*chosen, *median], folds=[-1] * (len(chosen) + len(median)))
    ready = list(part.prepared(folder).cases)
    return ready[: len(chosen)], ready[len(chosen) :]


def _pixels(case: Case) -> int:
    return prod(case.image.shape)


def _cut(case: Case, recipe: Recipe) -> tuple[Case, float]:
    """Return a case, of a volume with many slices a few, and its share of the whole."""
    slices = recipe.frame.slices
    if slices is None or len(slices.axes) > 1:
        return case, 1.0
    at = case.image.axes.index(slices.axes)
    whole = Region.whole(case.image.shape)
    length = case.image.shape[at]
    if length <= _SLICES:
        return case, 1.0
    stop = (*whole.stop[:at], _SLICES, *whole.stop[at + 1 :])
    return case.crop(Region(whole.start, stop), case.id), _SLICES / length


def _steps(
    recipe: Recipe,
    cases: Sequence[Case],
    normalise: Any,
    network: Any,
    where: Any,
    precision: Any,
) -> float:
    """Return the median seconds of a training step, its samples included."""
    import torch

    from lamina.model.deep_supervision import total_over_sizes
    from lamina.model.memory_layout import layout_of
    from lamina.training.stage.loading.loader import default_workers
    from lamina.training.stage.loading.samples import StageData

    stage = recipe.stages[-1]
    recipe = recipe.at(stage.name)
    optimizer = stage.optimizer.build(network)
    network.train()
    workers = default_workers(where)
    drawn: list[float] = []
    times: list[float] = []
    full = _full_batches(StageData(recipe, recipe.task, cases, normalise, stage))
    for _ in range(_WARM + _STEPS):
        at = time.perf_counter()
        batch = next(full)
        drawn.append(time.perf_counter() - at)
        begun = time.perf_counter()
        there = batch.on(where, layout_of(network, batch.image.ndim))
        with torch.autocast(where.type, dtype=precision, enabled=precision is not None):
            logits = network(there.image)
        exclusive = recipe.task.exclusive
        loss, _ = total_over_sizes(
            recipe.loss, logits, there.target, there.valid, exclusive=exclusive
        )
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(network.parameters(), stage.clip_norm or 1e9)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if where.type == "cuda":
            torch.cuda.synchronize(where)
        times.append(time.perf_counter() - begun)
    step, sample = (statistics.median(one[_WARM:]) for one in (times, drawn))
    return step + sample if not workers else max(step, sample / workers)


def _full_batches(data: StageData) -> Iterator[Batch]:
    """Yield batches as large as the stage's, of as many epochs as that takes.

    The few cases of a trial may not fill one in an epoch.
    """
    from lamina.training.stage.loading.samples import stacked

    epochs = map(data.epoch, count())
    samples = (epoch[number] for epoch in epochs for number in range(len(epoch)))
    while True:
        yield stacked([*islice(samples, data.stage.batch)])
