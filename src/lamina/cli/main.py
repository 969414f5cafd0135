"""The command line. Every command is a thin door: parse, call one function, print.

Nothing heavy is imported up here, so that ``lamina --help`` answers at once. What a command
found out goes to standard output (with ``--json`` as one object), progress to standard error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lamina.cli import ensembles as several
from lamina.cli import results
from lamina.cli.command import door, show
from lamina.cli.doctor import doctor
from lamina.cli.flatten import flatten
from lamina.cli.probe import probe

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Dense prediction on images and volumes: a recipe becomes a trained bundle, predictions, "
    "a tuned decision, a submission and a report.",
    epilog="Exit codes: 0 ok, 1 bug, 2 recipe or usage, 3 data, 4 weights, 5 partly failed, "
    "6 resources, 130 Ctrl-C, 143 SIGTERM.  Try: lamina demo --quick",
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("-s", "--set", metavar="NAME=VALUE", help="Change one value of the recipe."),
]
Data = Annotated[Path, typer.Option("--data", help="The folder that holds the data.")]
Run = Annotated[Path, typer.Argument(help="A run folder of `lamina train`.", show_default=False)]
Pred = Annotated[Path, typer.Argument(help="A folder of `lamina predict`.", show_default=False)]
RecipeName = Annotated[
    str,
    typer.Argument(help="A recipe: a YAML file, or the name of a built-in.", show_default=False),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")]


@app.command(epilog="Example: lamina new steel-laptop > tiles.yaml")
@door
def new(
    recipe: Annotated[str | None, typer.Argument(help="Name of a built-in recipe.")] = None,
    *,
    every: Annotated[bool, typer.Option("--list", help="List the built-in recipes.")] = False,
    json: Json = False,
) -> None:
    """Print a built-in recipe as YAML, to start from."""
    from lamina.recipe.builtin import described, text_of

    if every or recipe is None:
        show(described(), json=json, text="\n".join(f"{n:19} {t}" for n, t in described().items()))
        return
    show({"recipe": recipe, "text": text_of(recipe)}, json=json, text=text_of(recipe).rstrip())


@app.command(epilog="Example: lamina check tiles.yaml -s stages.main.epochs=5 --resolved")
@door
def check(
    recipe: RecipeName,
    changes: Changes = None,
    *,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Print every value the recipe comes to.")
    ] = False,
    why: Annotated[
        str | None, typer.Option("--why", metavar="KEY", help="Say where one value comes from.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Also open the data and split them.")
    ] = None,
    json: Json = False,
) -> None:
    """Say what is wrong with a recipe, or that it is sound."""
    from lamina.recipe import load

    sound = load.load_recipe(recipe, changes or ())
    found: dict[str, object] = {
        "recipe": recipe,
        "digest": sound.digest(),
        "stages": [stage.name for stage in sound.stages],
    }
    untrained = sound.network.untrained()
    untrained.build(sound.frame.inputs, sound.outputs)
    lines = [f"{recipe}: sound; stages: {', '.join(stage.name for stage in sound.stages)}"]
    if data is not None:
        from lamina.training.dataset import open_data

        opened = open_data(sound, data)
        found |= opened.summary()
        lines += opened.lines()
    if why is not None:
        found["why"] = load.why(recipe, changes or (), why)
        lines = [str(found["why"])]
    if resolved:
        found["resolved"] = sound.model_dump(mode="json")
        lines = [load.resolved_text(sound).rstrip()]
    show(found, json=json, text="\n".join(lines))


app.command(epilog="Example: lamina doctor tiles.yaml --data tiles")(doctor)
app.command(
    epilog="Example: lamina probe denoise-laptop --data pairs --compare unet,pixel_shuffle"
)(probe)
app.command(epilog="Example: lamina flatten fragments --out flat --reference 3 --layers 20,44")(
    flatten
)


@app.command(
    epilog="Example: lamina train tiles.yaml --data tiles --out runs/tiles "
    "-s split.groups=groups.csv"
)
@door
def train(
    recipe: RecipeName,
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="The run folder; an existing run goes on.")],
    changes: Changes = None,
    folds: Annotated[
        str | None, typer.Option("--folds", metavar="0,2", help="Only these folds.")
    ] = None,
    device: Device = "auto",
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=0, help="Loader processes.", show_default="by machine"),
    ] = None,
    save_minutes: Annotated[
        float, typer.Option("--save-minutes", min=0, help="Save the state at least this often.")
    ] = 10.0,
    track: Annotated[
        list[str] | None,
        typer.Option("--track", help="Also report to tensorboard, wandb, mlflow ..."),
    ] = None,
    pseudo: Annotated[
        Path | None, typer.Option("--pseudo", help="Labels of `lamina pseudo` to mix in.")
    ] = None,
    start: Annotated[
        Path | None, typer.Option("--start", help="A bundle or run whose weights to start from.")
    ] = None,
    member: Annotated[
        str | None,
        typer.Option("--member", help="Of a recipe's members train only this one, join none."),
    ] = None,
    *,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="Go on though stages or decisions changed.")
    ] = False,
    json: Json = False,
) -> None:
    """Train a recipe on data; the same command goes on where an interrupted run stopped."""
    from lamina.cli.command import whole_numbers
    from lamina.recipe.load import load_recipe
    from lamina.training.member_runs import train as run_training

    sound = load_recipe(recipe, changes or ())
    found = run_training(
        sound,
        data=data,
        out=out,
        member=member,
        folds=whole_numbers(folds, "--folds"),
        device=device,
        workers=workers,
        save_minutes=save_minutes,
        track=tuple(track or ()),
        accept_changes=accept_changes,
        pseudo=pseudo,
        start=start,
    )
    # Values that are restored need no decision.
    onward = f"predict {out} IMAGES --out pred" if sound.task.kind == "restore" else f"tune {out}"
    show(found, json=json, text=f"trained {out}\nnext: lamina {onward}")


@app.command(epilog="Example: lamina tune runs/tiles")
@door
def tune(
    run: Run,
    data: Annotated[
        Path | None, typer.Option("--data", help="Where the training data lie now.")
    ] = None,
    decision: Annotated[
        str | None,
        typer.Option(
            "--decision",
            help="triplet, threshold or single; default: the recipe's.",
            show_default=False,
        ),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Find the decision that scores best on the run's out-of-fold predictions."""
    from lamina.tuning.tune import table
    from lamina.tuning.tune import tune as run_tuning

    found = run_tuning(run, data=data, decision=decision)
    show(found, json=json, text=table(found))


