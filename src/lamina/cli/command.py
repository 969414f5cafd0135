"""What every command does alike: turn errors into one line and an exit code, log, and print."""

from __future__ import annotations

import functools
import inspect
import json as json_module
import shlex
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

import typer

from lamina import log
from lamina.errors import LaminaError, PartialError, RecipeError, Result
from lamina.progress import Level, detail, is_verbose, say, showing
from lamina.refusals import system_said

P = ParamSpec("P")
S = TypeVar("S")

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}

Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Show results and errors only.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Show details and tracebacks.")]


def command(function: Callable[P, None]) -> Callable[..., None]:
    """Add ``-q`` and ``-v``, print a LaminaError as one message, and leave with its exit code.

    Bugs keep their traceback, which the log of the run or prediction folder gets too. Where only
    some items failed, ``--json`` still prints its object: it lists them.
    """

    @functools.wraps(function)
    def run(*args: Any, quiet: bool = False, verbose: bool = False, **kwargs: Any) -> None:
        with showing_only(quiet=quiet, verbose=verbose), log.session(), _warnings_logged():
            detail(f"$ lamina {shlex.join(sys.argv[1:])}")
            try:
                with system_said():
                    function(*args, **kwargs)
            except LaminaError as error:
                if kwargs.get("json"):
                    _show_whole_items(error)
                _refuse(f"error: {error}", error.exit_code)
            except KeyboardInterrupt:
                _refuse("stopped; run the same command again to resume", 130)
            except BrokenPipeError:
                sys.stderr.close()
                raise typer.Exit(0) from None
            except (typer.Exit, typer.Abort):
                raise
            except Exception:
                log.note(traceback.format_exc())
                raise

    own = inspect.signature(function, eval_str=True)
    shared = {"quiet": Quiet, "verbose": Verbose}
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        *own.parameters.values(),
        *(
            inspect.Parameter(name, kind, default=False, annotation=option)
            for name, option in shared.items()
        ),
    ]
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _show_whole_items(error: LaminaError) -> None:
    if isinstance(error, PartialError) and error.result is not None:
        show(error.result, json=True, text="")


def _refuse(message: str, code: int) -> None:
    """Print an error, log it, and leave with its exit code."""
    if is_verbose():
        typer.echo(traceback.format_exc(), err=True)
    log.note(traceback.format_exc())
    typer.secho(message, fg="red", err=True)
    log.note(message)
    raise typer.Exit(code) from None


@contextmanager
def showing_only(*, quiet: bool, verbose: bool) -> Iterator[None]:
    """Show less or more on standard error; without either, as it is set outside."""
    if not (quiet or verbose):
        yield
        return
    with showing(Level.QUIET if quiet else Level.VERBOSE):
        yield


@contextmanager
def _warnings_logged() -> Iterator[None]:
    """Show what libraries warn of in one line, and log it with its place."""
    shown = warnings.showwarning

    def in_one_line(*args: Any, **kwargs: Any) -> None:
        del kwargs
        log.note(warnings.formatwarning(*args[:4]))
        say(f"warning: {' '.join(str(args[0]).split())}")

    warnings.showwarning = in_one_line
    try:
        yield
    finally:
        warnings.showwarning = shown


def show(result: Result | Mapping[str, Any], *, json: bool, text: str) -> None:
    """Print ``result`` as one JSON object, or ``text`` for people."""
    log.note(text)
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
    members = [path for path in sorted(sources[0].glob("members/*")) if is_bundle(path)]
    if not bundles and members:
        raise RecipeError(
            f"{sources[0]}: its training has not finished; predict with its members so far: "
            f"{' '.join(map(str, members))}"
        )
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


def worker_count(text: str | None) -> int | Literal["auto"] | None:
    """Return the number in a text such as ``4``, or ``auto``; None stays None.

    Raises:
        RecipeError: it is neither.
    """
    if text is None:
        return None
    if text == "auto":
        return "auto"
    if not text.isdecimal() or int(text) < 1:
        raise RecipeError(f"--workers is '{text}'; write auto, or a number from 1 on")
    return int(text)


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
    except (ValueError, OverflowError):  # such as "lots", "nan", "inf" and "1e400G"
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


def one_or_named(option: str, texts: Sequence[str] | None) -> float | dict[str, float] | None:
    """Return a number, or numbers by name, from texts such as ``0.4`` or ``name=0.4``.

    Raises:
        RecipeError: a text is neither, or a number for all stands beside others.
    """
    if not texts:
        return None
    named: dict[str, float] = {}
    try:
        for text in texts:
            name, equals, number = text.rpartition("=")
            if not equals and len(texts) > 1:
                raise ValueError
            named[name.strip()] = float(number)
    except ValueError:
        raise RecipeError(
            f"{option} is {' '.join(texts)}; write one number for all classes, such as 0.4, or "
            f"CLASS=NUMBER for each that is changed, such as {option} crack=0.4"
        ) from None
    return named.get("", named)


def options(spec: type[S], **values: Any) -> S:
    """Return a spec of options named as on the command line.

    Raises:
        RecipeError: a value is not valid.
    """
    try:
        return spec(**values)
    except RecipeError as error:
        said = str(error).removeprefix(f"{getattr(spec, '__name__', '')}: ")
        name, space, rest = said.partition(" ")
        raise RecipeError(f"--{name.replace('_', '-')}{space}{rest}") from None
