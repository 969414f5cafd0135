"""Scoring of many cases, each by itself; several processes give the numbers of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

from lamina.data.case import Case
from lamina.evaluation.cases.scorer import CaseScorer, Scores
from lamina.prediction.quarantine import Quarantine
from lamina.prediction.workers.process_pool import ProcessPool
from lamina.prediction.workers.tasks import Failure
from lamina.progress import Bar
from lamina.refusals import system_said

Pair = tuple[str, Case]
"""The id of a predicted case, and the case with its truth."""

_MOST = 64  # cases of a task
_VALUES = 2**24  # probabilities of a task


def score_cases(
    scorer: CaseScorer, pairs: Sequence[Pair], quarantine: Quarantine, workers: int | None = None
) -> Scores:
    """Return the tallies of all cases that can be scored, in order.

    Args:
        scorer: Scores them.
        pairs: What to score.
        quarantine: Gets the cases that cannot be scored, under the names of their images.
        workers: Processes that score; None: this one. The tallies are the same.

    Raises:
        LaminaError: what stops all cases, or processes cannot be started.
    """
    scores = scorer.scores()  # refuses a metric of another task
    with Bar("scoring", len(pairs)) as bar:
        if workers is None:
            for id, case in pairs:
                with quarantine.item(case.image.name):
                    scores.take(scorer.score(id, case))
                bar.advance()
            return scores
        for outcome in _by_processes(scorer, pairs, workers, bar):
            for name, failure in outcome.failures:
                with quarantine.item(name):
                    failure.raised()
            if outcome.scores is not None:
                scores.take(outcome.scores)
    return scores


@dataclass(frozen=True, eq=False)
class _Task:
    """Cases in a row."""

    first: int
    """Number of the first."""
    scorer: CaseScorer
    pairs: Sequence[Pair]

    def single(self) -> list[_Task]:
        return [
            replace(self, first=self.first + number, pairs=[pair])
            for number, pair in enumerate(self.pairs)
        ]


@dataclass(frozen=True)
class _Outcome:
    scores: Scores | None = None
    """None: no case could be scored."""
    failures: Sequence[tuple[str, Failure]] = ()
    """With the names of the images."""


def _score(task: _Task) -> _Outcome:
    scores, failures = task.scorer.scores(), []
    for id, case in task.pairs:
        try:
            with system_said():
                scores.take(task.scorer.score(id, case))
        except Exception as error:  # noqa: BLE001  # each case fails by itself
            failures.append((case.image.name, Failure.of(error).portable()))
    return _Outcome(scores, failures)


def _failed(task: _Task, error: Exception) -> _Outcome:
    return _Outcome(failures=[(case.image.name, Failure.of(error)) for _, case in task.pairs])


def _by_processes(
    scorer: CaseScorer, pairs: Sequence[Pair], workers: int, bar: Bar
) -> Iterator[_Outcome]:
    """Yield what processes find, in the order of the cases."""
    pool = ProcessPool(_score, _failed, [{}] * workers, verb="lamina.score", less="fewer --workers")
    tasks = _tasks(scorer, pairs, workers)
    waiting: dict[int, tuple[int, _Outcome]] = {}  # by the number of their first case
    first, task = 0, next(tasks, None)
    with pool:
        while task is not None or pool.busy:
            while task is not None and pool.free:
                pool.submit(task, task.pairs[0][1].image.name)
                task = next(tasks, None)
            done, outcome = pool.next()
            waiting[done.first] = (len(done.pairs), outcome)
            bar.advance(len(done.pairs))
            while first in waiting:
                count, outcome = waiting.pop(first)
                first += count
                yield outcome


def _tasks(scorer: CaseScorer, pairs: Sequence[Pair], workers: int) -> Iterator[_Task]:
    most = max(min(_MOST, len(pairs) // (4 * workers)), 1)
    outputs = scorer.predictions.task.outputs
    first, values = 0, 0
    for number, (_, case) in enumerate(pairs):
        values += outputs * prod(case.image.shape)
        if number + 1 == len(pairs) or number + 1 - first == most or values >= _VALUES:
            part = pairs[first : number + 1]
            yield _Task(first, scorer.only([id for id, _ in part]), part)
            first, values = number + 1, 0
