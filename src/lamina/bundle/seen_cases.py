"""Who has seen which case: the one rule of prediction, starting weights and pseudo-labels.

A case is recognised by the content of its files. Several known cases may share it, such as
sections of one volume or copies of one image; the one of the case's own id is meant where it is
among them, else all are. A member has seen what its training knew, unless it held it out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lamina.bundle.bundle import Bundle
from lamina.bundle.index import INDEX, KnownCase


class SeenCases:
    """What one training knew, and what its members saw of it.

    A member is told by its fold: the one it held out, or -1 where it saw every case.
    """

    def __init__(self, cases: Mapping[str, KnownCase]) -> None:
        """Take the cases of a training by id."""
        self.cases = cases
        self._by_digest: dict[str, list[str]] = defaultdict(list)
        for id, case in cases.items():
            for sha256 in case.sha256:
                self._by_digest[sha256].append(id)

    @classmethod
    def of_member(cls, bundle: Bundle, number: int) -> SeenCases:
        """Return what the training of a member knew."""
        training = next(training for training in bundle.trainings if number in training.members)
        return cls(training.cases)

    def matching(
        self, id: str, sha256: Sequence[str], *, or_id: bool = False
    ) -> dict[str, KnownCase]:
        """Return the known cases that are the case ``id``, by their ids.

        Args:
            id: Of the case.
            sha256: Digests of its files; one that is shared is enough.
            or_id: A known case of that id counts even where its content differs, as that of a
                file that was saved again. Right where both are of one data set; names such as
                0001 are in many.
        """
        ids = dict.fromkeys(known for digest in sha256 for known in self._by_digest.get(digest, ()))
        if id in ids:
            return {id: self.cases[id]}
        if or_id and id in self.cases:
            ids[id] = None
        return {known: self.cases[known] for known in ids}

    def seen(self, fold: int) -> dict[str, KnownCase]:
        """Return the cases that the member of a fold trained on, or labels behind these."""
        return {id: case for id, case in self.cases.items() if _trained_on(case, fold)}

    def saw(self, fold: int, id: str, sha256: Sequence[str], *, or_id: bool = False) -> str | None:
        """Return as what the member of a fold has seen a case, an id; None: it never did.

        Args:
            fold: The fold that the member held out; -1: none.
            id: Of the case.
            sha256: As in ``matching``.
            or_id: As in ``matching``.
        """
        matching = self.matching(id, sha256, or_id=or_id).items()
        return next((known for known, case in matching if _trained_on(case, fold)), None)

    def leaks(
        self, fold: int, held_out: Mapping[str, Sequence[str]], *, or_id: bool = False
    ) -> dict[str, str]:
        """Return the cases that the member of a fold has seen, with the id it knew each by.

        Args:
            fold: As in ``saw``.
            held_out: Digests of the files of each case by id; none of them may be seen.
            or_id: As in ``matching``.
        """
        known_as = {id: self.saw(fold, id, sha256, or_id=or_id) for id, sha256 in held_out.items()}
        return {id: known for id, known in known_as.items() if known is not None}


def _trained_on(case: KnownCase, fold: int) -> bool:
    return fold < 0 or case.fold != fold


def leak_lines(leaks: Mapping[str, str]) -> list[str]:
    """Return a line for each case that was seen, with its other id where it has one."""
    return [id if known == id else f"{id} (there {known})" for id, known in leaks.items()]


def indirect_cases(
    cases: Mapping[str, KnownCase], own: Mapping[str, Mapping[str, Any]], prefix: str
) -> dict[str, dict[str, Any]]:
    """Return what a bundle says of cases that trained what its own training started from.

    Args:
        cases: That weights were trained on.
        own: The cases of the training by id, with their digests ``sha256``; they are left out.
        prefix: Of the ids.

    Returns:
        Values of ``KnownCase`` by ``prefix/id``.
    """
    digests = {sha256 for case in own.values() for sha256 in case["sha256"]}
    return {
        f"{prefix}/{id}": {"sha256": list(case.sha256), "fold": -1, "labels": "behind"}
        for id, case in cases.items()
        if digests.isdisjoint(case.sha256)
    }


def member_of_file(path: Path) -> tuple[Bundle, int] | None:
    """Return the bundle that a file of weights lies in, and the number of its member.

    None: it lies in no folder of a bundle, or is none of its members.

    Raises:
        BundleError: the index of that bundle cannot be read.
    """
    for folder in path.resolve().parents:
        if (folder / INDEX).is_file():
            bundle = Bundle.load(folder, verify=False)
            files = [(folder / member.file).resolve() for member in bundle.members]
            return (bundle, files.index(path.resolve())) if path.resolve() in files else None
    return None
