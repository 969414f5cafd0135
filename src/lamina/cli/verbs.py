"""The list of commands, and the one that a mistyped or borrowed word stands for."""

from __future__ import annotations

import difflib
from typing import Any

from typer.core import TyperGroup

BORROWED = {
    "eval": "score",
    "evaluate": "score",
    "metrics": "score",
    "test": "score",
    "val": "score",
    "validate": "score",
    "config": "new",
    "create": "new",
    "autoconfigure": "plan",
    "fingerprint": "plan",
    "init": "new",
    "list": "new",
    "recipe": "new",
    "recipes": "new",
    "start": "new",
    "lint": "check",
    "verify": "check",
    "diagnose": "doctor",
    "inspect": "doctor",
    "finetune": "train",
    "fit": "train",
    "learn": "train",
    "resume": "train",
    "calibrate": "tune",
    "optimize": "tune",
    "search": "tune",
    "threshold": "tune",
    "apply": "predict",
    "infer": "predict",
    "inference": "predict",
    "run": "predict",
    "segment": "predict",
    "blend": "ensemble",
    "combine": "ensemble",
    "merge": "ensemble",
    "label": "pseudo",
    "align": "flatten",
    "convert": "export",
    "deploy": "export",
    "onnx": "export",
    "components": "objects",
    "submission": "submit",
    "plot": "report",
    "show": "report",
    "browse": "view",
    "visualize": "view",
    "viewer": "view",
    "example": "demo",
    "quickstart": "demo",
    "tutorial": "demo",
    "version": "--version",
}
"""Words of other programs, and the command here that does it."""


ELSEWHERE = {
    "serve": "docs/serve.md shows an HTTP endpoint around lamina.load, to change as needed; "
    "`lamina export` writes a model for programs without lamina",
}
"""Words of other programs for what is no command here, and how it is done."""

MOVED = {
    "export": (
        {"--kind", "--min-voxels", "--connectivity", "--spacing", "--origin", "--down"},
        "export writes a trained model; the objects of a prediction are written by",
        "objects",
    ),
}
"""Options that a command had before another took them over: what to say, and the other."""


class Verbs(TyperGroup):
    """Commands that answer ``help`` and name the nearest one where a word is unknown."""

    def get_params(self, ctx: Any) -> Any:
        """Return the options, every flag with a default.

        For a flag without one typer imports pydantic, to find that it was not given.
        """
        params = super().get_params(ctx)
        for param in params:
            if getattr(param, "is_flag", False) and param.default is None:
                param.default = False
        return params

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that ``args`` begin with; ``help`` and ``help VERB`` work too."""
        word, rest = args[0], args[1:]
        verbs = self.list_commands(ctx)
        if word == "help" and rest[:1] and rest[0] in verbs:
            return super().resolve_command(ctx, [rest[0], "--help"])
        if word == "help":
            print(ctx.get_help())
            ctx.exit()
        if word in ELSEWHERE and word not in verbs:
            ctx.fail(f"No such command '{word}': {ELSEWHERE[word]}")
        if word not in verbs and not word.startswith("-"):
            meant = nearest(word, verbs)
            hint = f"; did you mean '{meant}'?" if meant else ""
            ctx.fail(f"No such command '{word}'{hint}\nCommands: {', '.join(verbs)}")
        if word in MOVED:
            gone, why, now = MOVED[word]
            if gone & {one.partition("=")[0] for one in rest}:
                ctx.fail(f"{why} `lamina {now} {' '.join(rest)}`")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a refused choice is told without the word of the checking library."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if isinstance(message := getattr(error, "message", None), str):
                error.message = message.replace("Value error, ", "")  # type: ignore[attr-defined]
            raise


def nearest(word: str, verbs: list[str]) -> str | None:
    """Return the command that was probably meant, or None."""
    lower = word.lower()
    if lower in verbs:
        return lower
    meant = BORROWED.get(lower)
    if meant is None:
        close = difflib.get_close_matches(lower, [*verbs, *BORROWED], n=1)
        meant = BORROWED.get(close[0], close[0]) if close else None
    return meant
