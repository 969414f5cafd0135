"""The command that plans a recipe for a data folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lamina import folders
from lamina.cli.command import byte_count, command, numbers, show
from lamina.cli.device import check_device
from lamina.cli.options import Device, Json, Memory

_METRICS: dict[str, dict[str, Any]] = {
    "dice_image": {"kind": "dice", "over": "image", "empty": "one"},
    "dice_image_class": {"kind": "dice", "over": "image_class", "empty": "one"},
    "dice_pooled": {"kind": "dice", "over": "pooled"},
    "iou_pooled": {"kind": "iou", "over": "pooled"},
    "psnr": {"kind": "psnr"},
    "ssim": {"kind": "ssim"},
}


@command
def plan(
    data: Annotated[Path, typer.Argument(help="Data folder.", show_default=False)],
    minutes: Annotated[
        float, typer.Option("--minutes", help="Minutes that training may take.")
    ] = 20.0,
    device: Device = "auto",
    memory: Memory = None,
    dims: Annotated[
        str,
        typer.Option("--dims", metavar="2d", help="auto, 2d or 2.5d: what is seen of volumes."),
    ] = "auto",
    spacing: Annotated[
        str | None, typer.Option("--spacing", metavar="50,4.6,4.6", help="Steps of the axes.")
    ] = None,
    layout: Annotated[
        str | None, typer.Option("--layout", metavar="NAME", help="How the data are laid out.")
    ] = None,
    groups: Annotated[
        str | None,
        typer.Option("--groups", metavar="TABLE|REGEX", help="What belongs together."),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option("--metric", metavar="NAME", help=f"{', '.join(_METRICS)}."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write the recipe to this file.")
    ] = None,
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Plan a minute of training.")] = False,
    json: Json = False,
) -> None:
    """Plan a recipe for a folder of data, with the reason of every value.

    The data are measured, every value is settled by rules, and three training steps are tried.
    Without -o the recipe is only shown.
    """
    check_device(device)
    folders.check_data(data)
    found_metric = _metric(metric)
    steps = numbers("--spacing", spacing)
    from lamina.plan.run import plan as run_plan

    found = run_plan(
        data,
        minutes=minutes,
        device=device,
        memory=byte_count(memory),
        dims=dims,
        spacing=steps,
        layout=layout,
        groups=groups,
        metric=found_metric,
        quick=quick,
        out=out,
    )
    show(found, json=json, text=str(found) if out else f"{found.text}\n{found}")


def _metric(name: str | None) -> dict[str, Any] | None:
    from lamina.errors import RecipeError

    if name is None:
        return None
    if name not in _METRICS:
        raise RecipeError(f"--metric is '{name}'; it must be one of {', '.join(_METRICS)}")
    return _METRICS[name]
