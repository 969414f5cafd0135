"""Commands that take results: scores, connected components, submissions, reports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lamina import folders
from lamina.cli.command import command, numbers, show, worker_count
from lamina.cli.options import DataIndex, Json, MovedData, Pred, Processes, Run, VerifyData
from lamina.errors import PartialError, RecipeError


@command
def score(
    pred: Pred,
    truth: Annotated[Path, typer.Argument(help="Data folder with the ground truth.")],
    part: Annotated[
        Literal["all", "validate"],
        typer.Option("--part", help="validate: only the held-out sections of volumes."),
    ] = "all",
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric",
            help="Kind, or YAML such as '{kind: tolerant_dice, tolerance: 3, over: image}'.",
            show_default="the recipe's",
        ),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            metavar="size|group",
            help="Add a table by size of objects or by group; repeatable.",
        ),
    ] = None,
    workers: Processes = None,
    *,
    index: DataIndex = None,
    verify_data: VerifyData = False,
    json: Json = False,
) -> None:
    """Score predictions against ground truth.

    Shows the metric beside its baseline, foreground Dice, and a row per class.
    """
    folders.check_predictions(pred)
    folders.check_data(truth)
    from lamina.evaluation.score import ScoreResult, table
    from lamina.evaluation.score import score as run_scoring

    try:
        found = run_scoring(
            pred,
            truth,
            part=part,
            metric=metric,
            by=by or (),
            workers=worker_count(workers),
            index=index,
            verify_data=verify_data,
        )
    except PartialError as error:
        if isinstance(error.result, ScoreResult) and not json:  # as JSON it is shown anyway
            show(error.result, json=False, text=table(error.result))
        raise
    show(found, json=json, text=table(found))


@command
def objects(
    pred: Pred,
    out: Annotated[Path, typer.Option("--out", help="Output folder; must not exist yet.")],
    kind: Annotated[
        Literal["points", "npy", "vtk", "surface"],
        typer.Option(
            "--kind",
            help="points (csv) or npy; of volumes also vtk (vertices) or surface (triangles); one "
            "file per object.",
        ),
    ] = "points",
    minimum: Annotated[
        int, typer.Option("--min-voxels", help="Minimum size of an object, in voxels or pixels.")
    ] = 100,
    connectivity: Annotated[
        int, typer.Option("--connectivity", help="Neighbours of a voxel: 6, 18 or 26.")
    ] = 26,
    spacing: Annotated[
        str | None,
        typer.Option(
            "--spacing",
            metavar="12.5,12.5,4",
            help="Voxel spacing per stored axis.",
            show_default="the source's, else 1",
        ),
    ] = None,
    origin: Annotated[
        str | None,
        typer.Option(
            "--origin", metavar="X,Y,Z", help="Position of the first voxel.", show_default="0"
        ),
    ] = None,
    down: Annotated[
        str | None,
        typer.Option("--down", help="Axis that points down.", show_default="the last"),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Write connected components as files.

    One file per component of the predicted images or volumes, and a table of size, position, score
    and, of volumes, dip and azimuth.
    """
    steps, first = numbers("--spacing", spacing), numbers("--origin", origin)
    folders.check_predictions(pred)
    from lamina.outputs.objects import TABLE, write_objects

    found = write_objects(
        pred,
        out,
        kind=kind,
        minimum=minimum,
        connectivity=connectivity,  # type: ignore[arg-type]  # checked there
        spacing=steps,
        origin=first,
        down=down,
    )
    show(found, json=json, text=f"wrote {found.objects} objects and {TABLE} into {out}")


@command
def submit(
    pred: Pred,
    out: Annotated[Path, typer.Option("--out", help="Output file.")],
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="severstal, siim, vesuvius, coordinates_npz or slices_npz.",
            show_default="the recipe's",
        ),
    ] = None,
    sample: Annotated[
        Path | None,
        typer.Option("--sample", help="siim: only the images of this csv, in its order."),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Write a competition's submission file."""
    folders.check_predictions(pred)
    from lamina.outputs.submit import submit as run_submission

    found = run_submission(pred, out, format=form, sample=sample)
    changed = f"; predicted with changes: {', '.join(found.changes)}" if found.changes else ""
    show(found, json=json, text=f"wrote {found.rows} rows to {out}{changed}")


@command
def report(
    run: Run,
    other: Annotated[
        Path | None,
        typer.Argument(help="Another run: both are compared.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Output file.", show_default="RUN/report.html"),
    ] = None,
    data: MovedData = None,
    *,
    index: DataIndex = None,
    verify_data: VerifyData = False,
    figures: Annotated[
        bool, typer.Option("--figures", help="Also write figures as SVG and CSV.")
    ] = False,
    json: Json = False,
) -> None:
    """Write an offline HTML report of runs.

    A verdict, scores per class, fold and group, the decision, the worst and random cases, and
    learning curves. Of two runs it compares the cases that both held out.
    """
    folders.check_run(run)
    if other is not None:
        folders.check_run(other)
        if index is not None or verify_data or figures:
            raise RecipeError(
                "--index, --verify-data and --figures are of the report of one run; leave them out"
            )
        from lamina.reporting.comparison import compare

        page = other / f"compared-with-{run.resolve().name}.html" if out is None else out
        compared = compare(run, other, page, data=data)
        show(compared, json=json, text=f"wrote {compared.report}")
        return
    from lamina.reporting.page import report as write_report

    found = write_report(run, out, data=data, figures=figures, index=index, verify_data=verify_data)
    show(found, json=json, text=f"wrote {found.report}")


@command
def view(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Run folder of `lamina train`, or folder of `lamina predict`.", show_default=False
        ),
    ],
    other: Annotated[
        Path | None,
        typer.Argument(help="Another one: both are compared.", show_default=False),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", help="Where training data, or predicted images, lie now, if they moved."
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            "--truth", help="Data folder with the truth of predictions.", show_default="no score"
        ),
    ] = None,
    port: Annotated[
        int, typer.Option("--port", help="Port of this machine.", show_default="any free one")
    ] = 0,
    *,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
    json: Json = False,
) -> None:
    """Look at runs or predictions on a local page.

    Cases, thresholds with the score moving, planes of volumes, curves of training; of two folders
    which cases got better or worse. What is new appears by itself. Only this machine can open it,
    and nothing is written. Ctrl-C ends it.
    """
    from lamina.viewer.run import view as show_folders

    show_folders(
        folder,
        other,
        data=data,
        truth=truth,
        port=port,
        browser=browser,
        told=(lambda address: show({"address": address}, json=True, text="")) if json else None,
    )
