"""The command line: each command parses, calls one function and prints.

Nothing heavy is imported up here, so that ``lamina --help`` answers at once, and paths and words
are checked before what does the work is imported. What a command found out goes to standard
output (with ``--json`` as one object), progress to standard error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lamina import __version__, folders
from lamina.cli.command import (
    Quiet,
    Verbose,
    byte_count,
    command,
    one_or_named,
    shares,
    show,
    showing_only,
    split_inputs,
    whole_numbers,
    worker_count,
)
from lamina.cli.commands import ensembles, recipes, results
from lamina.cli.commands.demo import demo
from lamina.cli.commands.doctor import doctor
from lamina.cli.commands.export import export
from lamina.cli.commands.flatten import flatten
from lamina.cli.commands.probe import probe
from lamina.cli.device import check_devices
from lamina.cli.options import (
    Batch,
    Changes,
    Cluster,
    Corrupt,
    Data,
    DataIndex,
    Device,
    Devices,
    Gather,
    InsecureCluster,
    Json,
    KeepState,
    MaxMinutes,
    Memory,
    MovedData,
    Online,
    Processes,
    RecipeName,
    Replace,
    Run,
    SaveMinutes,
    SlicesAt,
    Spread,
    Store,
    Track,
    VerifyData,
    View,
)
from lamina.cli.verbs import Verbs
from lamina.cli.watched import watched
from lamina.errors import DataError

app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Dense prediction on images and volumes: one recipe becomes a trained bundle, "
    "predictions, a tuned decision, a submission and a report.",
    epilog="Exit codes: 0 ok, 1 bug, 2 recipe or usage, 3 data, 4 weights, 5 partly failed, "
    "6 resources, 130 Ctrl-C, 143 SIGTERM.  Try: lamina demo --quick",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lamina {__version__}")
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    *,
    version: Annotated[
        bool,
        typer.Option("-V", "--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Set what standard error shows for the command that follows."""
    del version
    context.with_resource(showing_only(quiet=quiet, verbose=verbose))


app.command(epilog="Example: lamina plan tiles --minutes 20 -o tiles.yaml")(recipes.plan)
app.command(epilog="Example: lamina new steel-laptop > tiles.yaml")(recipes.new)
app.command(epilog="Example: lamina check tiles.yaml -s stages.main.epochs=5 --resolved")(
    recipes.check
)
app.command(epilog="Example: lamina doctor tiles.yaml --data tiles")(doctor)
app.command(
    epilog="Example: lamina probe denoise-laptop --data pairs --compare unet,pixel_shuffle"
)(probe)
app.command(epilog="Example: lamina flatten fragments --out flat --reference 3 --layers 20,44")(
    flatten
)


@app.command(epilog="Example: lamina train tiles.yaml --data tiles --out runs/tiles --view")
@command
def train(
    recipe: RecipeName,
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="Run folder; resumes automatically.")],
    changes: Changes = None,
    folds: Annotated[
        str | None, typer.Option("--folds", metavar="0,2", help="Train only these folds.")
    ] = None,
    device: Device = "auto",
    devices: Devices = None,
    spread: Spread = "auto",
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=0, help="Data loader processes.", show_default="by machine"),
    ] = None,
    save_minutes: SaveMinutes = 5.0,
    max_minutes: MaxMinutes = None,
    track: Track = None,
    pseudo: Annotated[
        Path | None, typer.Option("--pseudo", help="Pseudo-labels of `lamina pseudo` to mix in.")
    ] = None,
    start: Annotated[
        Path | None, typer.Option("--start", help="Run or bundle with the initial weights.")
    ] = None,
    member: Annotated[
        str | None,
        typer.Option("--member", help="Train only this member; skip the ensemble."),
    ] = None,
    *,
    accept_changes: Annotated[
        bool,
        typer.Option("--accept-changes", help="Resume even if stages or decision changed."),
    ] = False,
    keep_state: KeepState = False,
    view: View = False,
    online: Online = False,
    index: DataIndex = None,
    verify_data: VerifyData = False,
    json: Json = False,
) -> None:
    """Train a recipe into a bundle.

    Run the same command again to resume an interrupted run.
    """
    fold_numbers = whole_numbers(folds, "--folds")
    check_devices(devices, device)
    folders.check_data(data)
    folders.check_output(out)
    if pseudo is not None and not pseudo.is_dir():
        raise DataError(f"{pseudo}: no such folder; name one that `lamina pseudo` wrote")
    folders.check_bundles([] if start is None else [start])
    from lamina.recipe.load import load_recipe
    from lamina.training.devices.ranks import is_main_process
    from lamina.training.ensembles.member_runs import train as run_training

    sound = load_recipe(recipe, changes or ())
    with watched(sound, out, data, member, view=view):
        found = run_training(
            sound,
            data=data,
            out=out,
            member=member,
            folds=fold_numbers,
            device=device,
            devices=devices,
            spread=spread,
            workers=workers,
            save_minutes=save_minutes,
            keep_state=keep_state,
            max_minutes=max_minutes,
            track=tuple(track or ()),
            accept_changes=accept_changes,
            pseudo=pseudo,
            start=start,
            online=online,
            index=index,
            verify_data=verify_data,
        )
    if not is_main_process():
        return
    # Values that are restored need no decision.
    untuned = sound.task.kind == "restore" or any(one.fold < 0 for one in found.folds)
    onward = f"predict {out} IMAGES --out pred" if untuned else f"tune {out}"
    early = [line for fold in found.folds for line in fold.early_ends()]
    show(found, json=json, text="\n".join([f"trained {out}", *early, f"next: lamina {onward}"]))


