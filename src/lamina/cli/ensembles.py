"""Commands that take several runs: one run out of many, and labels made by them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lamina.cli.command import door, show

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]


@door
def ensemble(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run folders of `lamina train`.", show_default=False),
    ],
    out: Annotated[Path, typer.Option("--out", help="The folder to write, laid out like a run.")],
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights", metavar="2,1", help="How much each run counts.", show_default="1"
        ),
    ] = None,
    mean: Annotated[
        str,
        typer.Option(
            "--mean", help="Between members: arithmetic, root_mean_square, cubic or logit."
        ),
    ] = "arithmetic",
    *,
    json: Json = False,
) -> None:
    """Make one run of several: a bundle of all their members, and merged out-of-fold answers."""
    from lamina.cli.command import numbers
    from lamina.training.ensembles.ensemble import ensemble as run_joining

    found = run_joining(runs, out, weights=numbers("--weights", weights), mean=mean)
    text = (
        f"joined {len(runs)} runs into {out}: {len(found.members)} members, "
        f"{found.out_of_fold} out-of-fold answers\nnext: lamina tune {out}"
    )
    show(found, json=json, text=text)


@door
def pseudo(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run folders or bundles.", show_default=False),
    ],
    data: Annotated[
        list[Path], typer.Option("--data", help="A file, folder or csv of images without labels.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The folder to write; resumes by itself.")],
    sure: Annotated[
        float, typer.Option("--sure", help="Probability from which a pixel is sure.")
    ] = 0.9,
    unsure: Annotated[
        float,
        typer.Option("--unsure", help="Most unsure pixels of a predicted class, by its area."),
    ] = 0.5,
    unsure_empty: Annotated[
        float,
        typer.Option("--unsure-empty", help="Most unsure pixels of another class, by the image."),
    ] = 0.002,
    min_area: Annotated[
        int, typer.Option("--min-area", help="Least area of a predicted class, in pixels.")
    ] = 1,
    device: Annotated[
        str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")
    ] = "auto",
    batch: Annotated[int | None, typer.Option("--batch", help="Tiles per forward pass.")] = None,
    memory: Annotated[
        str | None, typer.Option("--memory", metavar="4G", help="Largest memory to use.")
    ] = None,
    *,
    empty: Annotated[
        bool, typer.Option("--empty/--no-empty", help="Keep images without any class.")
    ] = True,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace labels by other members.")
    ] = False,
    json: Json = False,
) -> None:
    """Label images with what runs are sure of, fold by fold, to train on with --pseudo."""
    from lamina.cli.command import byte_count, options
    from lamina.pseudo_labels.confidence import Filters
    from lamina.pseudo_labels.make import pseudo as run_labelling

    filters = options(
        Filters,
        sure=sure,
        unsure=unsure,
        unsure_empty=unsure_empty,
        min_area=min_area,
        empty=empty,
    )
    found = run_labelling(
        runs,
        data,
        out,
        filters=filters,
        device=device,
        batch=batch,
        memory=byte_count(memory),
        overwrite=overwrite,
    )
    kept = ", ".join(f"{name} {one.kept}" for name, one in found.sets.items())
    show(found, json=json, text=f"labelled {found.images} images into {out}; kept: {kept}")
