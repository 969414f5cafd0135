"""Addresses of the viewer. Folders, cases and classes are numbers: no file name is part of one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lamina.errors import LaminaError
from lamina.viewer.board import SORTS, Board
from lamina.viewer.cases.pictures import LAYERS, layer, thumbnail
from lamina.viewer.cases.pixels import Part
from lamina.viewer.comparison import ORDERS, compared, names_of
from lamina.viewer.gate import Gate
from lamina.viewer.live import Training

STATIC = {
    "view.js": "text/javascript",
    "cases.js": "text/javascript",
    "case.js": "text/javascript",
    "compare.js": "text/javascript",
    "decision.js": "text/javascript",
    "plane.js": "text/javascript",
    "training.js": "text/javascript",
    "style.css": "text/css",
}
"""Files of the page; nothing else is served."""

PAGE = 100
"""Cases that are listed together."""

_AT_ONCE = 2  # requests that are worked on; others wait


@dataclass(frozen=True)
class Shown:
    """What is looked at: one folder or two, and the training of the first where it is a run."""

    boards: Sequence[Board]
    training: Training | None = None


def app(shown: Shown, token: str, port: int) -> Gate:
    """Return the application that shows folders to who knows the token."""
    handlers = {HTTPException: _told}
    return Gate(Starlette(routes=routes(shown), exception_handlers=handlers), token, port)


def routes(shown: Shown) -> list[Route]:
    """Return every address that is answered."""
    answer = partial(_answered, shown, anyio.CapacityLimiter(_AT_ONCE))
    return [
        Route("/", _static("index.html", "text/html")),
        *(Route(f"/static/{name}", _static(name, kind)) for name, kind in STATIC.items()),
        Route("/api/state", answer(_state)),
        Route("/api/cases", answer(_cases)),
        Route("/api/score", answer(lambda s, r: {"value": _board(s, r).score(_decision(r))})),
        Route("/api/compare", answer(_compare)),
        Route("/api/training", answer(_training)),
        Route("/api/curves", answer(_curves)),
        Route("/api/validation", answer(lambda s, _: _run(s).worst())),
        Route("/api/{case:int}/about", answer(lambda s, r: _board(s, r).about(_number(s, r)))),
        Route("/api/{case:int}/score", answer(_case_score)),
        Route("/api/{case:int}/thumbnail", answer(_thumbnail, _png)),
        Route("/api/{case:int}/{layer:str}", answer(_layer, _png)),
    ]


async def _told(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code)


def _static(name: str, kind: str) -> Callable[[Request], Any]:
    async def answer(_: Request) -> Response:
        data = files("lamina.viewer").joinpath("static", name).read_bytes()
        return Response(data, media_type=f"{kind}; charset=utf-8")

    return answer


def _json(found: Any) -> Response:
    return JSONResponse(_finite(found))


def _png(found: bytes) -> Response:
    return Response(found, media_type="image/png")


def _answered(
    shown: Shown,
    limiter: anyio.CapacityLimiter,
    work: Callable[[Shown, Request], Any],
    reply: Callable[[Any], Response] = _json,
) -> Callable[[Request], Any]:
    """Return what does some work in a thread; what it finds no value for is a bad request."""

    async def answer(request: Request) -> Response:
        try:
            found = await anyio.to_thread.run_sync(partial(work, shown, request), limiter=limiter)
        except (ValueError, OverflowError, RecursionError) as error:
            raise HTTPException(400, str(error)) from None
        except (LaminaError, OSError) as error:  # such as a file that is gone since
            raise HTTPException(409, str(error)) from None
        return reply(found)

    return answer


def _state(shown: Shown, _: Request) -> dict[str, Any]:
    folders = [board.state() for board in shown.boards]
    if len(folders) == 2:
        names = names_of(shown.boards[0].folder, shown.boards[1].folder)
        folders = [one | {"folder": name} for one, name in zip(folders, names, strict=True)]
    return {
        "folders": folders,
        "training": shown.training is not None,
    }


def _cases(shown: Shown, request: Request) -> dict[str, Any]:
    query, board = request.query_params, _board(shown, request)
    sort = _one_of(query.get("sort", "worst"), SORTS, "sort")
    k, fold = (int(query[name]) if query.get(name) else None for name in ("class", "fold"))
    if k is not None and not 0 <= k < board.task.outputs:
        raise ValueError("no such class")
    words = query.get("text", "").lower()
    rows = [
        row for row in board.listed(sort, k, fold) if words in f"{row['id']} {row['group']}".lower()
    ]
    return {"count": len(rows), "cases": _page(rows, request)}


def _compare(shown: Shown, request: Request) -> dict[str, Any]:
    if len(shown.boards) < 2:
        raise HTTPException(404, "one folder is shown, none to compare it with")
    order = _one_of(request.query_params.get("sort", "losses"), ORDERS, "sort")
    found = compared(shown.boards[0], shown.boards[1], order)
    points = [row["values"] for row in found["pairs"]]
    pairs = _page(found["pairs"], request)
    return {**found, "count": len(found["pairs"]), "pairs": pairs, "points": points}


def _training(shown: Shown, _: Request) -> dict[str, Any]:
    return _run(shown).state(shown.boards[0].recipe)


def _curves(shown: Shown, request: Request) -> dict[str, Any]:
    since = json.loads(request.query_params.get("since", "{}"))
    if not isinstance(since, dict) or not all(isinstance(end, int) for end in since.values()):
        raise ValueError("since is an object of bytes by fold")
    return _run(shown).curves(since)


def _case_score(shown: Shown, request: Request) -> dict[str, Any]:
    return _board(shown, request).case_score(_number(shown, request), _decision(request))


def _thumbnail(shown: Shown, request: Request) -> bytes:
    return thumbnail(_board(shown, request), _number(shown, request))


def _layer(shown: Shown, request: Request) -> bytes:
    what = request.path_params["layer"]
    if what not in LAYERS:
        raise HTTPException(404, "no such layer")
    query = request.query_params
    box = [int(part) for part in query.get("box", "").split(",")]
    size = [int(part) for part in query.get("size", "").split(",")]
    if len(box) != 4 or len(size) != 2:
        raise ValueError("box is y0,x0,y1,x1 and size is rows,columns")
    part = Part(
        (box[0], box[1], box[2], box[3]),
        (size[0], size[1]),
        int(query.get("axis", "0")),
        int(query.get("at", "0")),
    )
    number, k = _number(shown, request), int(query.get("class", "0"))
    turned = query.get("turned") == "1"
    return layer(_board(shown, request), number, what, k, part, _decision(request), turned=turned)


def _board(shown: Shown, request: Request) -> Board:
    """Return the folder that ``of`` asks for, the first one where it is left out."""
    at = int(request.query_params.get("of", "0"))
    if not 0 <= at < len(shown.boards):
        raise HTTPException(404, "no such folder")
    return shown.boards[at]


def _number(shown: Shown, request: Request) -> int:
    number = int(request.path_params["case"])
    if number not in _board(shown, request).cases:
        raise HTTPException(404, "no such case")
    return number


def _run(shown: Shown) -> Training:
    if shown.training is None:
        raise HTTPException(404, "no run folder is shown")
    return shown.training


def _page(rows: list[Any], request: Request) -> list[Any]:
    offset = int(request.query_params.get("offset", "0"))
    if offset < 0:
        raise ValueError("offset is at least 0")
    return rows[offset : offset + PAGE]


def _one_of(value: str, values: Sequence[str], name: str) -> str:
    if value not in values:
        raise ValueError(f"{name} is one of {', '.join(values)}")
    return value


def _decision(request: Request) -> str:
    return request.query_params.get("d", "")


def _finite(value: Any) -> Any:
    """Return a value with None for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
