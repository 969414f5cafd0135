"""Tables in the documents that are generated from the package."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.blocks import replaced


def rows(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    cells = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def sentence(value: object) -> str:
    """Return the first sentence of a docstring, with the markup of Markdown."""
    text = " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())
    plain = re.sub(r" \([A-Z]+-\d+\)", "", text.split(". ")[0])
    return plain.rstrip(".").replace("``", "`") + "."


def names() -> str:
    """Return the public names of the package with what each is."""
    import lamina

    found: dict[str, list[Sequence[str]]] = {
        "Functions": [],
        "Results": [],
        "Errors": [],
        "Types": [],
    }
    for name in lamina.__all__:
        value = getattr(lamina, name)
        if name.startswith("__") or inspect.ismodule(value):
            continue
        if not isinstance(value, type):
            kind = "Functions"
        elif issubclass(value, Exception):
            kind = "Errors"
        else:
            kind = "Results" if name.endswith("Result") else "Types"
        found[kind].append((f"`lamina.{name}`", sentence(value)))
    return "\n\n".join(
        f"{kind}:\n\n{rows(('name', 'what it is'), of)}" for kind, of in found.items()
    )


def recipes() -> str:
    """Return the built-in recipes with the main choices of each."""
    from lamina.recipe.builtin import described
    from lamina.recipe.load import load_recipe

    lines = []
    for name in described():
        recipe = load_recipe(name)
        network = recipe.network
        encoder = getattr(network, "encoder", None) or getattr(
            getattr(network, "network", None), "encoder", None
        )
        lines.append(
            (
                f"`{name}`",
                recipe.task.kind,
                f"`{recipe.data.kind}`",
                f"`{network.kind}`" + (f", {encoder}" if encoder else ""),
                "imagenet" if _pretrained(recipe.model_dump(mode="json")) else "none",
                ", ".join(f"{stage.name} {stage.epochs}" for stage in recipe.stages),
            )
        )
    head = ("recipe", "task", "data", "network, encoder", "starting weights", "stages and epochs")
    return rows(head, lines)


def _pretrained(value: object) -> bool:
    """Whether any network of a recipe starts from ImageNet's weights."""
    if isinstance(value, Mapping):
        return value.get("weights") == "imagenet" or any(map(_pretrained, value.values()))
    return isinstance(value, list) and any(map(_pretrained, value))


COMPARED = Path(__file__).parents[2] / "benchmarks" / "volumes_compared.json"
_KINDS = {
    "em/slices": "EM: slices",
    "em/neighbours": "EM: slices with two neighbours",
    "em/blocks": "EM: blocks",
    "faults/slices": "faults: slices of two axes",
    "faults/blocks": "faults: blocks",
}


def compared() -> str:
    """Return the Dice of slices and of blocks by the CPU minutes that they trained for."""
    kept: list[dict[str, Any]] = json.loads(COMPARED.read_text(encoding="utf-8"))["summary"]
    lines = []
    for kind, said in _KINDS.items():
        for row in sorted(
            (row for row in kept if row["setting"] == kind), key=lambda row: float(row["minutes"])
        ):
            each = ", ".join(f"{dice:.3f}" for dice in row["each"])
            lines.append(
                (said, f"`{row['recipe']}`", f"{row['minutes']:g}", f"{row['mean']:.3f}", each)
            )
    return rows(
        ("volumes seen as", "recipe", "CPU minutes", "mean Dice", "Dice of each seed"), lines
    )


TABLES: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "python.md": {"names": names},
    "recipes.md": {"recipes": recipes},
    "volumes.md": {"compared": compared},
}


def updated(page: str, text: str) -> str:
    """Return the text of a page with its tables as they are now."""
    for name, table in TABLES.get(page, {}).items():
        text = replaced(text, name, "\n" + table() + "\n")
    return text