@app.command(epilog="Example: lamina tune runs/tiles")
@command
def tune(
    run: Run,
    data: MovedData = None,
    decision: Annotated[
        Literal["default", "expected", "threshold", "single", "triplet"] | None,
        typer.Option(
            "--decision",
            help="Keep this kind, whatever its expected score; single: no minimum areas.",
            show_default="by evidence",
        ),
    ] = None,
    calibrate: Annotated[
        Literal["none", "platt", "isotonic"] | None,
        typer.Option(
            "--calibrate",
            help="Calibrate probabilities on out-of-fold predictions.",
            show_default="the recipe's",
        ),
    ] = None,
    *,
    index: DataIndex = None,
    verify_data: VerifyData = False,
    json: Json = False,
) -> None:
    """Choose the best decision for new groups.

    A threshold of 0.5, nothing, the highest expected score and every searched threshold and
    minimum area are judged on groups left out; the choice is written to the run and its bundle.
    """
    folders.check_finished(run)
    if data is not None:
        folders.check_data(data)
    from lamina.tuning.tune import table
    from lamina.tuning.tune import tune as run_tuning

    found = run_tuning(
        run,
        data=data,
        decision=decision,
        calibrate=calibrate,
        index=index,
        verify_data=verify_data,
    )
    show(found, json=json, text=table(found))


@app.command(epilog="Example: lamina predict runs/tiles new_images --out pred")
@command
def predict(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN|BUNDLE... INPUT",
            help="Run folders or bundles, then images: files, folders, csv, or .txt lists of paths "
            "(from the list's folder); - reads such a list from standard input.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Output folder; resumes automatically.")],
    members: Annotated[
        Literal["auto", "all"],
        typer.Option(
            "--members",
            help="auto: training images out of fold, by members that never saw them; all: every "
            "image by every member.",
        ),
    ] = "auto",
    device: Device = "auto",
    devices: Devices = None,
    batch: Batch = None,
    gather: Gather = None,
    memory: Memory = None,
    workers: Processes = None,
    cluster: Cluster = None,
    slices: SlicesAt = None,
    store: Store = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "-s",
            "--set",
            metavar="NAME=VALUE",
            help="Change an option of predict or decide, such as predict.views=flips.",
        ),
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            "--threshold",
            metavar="0.4|CLASS=0.4",
            help="Another threshold, for all classes or for one.",
            show_default="the bundle's",
        ),
    ] = None,
    save: Annotated[
        str | None,
        typer.Option(
            "--save",
            metavar="KIND,...",
            help="Files to make of masks and probabilities: overlays, objects, native (the input's "
            "own format and place).",
            show_default="objects,native",
        ),
    ] = None,
    native: Annotated[
        Literal["labels", "probabilities"],
        typer.Option(
            "--native",
            help="Of files in the input's own format: labels, or also probabilities in float32 "
            "(NIfTI, TIFF).",
        ),
    ] = "labels",
    *,
    corrupt: Corrupt = False,
    uncertainty: Annotated[
        bool,
        typer.Option(
            "--uncertainty", help="Write maps of uncertainty, and what to expect of each image."
        ),
    ] = False,
    insecure_cluster: InsecureCluster = False,
    overwrite: Replace = False,
    index: DataIndex = None,
    verify_data: VerifyData = False,
    json: Json = False,
) -> None:
    """Predict images or volumes of any size.

    Writes probabilities and, by the bundle's decision, masks. Run the same command again to resume.
    """
    bundles, inputs = split_inputs(sources)
    places, limit = shares("--slices", slices), byte_count(memory)
    check_devices(devices, device)
    folders.check_output(out)
    from lamina.prediction.outputs.write import DEFAULT
    from lamina.prediction.run import predict as run_prediction

    found = run_prediction(
        bundles,
        inputs,
        out,
        members=members,
        device=device,
        devices=devices,
        batch=batch,
        gather=gather,
        memory=limit,
        workers=worker_count(workers),
        store=store,
        cluster=cluster,
        insecure_cluster=insecure_cluster,
        slices=places,
        changes=changes or (),
        threshold=one_or_named("--threshold", threshold),
        corrupt=corrupt,
        uncertainty=uncertainty,
        save=DEFAULT
        if save is None
        else [word.strip() for word in save.split(",") if word.strip()],
        native=native,
        overwrite=overwrite,
        index=index,
        verify_data=verify_data,
    )
    early = " by the best weights so far: training has not finished" if found.unfinished else ""
    show(found, json=json, text=f"predicted {found.cases} cases into {out}{early}")


app.command(epilog="Example: lamina ensemble runs/fpn runs/unet --weights 2,1 --out runs/both")(
    ensembles.ensemble
)
app.command(epilog="Example: lamina pseudo runs/both --data new_images --out pseudo")(
    ensembles.pseudo
)
app.command(epilog="Example: lamina score pred tiles")(results.score)
app.command(epilog="Example: lamina export runs/tiles --out edge")(export)
app.command(epilog="Example: lamina objects pred --kind surface --out faults")(results.objects)
app.command(epilog="Example: lamina submit pred --format severstal --out submission.csv")(
    results.submit
)
app.command(epilog="Example: lamina report runs/tiles")(results.report)
app.command(epilog="Example: lamina view runs/tiles")(results.view)
app.command(epilog="Example: lamina demo --quick")(demo)


def run() -> None:
    """Entry point of the ``lamina`` program."""
    app(prog_name="lamina")


if __name__ == "__main__":
    run()
