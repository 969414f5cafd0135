"""From a run, a bundle or an exported folder to a model that answers in this program."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from lamina.errors import RecipeError
from lamina.folders import PIPELINE
from lamina.inference.model import Model, decision_of
from lamina.machine.collector import full_collection_put_off
from lamina.options.near_words import did_you_mean
from lamina.public import StrPaths, as_paths, at_least
from lamina.refusals import verb
from lamina.result.decisions import AnyDecision

if TYPE_CHECKING:
    from lamina.inference.exported import ExportedNetworks
    from lamina.inference.trained import TrainedNetworks

Precision = Literal["auto", "float32", "tf32", "bfloat16", "float16"]


@verb
def load(
    source: StrPaths,
    *,
    device: str = "auto",
    precision: Precision = "auto",
    members: Literal["all"] | Sequence[str] = "all",
    decision: AnyDecision | float | None = None,
    threads: int | None = None,
    concurrency: int = 1,
) -> Model:
    """Load trained members and keep them ready.

    Args:
        source: A run or a bundle (folder or zip), or several that answer together; or a folder that
            ``lamina.export`` wrote, which answers alone, of ONNX files without torch.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; an exported folder runs on the
            CPU.
        precision: Type of the forward pass; ``auto``: the recipe's, of an exported folder float32.
        members: ``all``, or names of some.
        decision: Another decision, or a threshold for all classes; None: the tuned one.
        threads: Of the processor for one forward pass; None: as torch is set, or one for each core.
        concurrency: How many threads may run networks at once; others wait for their turn.

    Raises:
        BundleError: it is missing or damaged, or its training has not begun.
        RecipeError: device, precision or member do not exist, or a number is not valid.
        ResourceError: not even one tile fits the memory.

    Example:
        >>> load("run", device="cpu").expects
        '1 channel, axes yx'
    """
    sources = as_paths(source, "source")
    at_least(1, concurrency=concurrency, threads=threads)
    if precision not in get_args(Precision):
        raise RecipeError(
            f"precision is '{precision}'; it must be auto, float32, tf32, bfloat16 or float16"
        )
    with full_collection_put_off():
        networks = _networks(sources, device, precision, threads)
        chosen = _chosen(members, networks.members)
        decided = decision_of(decision, networks.decision)
        networks.build(chosen)
    return Model(
        sources, networks, decision=decided, asked=(device, precision, threads, concurrency)
    )


def _networks(
    sources: Sequence[Path], device: str, precision: Precision, threads: int | None
) -> ExportedNetworks | TrainedNetworks:
    """Open what is named, and import what runs it."""
    exported = [path for path in sources if (path / PIPELINE).is_file()]
    if exported and len(sources) > 1:
        raise RecipeError(
            f"{exported[0]}: an exported folder answers alone; join the runs with `lamina ensemble`"
            " and export the result"
        )
    if exported:
        from lamina.inference.exported import ExportedNetworks

        return ExportedNetworks(exported[0], device=device, precision=precision, threads=threads)
    from lamina.inference.trained import TrainedNetworks

    return TrainedNetworks(sources, device=device, precision=precision, threads=threads)


def _chosen(members: Literal["all"] | Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the members that are asked for.

    Raises:
        RecipeError: there are none, or none of that name.
    """
    chosen = list(names) if members == "all" else list(members)
    if isinstance(members, str) and members != "all":
        raise RecipeError(f"members is '{members}'; pass 'all' or a list of names")
    for name in chosen:
        if name not in names:
            hint = did_you_mean(name, names) or f"; there are {', '.join(names)}"
            raise RecipeError(f"members: no member is called '{name}'{hint}")
    if not chosen:
        raise RecipeError("members is empty; name at least one, or pass 'all'")
    return [name for name in names if name in chosen]


def reload(
    source: Sequence[Path],
    members: Sequence[str],
    decision: AnyDecision,
    asked: tuple[str, Precision, int | None, int],
) -> Model:
    """Load a model in another process, as it was."""
    device, precision, threads, concurrency = asked
    return load(
        source,
        device=device,
        precision=precision,
        members=members,
        decision=decision,
        threads=threads,
        concurrency=concurrency,
    )
