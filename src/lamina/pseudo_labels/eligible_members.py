"""Who may make labels for which fold: only members that never saw what the fold holds out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from lamina.bundle import Bundle, SeenCases
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
    every = tuple((b, m) for b, bundle in enumerate(bundles) for m in range(len(bundle.members)))
    seen = {(b, m): SeenCases.of_member(bundles[b], m) for b, m in every}
    fold_of = {(b, m): bundles[b].members[m].fold for b, m in every}
    sets: dict[str, tuple[Pair, ...]] = {ALL: every}
    for fold in sorted({case.fold for case in first.cases.values() if case.fold >= 0}):
        held_out = {id: case.sha256 for id, case in first.cases.items() if case.fold == fold}
        clean = tuple(
            pair for pair in every if not seen[pair].leaks(fold_of[pair], held_out, or_id=True)
        )
        if clean:
            sets[f"fold{fold}"] = clean
    return sets


def seen_by(bundles: Sequence[Bundle], sets: dict[str, tuple[Pair, ...]]) -> tuple[SeenCase, ...]:
    """Return every case that a maker trained on, with the sets of such makers."""
    held: dict[tuple[str, tuple[str, ...]], set[str]] = defaultdict(set)
    for name, pairs in sets.items():
        for number, member in pairs:
            bundle = bundles[number]
            seen = SeenCases.of_member(bundle, member).seen(bundle.members[member].fold)
            for id, case in seen.items():
                held[id, case.sha256].add(name)
    return tuple(
        SeenCase(id=id, sha256=digests, sets=tuple(name for name in sets if name in names))
        for (id, digests), names in held.items()
    )


def labelled(bundles: Sequence[Bundle]) -> dict[str, str]:
    """Return the id of every case with a label of its own by the digest of its file."""
    return {
        sha256: id
        for bundle in bundles
        for training in bundle.trainings
        for id, case in training.cases.items()
        if case.labels == "given"
        for sha256 in case.sha256
    }
