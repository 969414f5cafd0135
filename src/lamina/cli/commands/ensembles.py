"""Commands that take several runs: an ensemble, and pseudo-labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lamina import folders
from lamina.cli.command import byte_count, command, numbers, options, show
from lamina.cli.device import check_device
from lamina.cli.options import Batch, Device, Json, Memory


@command
def ensemble(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run folders of `lamina train`.", show_default=False),
    ],
    out: Annotated[Path, typer.Option("--out", help="Output folder, laid out like a run.")],
    weights: Annotated[
        str | None,
        typer.Option("--weights", metavar="2,1", help="Weight of each run.", show_default="1"),
    ] = None,
    mean: Annotated[
        Literal["arithmetic", "root_mean_square", "cubic", "logit"],
        typer.Option("--mean", help="How members are averaged."),
    ] = "arithmetic",
    *,
    json: Json = False,
) -> None:
    """Combine runs into an ensemble.

    Writes one bundle of all members, and merges their out-of-fold predictions for tuning.
    """
    shares_of_runs = numbers("--weights", weights)
    folders.check_bundles(runs)
    folders.check_output(out)
    from lamina.training.ensembles.ensemble import ensemble as combine

    found = combine(runs, out, weights=shares_of_runs, mean=mean)
    onward = f"tune {out}" if found.out_of_fold else f"predict {out} IMAGES --out pred"
    text = (
        f"combined {len(runs)} runs into {out}: {len(found.members)} members, "
        f"{found.out_of_fold} out-of-fold predictions\nnext: lamina {onward}"
    )
    show(found, json=json, text=text)


@command
def pseudo(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run folders or bundles.", show_default=False),
    ],
    data: Annotated[
        list[Path], typer.Option("--data", help="Images without labels, as for predict.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Output folder; resumes automatically.")],
    sure: Annotated[float, typer.Option("--sure", help="Confidence threshold.")] = 0.9,
    unsure: Annotated[
        float,
        typer.Option(
            "--unsure", help="Maximum share of uncertain pixels, where a class is predicted."
        ),
    ] = 0.5,
    unsure_empty: Annotated[
        float,
        typer.Option("--unsure-empty", help="Maximum share of uncertain pixels, where it is not."),
    ] = 0.002,
    min_area: Annotated[
        int, typer.Option("--min-area", help="Minimum area of a predicted class, in pixels.")
    ] = 1,
    device: Device = "auto",
    batch: Batch = None,
    memory: Memory = None,
    *,
    empty: Annotated[
        bool, typer.Option("--empty/--no-empty", help="Keep images predicted empty.")
    ] = True,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace labels made by other members.")
    ] = False,
    json: Json = False,
) -> None:
    """Create pseudo-labels, leak-free per fold.

    Keeps the images that the runs predict with confidence; train on them with --pseudo.
    """
    limit = byte_count(memory)
    check_device(device)
    from lamina.pseudo_labels.confidence import Filters

    filters = options(
        Filters,
        sure=sure,
        unsure=unsure,
        unsure_empty=unsure_empty,
        min_area=min_area,
        empty=empty,
    )
    folders.check_bundles(runs)
    folders.check_output(out)
    from lamina.pseudo_labels.make import pseudo as run_labelling

    found = run_labelling(
        runs,
        data,
        out,
        filters=filters,
        device=device,
        batch=batch,
        memory=limit,
        overwrite=overwrite,
    )
    kept = ", ".join(f"{name} {one.kept}" for name, one in found.sets.items())
    show(found, json=json, text=f"labelled {found.images} images into {out}; kept: {kept}")
