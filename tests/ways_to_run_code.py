"""Finds in source text whatever could run what a program reads: by syntax tree, not by words.

Names are followed through imports and their ``as``, so that ``from os import system as s`` is
``os.system`` wherever ``s`` stands.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

MODULES = {
    "cloudpickle", "code", "codeop", "cPickle", "dill", "imp", "joblib", "jsonpickle", "marshal",
    "multiprocessing.reduction", "pexpect", "pickle", "pickletools", "pkgutil", "pty", "runpy",
    "shelve", "subprocess", "yaml", "zipimport", "_pickle",
}  # fmt: skip
"""Modules that unpickle, start programs or import by name; not one of them is imported."""

NAMES = {
    "builtins.__import__", "builtins.compile", "builtins.eval", "builtins.exec", "eval", "exec",
    "compile", "__import__", "importlib.import_module", "importlib.util.module_from_spec",
    "importlib.util.spec_from_file_location", "importlib.machinery.SourceFileLoader",
    "asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell", "os.popen",
    "os.posix_spawn", "os.posix_spawnp", "os.startfile", "os.system", "numpy.frompyfunc",
    "pandas.read_pickle", "pydoc.locate", "pydantic.ImportString", "torch.hub", "torch.jit.load",
    "torch.package", "torch.save", "torch.utils.cpp_extension", "types.CodeType",
    "types.FunctionType", "multiprocessing.connection.Listener",
}  # fmt: skip
"""Names that are used nowhere, neither called nor handed on."""

PREFIXES = ("os.exec", "os.spawn")

CHANCE = ("numpy.random.default_rng", "numpy.random.RandomState", "numpy.random.seed")
"""Generators that one module makes for all."""


def ways_to_run(source: str) -> list[str]:
    """Return what of a module could run code or a program, in the order of its lines."""
    tree = ast.parse(source)
    known = _imported(tree)
    found = [
        (getattr(node, "lineno", 0), what)
        for node in ast.walk(tree)
        for what in (*_of_import(node), *_of_name(node, known), *_of_call(node, known))
    ]
    return [what for _, what in sorted(set(found))]


def _imported(tree: ast.Module) -> dict[str, str]:
    """Return what each imported name stands for."""
    known = {"np": "numpy"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known |= {name.asname or name.name.split(".")[0]: name.name if name.asname else
                      name.name.split(".")[0] for name in node.names}  # fmt: skip
        if isinstance(node, ast.ImportFrom):
            known |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    return known


def _full(node: ast.AST, known: dict[str, str]) -> str:
    """Return the dotted name of an expression; empty where it has none."""
    if isinstance(node, ast.Name):
        return known.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        before = _full(node.value, known)
        return f"{before}.{node.attr}" if before else ""
    return ""


def _of_import(node: ast.AST) -> Iterator[str]:
    names = []
    if isinstance(node, ast.Import):
        names = [one.name for one in node.names]
    if isinstance(node, ast.ImportFrom):
        names = [node.module or "", *(f"{node.module}.{one.name}" for one in node.names)]
    for name in names:
        parts = name.split(".")
        above = {".".join(parts[:n]) for n in range(1, len(parts) + 1)}
        if above & MODULES:
            yield f"import of {min(above & MODULES)}"
        elif above & NAMES or name.startswith(PREFIXES):
            yield f"import of {name}"


def _of_name(node: ast.AST, known: dict[str, str]) -> Iterator[str]:
    if not isinstance(node, ast.Name | ast.Attribute) or isinstance(node.ctx, ast.Store):
        return  # a name that is given to something, such as a field, uses nothing
    name = _full(node, known)
    if name in NAMES or name.startswith((*PREFIXES, *CHANCE)):
        yield name


def _of_call(node: ast.AST, known: dict[str, str]) -> Iterator[str]:
    if not isinstance(node, ast.Call):
        return
    name = _full(node.func, known)
    words = {word.arg: word.value for word in node.keywords}
    if name == "torch.load" and not _is(words.get("weights_only"), value=True):
        yield "torch.load without weights_only=True"
    if "allow_pickle" in words and not _is(words["allow_pickle"], value=False):
        yield f"{name} with allow_pickle"
    if "shell" in words and not _is(words["shell"], value=False):
        yield f"{name} with shell"
    if None in words and name.startswith(("numpy.load", "torch.load")):
        yield f"{name} with options that are not seen here"
    if name == "getattr" and _by_unseen_name(node, known):
        yield f"getattr of {_full(node.args[0], known)} by a name that is not seen here"
    if name.endswith("YAML") and "typ" in words and not _safe_yaml(words["typ"]):
        yield f"{name} of a type that may make any object"


def _by_unseen_name(node: ast.Call, known: dict[str, str]) -> bool:
    if len(node.args) < 2 or not _is_module(node.args[0], known):
        return False
    return not isinstance(node.args[1], ast.Constant)


def _safe_yaml(kind: ast.AST) -> bool:
    return _is(kind, value="safe") or _is(kind, value="rt")


def _is(node: ast.AST | None, *, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value == value


def _is_module(node: ast.AST, known: dict[str, str]) -> bool:
    """Whether an expression is a module, or something of one, that ``import`` brought in."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and known.get(node.id, "").split(".")[0] in (
        "builtins", "importlib", "numpy", "operator", "os", "sys", "torch",
    )  # fmt: skip
