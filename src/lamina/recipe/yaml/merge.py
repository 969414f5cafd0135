"""How one part of a recipe is laid over another: four rules and no more.

1. A mapping goes into a mapping, key by key; but a table (``labels``) replaces a table.
2. A list replaces a list, and any other value replaces any other value.
3. A mapping whose ``kind`` differs replaces the whole mapping.
4. ``train`` lies under each stage; a recipe without stages has one, named ``main``.

What a member of ``members`` names is laid over the same part of the recipe by these rules.
"""

from __future__ import annotations

from lamina.options.nodes import Node

TABLES = ("labels",)
"""Mappings that are one value: half a table of the base would mean what nobody wrote."""


def merge(upper: Node, lower: Node) -> Node:
    """Return ``upper`` laid over ``lower``, by rules 1 to 3.

    A mapping keeps the place of ``upper``, each of its values its own.
    """
    if not (isinstance(upper.value, dict) and isinstance(lower.value, dict)):
        return upper
    if _another_kind(upper.value, lower.value):
        return upper
    parts = dict(lower.value)
    for key, part in upper.value.items():
        parts[key] = merge(part, parts[key]) if key in parts and key not in TABLES else part
    return Node(parts, upper.where)


def imply_stage(root: Node) -> Node:
    """Return the recipe with one stage named ``main`` where it has no ``stages``."""
    if not isinstance(root.value, dict) or "stages" in root.value:
        return root
    where = root.value.get("train", root).where
    stage = Node({"name": Node("main", where)}, where)
    return Node({**root.value, "stages": Node([stage], where)}, root.where)


def merge_train(root: Node) -> tuple[Node, Node | None]:
    """Return the recipe with ``train`` laid under each stage (rule 4), and ``train`` itself."""
    if not isinstance(root.value, dict) or "train" not in root.value:
        return root, None
    parts = dict(root.value)
    train = parts.pop("train")
    stages = parts.get("stages")
    if stages is not None and isinstance(stages.value, list):
        full = [merge(stage, train) for stage in stages.value]
        parts["stages"] = Node(full, stages.where)
    return Node(parts, root.where), train


def merge_members(root: Node) -> Node:
    """Return the recipe with each member's parts laid over the recipe's, ``train`` included.

    To be done before ``merge_train``.
    """
    members = root.value.get("members") if isinstance(root.value, dict) else None
    if members is None or not isinstance(members.value, list):
        return root
    full = Node([_full_member(member, root) for member in members.value], members.where)
    return Node({**_parts(root), "members": full}, root.where)


def _full_member(member: Node, root: Node) -> Node:
    below, parts = _parts(root), dict(_parts(member))
    own, base = parts.pop("train", None), below.get("train")
    stages = parts.pop("stages", below.get("stages") if own is not None else None)
    parts = {
        key: merge(part, below[key]) if key in below and key != "name" else part
        for key, part in parts.items()
    }
    train = own if base is None else base if own is None else merge(own, base)
    if stages is not None:
        if train is not None and isinstance(stages.value, list):
            stages = Node([merge(stage, train) for stage in stages.value], stages.where)
        parts["stages"] = stages
    return Node(parts, member.where) if isinstance(member.value, dict) else member


def _parts(node: Node) -> dict[str, Node]:
    return node.value if isinstance(node.value, dict) else {}


def _another_kind(upper: dict[str, Node], lower: dict[str, Node]) -> bool:
    if "kind" not in upper or "kind" not in lower:
        return False
    return upper["kind"].value != lower["kind"].value
