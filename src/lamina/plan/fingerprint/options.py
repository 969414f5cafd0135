"""Options of the data that the command line sets: ``lamina plan DATA -s data.dicom.frame=0``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from lamina.data.catalogs import AnyCatalog
from lamina.errors import RecipeError
from lamina.options.nodes import Node, Where, plain_value
from lamina.recipe.yaml.overrides import apply


def data_options(changes: Sequence[str]) -> Mapping[str, Any]:
    """Return the options of the catalog that changes of a recipe set.

    Raises:
        RecipeError: a change cannot be read, or is of something else than the data.

    Example:
        >>> data_options(["data.dicom.frame=0", "data.axes=zyx"])
        {'dicom': {'frame': 0}, 'axes': 'zyx'}
    """
    for change in changes:
        if not change.strip().startswith("data."):
            raise RecipeError(
                f"-s {change}: a plan takes options of the data alone, such as data.axes=zyx; give "
                "others to lamina train, or change them in the recipe that is written"
            )
    root, problems = apply(Node({}, Where("lamina plan")), changes)
    if problems:
        raise RecipeError("\n".join(map(str, problems)))
    found: dict[str, Any] = plain_value(root).get("data", {})
    return found


def laid_over(data: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a catalog with changes; those within an option keep the others.

    Example:
        >>> laid_over({"kind": "corrupt", "dicom": {"frame": 0}}, {"dicom": {"rescale": False}})
        {'kind': 'corrupt', 'dicom': {'frame': 0, 'rescale': False}}
    """
    found = dict(data)
    for key, value in changes.items():
        before = found.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            found[key] = laid_over(before, value)
        else:
            found[key] = value
    return found


def catalog_of(data: Mapping[str, Any], changes: Mapping[str, Any]) -> AnyCatalog:
    """Return the catalog of options, those that ``changes`` set among them.

    Raises:
        RecipeError: the catalog has no such option, or another value was meant.
    """
    adapter: TypeAdapter[AnyCatalog] = TypeAdapter(AnyCatalog)
    try:
        return adapter.validate_python(data)
    except ValidationError as error:
        if not changes:
            raise
        first = error.errors()[0]
        name = ".".join(str(part) for part in ("data", *first["loc"][1:]))
        raise RecipeError(
            f"-s {name}: {first['msg']}; the data are read as data.kind: {data['kind']}, which "
            "takes other options"
        ) from error
