"""Commands about recipes: plan one for a folder of data, print a built-in one, and check one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lamina import folders
from lamina.cli.command import byte_count, command, numbers, show
from lamina.cli.device import check_device
from lamina.cli.options import (
    Changes,
    Device,
    Json,
    Memory,
    RecipeName,
    VerifyData,
    recipe_names,
)
from lamina.errors import RecipeError

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
        typer.Option("--dims", metavar="2d", help="auto, 2d, 2.5d or 3d: what is seen of volumes."),
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
    changes: Annotated[
        list[str] | None,
        typer.Option("-s", "--set", metavar="data.NAME=VALUE", help="Set an option of the data."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write the recipe to this file.")
    ] = None,
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Plan a minute of training.")] = False,
    json: Json = False,
) -> None:
    """Plan a recipe for a folder of data.

    The data are measured, rules settle every value and say why, and three training steps are
    tried. Without -o the recipe is only shown.
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
        changes=changes or (),
        out=out,
    )
    show(found, json=json, text=str(found) if out else f"{found.text}\n{found}")


def _metric(name: str | None) -> dict[str, Any] | None:
    if name is None:
        return None
    if name not in _METRICS:
        raise RecipeError(f"--metric is '{name}'; it must be one of {', '.join(_METRICS)}")
    return _METRICS[name]


@command
def new(
    recipe: Annotated[
        str | None,
        typer.Argument(help="Name of a built-in recipe.", autocompletion=recipe_names),
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--list", help="List the built-in recipes.")] = False,
    schema: Annotated[
        Path | None,
        typer.Option("--schema", help="Also write the JSON schema for editors to this file."),
    ] = None,
    json: Json = False,
) -> None:
    """Print a built-in recipe as YAML.

    Save it, change it, train it. With --schema, editors complete and check what you write: the
    first line of the recipe names the schema file.
    """
    from lamina.recipe.builtin import described, save_schema, text_of

    if every or recipe is None:
        show(described(), json=json, text="\n".join(f"{n:20} {t}" for n, t in described().items()))
        return
    text = text_of(recipe, schema)
    if schema is not None:
        save_schema(schema)
    show({"recipe": recipe, "text": text}, json=json, text=text.rstrip())


@command
def check(
    recipe: RecipeName,
    changes: Changes = None,
    *,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Print the recipe with every value filled in.")
    ] = False,
    why: Annotated[
        str | None, typer.Option("--why", metavar="NAME", help="Show where a value comes from.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Also check this data folder.")
    ] = None,
    index: Annotated[
        Path | None,
        typer.Option(
            "--index", metavar="FILE", help="Keep what is known of the data's files here."
        ),
    ] = None,
    verify_data: VerifyData = False,
    pictures: Annotated[
        Path | None,
        typer.Option("--pictures", metavar="FILE", help="Write samples and figures as a page."),
    ] = None,
    json: Json = False,
) -> None:
    """Check a recipe, and the data on request."""
    if pictures is not None and data is None:
        raise RecipeError("--pictures shows data; name their folder by --data")
    if data is None and (index is not None or verify_data):
        raise RecipeError("--index and --verify-data are about data; name their folder by --data")
    if data is not None:
        folders.check_data(data)
    from lamina.recipe import load

    sound = load.load_recipe(recipe, changes or ())
    found: dict[str, object] = {
        "recipe": recipe,
        "digest": sound.digest(),
        "stages": [stage.name for stage in sound.stages],
    }
    load.check_networks(sound)
    lines = [f"{recipe}: valid; stages: {', '.join(stage.name for stage in sound.stages)}"]
    if data is not None:
        from lamina.cli.data_check import check_data

        figures, more = check_data(sound, data, index, verify=verify_data)
        found |= figures
        lines += more
        if pictures is not None:
            from lamina.training.preview.page import write_preview

            found["pictures"] = str(write_preview(sound, data, pictures))
            lines.append(f"wrote {pictures}")
    if why is not None:
        found["why"] = load.why(recipe, changes or (), why)
        lines = [str(found["why"])]
    if resolved:
        found["resolved"] = sound.model_dump(mode="json")
        lines = [load.resolved_text(sound).rstrip()]
    show(found, json=json, text="\n".join(lines))
