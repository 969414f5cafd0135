"""Who may make labels for which fold: only members that never saw what the fold holds out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from lamina.bundle import Bundle, KnownCase
from lamina.data.targets.pseudo_labels import ALL, SeenCase

Pair = tuple[int, int]
"""Numbers of a bundle and of a member in it."""


def makers(bundles: Sequence[Bundle]) -> dict[str, tuple[Pair, ...]]:
    """Return the members of each set: ``all``, and one for each fold of the first training.

    A member of another training may help with a fold where it held out, or never knew, every
    case that the fold holds out, by id and by content. A fold that no member may help with has
    no set.
    """
    first = bundles[0].trainings[0]
    every = [(b, m) for b, bundle in enumerate(bundles) for m in range(len(bundle.members))]
    found: dict[str, tuple[Pair, ...]] = {ALL: tuple(every)}
    memory = {pair: _seen(bundles[pair[0]], pair[1]) for pair in every}
    for fold in sorted({case.fold for case in first.cases.values() if case.fold >= 0}):
        held_out = {id: case for id, case in first.cases.items() if case.fold == fold}
        names = _names(held_out)
        clean = tuple(pair for pair in every if names.isdisjoint(_names(memory[pair])))
        if clean:
            found[f"fold{fold}"] = clean
    return found


def seen_by(bundles: Sequence[Bundle], sets: dict[str, tuple[Pair, ...]]) -> tuple[SeenCase, ...]:
    """Return every case that a maker trained on, with the sets of such makers."""
    held: dict[tuple[str, tuple[str, ...]], set[str]] = defaultdict(set)
    for name, pairs in sets.items():
        for number, member in pairs:
            for id, case in _seen(bundles[number], member).items():
                held[id, case.sha256].add(name)
    return tuple(
        SeenCase(id=id, sha256=digests, sets=tuple(one for one in sets if one in names))
        for (id, digests), names in held.items()
    )


def labelled(bundles: Sequence[Bundle]) -> dict[str, str]:
    """Return the id of every case with a label of its own by the digest of its file."""
    return {
        one: id
        for bundle in bundles
        for training in bundle.trainings
        for id, case in training.cases.items()
        if case.labels == "given"
        for one in case.sha256
    }


def _seen(bundle: Bundle, member: int) -> dict[str, KnownCase]:
    """Return the cases that a member trained on, or whose labels are behind those it learnt."""
    training = next(one for one in bundle.trainings if member in one.members)
    fold = bundle.members[member].fold
    return {id: case for id, case in training.cases.items() if case.fold != fold or fold < 0}


def _names(cases: Mapping[str, KnownCase]) -> set[str]:
    """Return all that cases may be known by."""
    found: set[str] = set()
    for id, case in cases.items():
        found |= {f"id {id}", *case.sha256}
    return found