@app.command(epilog="Example: lamina predict runs/tiles new_images --out pred")
@door
def predict(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN|BUNDLE... INPUT",
            help="Run folders or bundles, then one file, folder or csv of images.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The folder to write; resumes by itself.")],
    members: Annotated[
        str,
        typer.Option(
            "--members",
            help="auto: images that trained a member are predicted only by those that never saw "
            "them; all: by every member.",
        ),
    ] = "auto",
    device: Device = "auto",
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, help="Tiles per forward pass.")
    ] = None,
    memory: Annotated[
        str | None, typer.Option("--memory", metavar="4G", help="Largest memory to use.")
    ] = None,
    slices: Annotated[
        str | None,
        typer.Option(
            "--slices",
            metavar="25%,50%,75%",
            help="Only these slices of volumes, along each axis; default: the recipe's.",
            show_default=False,
        ),
    ] = None,
    *,
    corrupt: Annotated[
        bool,
        typer.Option("--corrupt", help="Put the recipe's noise on clean images first."),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace predictions of other weights.")
    ] = False,
    json: Json = False,
) -> None:
    """Predict images or volumes of any size: probabilities and masks."""
    from lamina.cli.command import byte_count, shares, split_inputs
    from lamina.prediction.run import predict as run_prediction

    bundles, inputs = split_inputs(sources)
    found = run_prediction(
        bundles,
        inputs,
        out,
        members=members,  # type: ignore[arg-type]  # checked there, with the values listed
        device=device,
        batch=batch,
        memory=byte_count(memory),
        slices=shares("--slices", slices),
        corrupt=corrupt,
        overwrite=overwrite,
    )
    show(found, json=json, text=f"predicted {found.cases} cases into {out}")


app.command(epilog="Example: lamina ensemble runs/fpn runs/unet --weights 2,1 --out runs/both")(
    several.ensemble
)
app.command(epilog="Example: lamina pseudo runs/both --data new_images --out pseudo")(
    several.pseudo
)


app.command(epilog="Example: lamina score pred tiles")(results.score)
app.command(epilog="Example: lamina export pred --kind surface --out faults")(results.export)


@app.command(epilog="Example: lamina submit pred --format severstal --out submission.csv")
@door
def submit(
    pred: Pred,
    out: Annotated[Path, typer.Option("--out", help="The file to write.")],
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="severstal, siim, vesuvius, coordinates_npz or slices_npz; default: the recipe's.",
            show_default=False,
        ),
    ] = None,
    sample: Annotated[
        Path | None,
        typer.Option("--sample", help="siim: write the images of this csv, in its order."),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Write decided masks, or restored slices, as a competition's file."""
    from lamina.outputs.submit import submit as run_submission

    found = run_submission(pred, out, format=form, sample=sample)
    show(found, json=json, text=f"wrote {found.rows} rows to {out}")


@app.command(epilog="Example: lamina report runs/tiles")
@door
def report(
    run: Run,
    out: Annotated[
        Path | None, typer.Option("--out", help="The page; default: RUN/report.html.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Where the training data lie now.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Write one offline HTML page about a run: curves, scores, worst cases."""
    from lamina.reporting.page import report as write_report

    found = write_report(run, out, data=data)
    show(found, json=json, text=f"wrote {found.report}")


@app.command(epilog="Example: lamina demo --quick")
@door
def demo(
    job: Annotated[
        str, typer.Argument(help="Which job: steel, xray, faults, denoise or ink.")
    ] = "steel",
    out: Annotated[Path, typer.Option("--out", help="The folder to work in.")] = Path(
        "lamina-demo"
    ),
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Under a minute, and less exact.")] = False,
    json: Json = False,
) -> None:
    """Make data, train, tune, predict, score, submit and report: the main job in one command."""
    from lamina.demo.run import demo as run_demo

    found = run_demo(job, out, quick=quick)
    show(found, json=json, text=found.summary)


def run() -> None:
    """Entry point of the ``lamina`` program."""
    app(prog_name="lamina")


if __name__ == "__main__":
    run()
