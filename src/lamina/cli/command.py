"""What every command does alike: turn errors into one line and an exit code, and print."""

from __future__ import annotations

import functools
import json as json_module
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import typer

from lamina.errors import LaminaError, PartialError, RecipeError, Result

P = ParamSpec("P")
S = TypeVar("S")

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def door(command: Callable[P, None]) -> Callable[P, None]:
    """Print a LaminaError as one message and leave with its exit code; bugs keep their traceback.

    Where only some items failed, ``--json`` still prints its object: it lists them.
    """

    @functools.wraps(command)
    def opened(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except LaminaError as error:
            if isinstance(error, PartialError) and error.result is not None and kwargs.get("json"):
                show(error.result, json=True, text="")
            typer.secho(f"error: {error}", fg="red", err=True)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            typer.secho("stopped; the same command goes on where it stopped", fg="red", err=True)
            raise typer.Exit(130) from None
        except BrokenPipeError:
            sys.stderr.close()
            raise typer.Exit(0) from None

    return opened


def show(result: Result | Mapping[str, Any], *, json: bool, text: str) -> None:
    """Print ``result`` as one JSON object, or ``text`` for people."""
    if not json:
        typer.echo(text)
        return
    values = result if isinstance(result, Mapping) else result.to_dict()
    typer.echo(json_module.dumps(values, allow_nan=False))


def split_inputs(sources: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Split ``RUN|BUNDLE... INPUT...``: run folders and bundles come first, inputs follow.

    Raises:
        RecipeError: there is no bundle in front, or nothing to predict.
    """
    bundles: list[Path] = []
    for path in sources:
        if not is_bundle(path):
            break
        bundles.append(path)
    inputs = list(sources[len(bundles) :])
    if not bundles:
        raise RecipeError(
            f"{sources[0]}: neither a run folder (RUN/bundle/bundle.json), a bundle folder nor a "
            "bundle .zip; name what `lamina train` wrote first, then the images"
        )
    if not inputs:
        raise RecipeError("no images to predict: name files, a folder or a csv after the bundles")
    return bundles, inputs


def is_bundle(path: Path) -> bool:
    """Whether ``path`` looks like a run folder, a bundle folder or a zipped bundle."""
    return (
        path.suffix == ".zip"
        or (path / "bundle.json").is_file()
        or (path / "bundle" / "bundle.json").is_file()
        or (path / "recipe.resolved.yaml").is_file()
    )


def whole_numbers(text: str | None, option: str) -> list[int] | None:
    """Return the numbers of a text such as ``0,2``; None stays None.

    Raises:
        RecipeError: a word is not a whole number.
    """
    if text is None:
        return None
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise RecipeError(
            f"{option} is '{text}'; write whole numbers with commas between, such as 0,2"
        ) from None


def byte_count(text: str | None) -> int | None:
    """Return the number of bytes in a text such as ``4G`` or ``500M``; None stays None.

    Raises:
        RecipeError: it is not a number with K, M, G or T.
    """
    if text is None:
        return None
    number, unit = text.rstrip("BbiI"), ""
    if number and number[-1].upper() in _UNITS:
        number, unit = number[:-1], number[-1].upper()
    try:
        return int(float(number) * _UNITS[unit])
    except ValueError:
        raise RecipeError(f"--memory is '{text}'; write a number with M or G, such as 4G") from None


def numbers(option: str, text: str | None) -> list[float] | None:
    """Return the numbers in a text such as ``2,1``; None stays None.

    Raises:
        RecipeError: a word between commas is no number.
    """
    if text is None:
        return None
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise RecipeError(f"{option} is '{text}'; write numbers with commas, such as 2,1") from None


def shares(option: str, text: str | None) -> list[float] | None:
    """Return places such as ``25%,50%`` or ``0.25,0.5`` as shares of 1; None stays None.

    Raises:
        RecipeError: a word is neither, or is not from 0 to below 1.
    """
    if text is None:
        return None
    try:
        found = [float(word.rstrip("% ")) / (100 if "%" in word else 1) for word in text.split(",")]
    except ValueError:
        found = [-1.0]
    if not all(0 <= one < 1 for one in found):
        raise RecipeError(
            f"{option} is '{text}'; write places from 0% to below 100%, such as 25%,50%,75%"
        )
    return found


def three_numbers(option: str, text: str | None) -> tuple[float, float, float] | None:
    """Return the numbers in a text such as ``12.5,12.5,4``; None stays None.

    Raises:
        RecipeError: they are not three numbers.
    """
    found = numbers(option, text)
    if found is None:
        return None
    if len(found) != 3:
        raise RecipeError(f"{option} is '{text}'; write a number for each of the three axes")
    return found[0], found[1], found[2]


def options(spec: type[S], **values: Any) -> S:
    """Return a spec of options named as on the command line.

    Raises:
        RecipeError: a value is not valid.
    """
    from pydantic import ValidationError

    try:
        return spec(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("_", "-")
        said = first["msg"][:1].lower() + first["msg"][1:]
        raise RecipeError(f"--{name} is {first['input']}; {said}") from None
