"""Options and arguments that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def recipe_names() -> list[str]:
    """Return the names of the built-in recipes, for completion."""
    from lamina.recipe.builtin import names

    return names()


def _devices() -> list[str]:
    return ["auto", "cpu", "cuda", "mps"]


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("-s", "--set", metavar="NAME=VALUE", help="Change one option of the recipe."),
]
View = Annotated[
    bool,
    typer.Option("--view", help="Print the address of a page with curves and worst cases."),
]
Data = Annotated[Path, typer.Option("--data", help="Data folder.")]
MovedData = Annotated[
    Path | None, typer.Option("--data", help="Where the training data lie now, if they moved.")
]
Run = Annotated[Path, typer.Argument(help="Run folder of `lamina train`.", show_default=False)]
Pred = Annotated[Path, typer.Argument(help="Folder of `lamina predict`.", show_default=False)]
RecipeName = Annotated[
    str,
    typer.Argument(
        help="A YAML file, or the name of a built-in recipe.",
        show_default=False,
        autocompletion=recipe_names,
    ),
]
Device = Annotated[
    str,
    typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.", autocompletion=_devices),
]
Devices = Annotated[
    str | None,
    typer.Option(
        "--devices", metavar="0,1", help="Several: GPUs by number, all, or processes such as cpu:4."
    ),
]
MaxMinutes = Annotated[
    float | None,
    typer.Option(
        "--max-minutes",
        min=0,
        help="End after about so many minutes, with the best weights so far.",
        show_default="every epoch",
    ),
]
SaveMinutes = Annotated[
    float, typer.Option("--save-minutes", min=0, help="Longest time between checkpoints.")
]
KeepState = Annotated[
    bool, typer.Option("--keep-state", help="Keep the state to train more epochs later.")
]
Track = Annotated[
    list[str] | None, typer.Option("--track", help="Also log to tensorboard, wandb, mlflow ...")
]
Spread = Annotated[
    Literal["auto", "folds", "batches"],
    typer.Option(
        "--spread",
        help="What each of several devices has: folds of its own, or a share of every step.",
    ),
]
Batch = Annotated[int | None, typer.Option("--batch", min=1, help="Tiles per forward pass.")]
Gather = Annotated[
    bool | None,
    typer.Option(
        "--gather/--no-gather",
        help="Fill forward passes with tiles of several small images.",
        show_default="on GPUs",
    ),
]
Replace = Annotated[bool, typer.Option("--overwrite", help="Replace predictions by other members.")]
Corrupt = Annotated[
    bool, typer.Option("--corrupt", help="Add the recipe's noise to clean images first.")
]
Online = Annotated[
    bool,
    typer.Option("--online", help="Download published weights that this machine lacks."),
]
Memory = Annotated[
    str | None, typer.Option("--memory", metavar="4G", help="Memory limit, on a CPU.")
]

DataIndex = Annotated[
    Path | None,
    typer.Option(
        "--index",
        metavar="FILE",
        help="Keep what is known of the data's files here, such as for several runs.",
        show_default="index.jsonl in the folder",
    ),
]
VerifyData = Annotated[
    bool,
    typer.Option(
        "--verify-data", help="Read all files of the data again, whatever size and time say."
    ),
]
Processes = Annotated[
    str | None,
    typer.Option(
        "--workers",
        metavar="N|auto",
        help="Processes of one thread each, with the same bytes; auto: as many as fit.",
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="tls://HOST:PORT|FILE.yaml",
        help="Workers of a Dask scheduler, or jobs of Slurm as the file says.",
    ),
]
InsecureCluster = Annotated[
    bool,
    typer.Option("--insecure-cluster", help="Take a scheduler without encryption, tcp://."),
]
Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="s3://BUCKET/FOLDER",
        help="Keep the chunks of probabilities of volumes and large images in object storage.",
    ),
]
SlicesAt = Annotated[
    str | None,
    typer.Option(
        "--slices",
        metavar="25%,50%,75%",
        help="Only these slices of volumes, along each axis.",
        show_default="the recipe's",
    ),
]
