"""Addresses of the viewer. Cases and classes are numbers: no file name is part of an address."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from typing import Any

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lamina.viewer.board import SORTS, Board
from lamina.viewer.gate import Gate
from lamina.viewer.layers import LAYERS, Part, layer, thumbnail

STATIC = {
    "view.js": "text/javascript",
    "cases.js": "text/javascript",
    "case.js": "text/javascript",
    "training.js": "text/javascript",
    "style.css": "text/css",
}
"""Files of the page; nothing else is served."""

PAGE = 100
"""Cases that are listed together."""


def app(board: Board, token: str, port: int) -> Gate:
    """Return the application that shows a board to who knows the token."""
    routes = [
        Route("/", _static("index.html", "text/html")),
        *(Route(f"/static/{name}", _static(name, kind)) for name, kind in STATIC.items()),
        Route("/api/state", _answered(board, lambda b, _: b.state())),
        Route("/api/cases", _answered(board, _cases)),
        Route("/api/score", _answered(board, lambda b, r: {"value": b.score(_decision(r))})),
        Route("/api/curves", _answered(board, _curves)),
        Route("/api/{case:int}/about", _answered(board, lambda b, r: b.about(_number(b, r)))),
        Route("/api/{case:int}/score", _answered(board, _case_score)),
        Route("/api/{case:int}/thumbnail", _answered(board, _thumbnail, _png)),
        Route("/api/{case:int}/{layer:str}", _answered(board, _layer, _png)),
    ]
    return Gate(Starlette(routes=routes, exception_handlers={HTTPException: _told}), token, port)


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
    board: Board,
    work: Callable[[Board, Request], Any],
    reply: Callable[[Any], Response] = _json,
) -> Callable[[Request], Any]:
    """Return what does some work in a thread; what it finds no value for is a bad request."""

    async def answer(request: Request) -> Response:
        try:
            found = await anyio.to_thread.run_sync(partial(work, board, request))
        except (ValueError, OverflowError) as error:
            raise HTTPException(400, str(error)) from None
        return reply(found)

    return answer


def _cases(board: Board, request: Request) -> dict[str, Any]:
    query = request.query_params
    sort = query.get("sort", "worst")
    if sort not in SORTS:
        raise ValueError(f"sort is one of {', '.join(SORTS)}")
    k, fold = (int(query[name]) if query.get(name) else None for name in ("class", "fold"))
    if k is not None and not 0 <= k < board.task.outputs:
        raise ValueError("no such class")
    offset = int(query.get("offset", "0"))
    if offset < 0:
        raise ValueError("offset is at least 0")
    rows = board.listed(sort, k, fold)
    return {"count": len(rows), "cases": rows[offset : offset + PAGE]}


def _curves(board: Board, request: Request) -> dict[str, Any]:
    since = json.loads(request.query_params.get("since", "{}"))
    if not isinstance(since, dict) or not all(isinstance(end, int) for end in since.values()):
        raise ValueError("since is an object of bytes by fold")
    return board.curves(since)


def _case_score(board: Board, request: Request) -> dict[str, Any]:
    return {"value": board.case_score(_number(board, request), _decision(request))}


def _thumbnail(board: Board, request: Request) -> bytes:
    return thumbnail(board, _number(board, request))


def _layer(board: Board, request: Request) -> bytes:
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
    number, k = _number(board, request), int(query.get("class", "0"))
    return layer(board, number, what, k, part, _decision(request))


def _number(board: Board, request: Request) -> int:
    number = int(request.path_params["case"])
    if number >= len(board.cases):
        raise HTTPException(404, "no such case")
    return number


def _decision(request: Request) -> str:
    return request.query_params.get("d", "")


def _finite(value: Any) -> Any:
    """Return a value with None for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
