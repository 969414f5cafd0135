"""Who may ask the viewer, and what every answer says to the browser."""

from __future__ import annotations

import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "lamina"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Gate:
    """Lets in requests of this machine's browser that know the token, and reads only.

    The token arrives once, in the first address, and becomes a cookie that scripts cannot read
    and other sites cannot send.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        """Guard ``app``; addresses name ``port`` of the loopback."""
        self._app, self._token = app, token
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or pass on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        answer = self._refused(scope) or self._entered(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await (answer or self._app)(scope, receive, send_with_headers)

    def _refused(self, scope: Scope) -> Response | None:
        if scope["type"] != "http":
            return PlainTextResponse("not offered", 404)
        headers = Headers(scope=scope)
        if headers.get("host") not in self._hosts:
            return PlainTextResponse("another host", 421)
        if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            return PlainTextResponse("another site", 403)
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("reading only", 405, {"Allow": "GET, HEAD"})
        return None

    def _entered(self, scope: Scope) -> Response | None:
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if given and scope["path"] == "/" and self._knows(given):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(COOKIE, self._token, httponly=True, samesite="strict", path="/")
            return answer
        if self._knows(_cookie(Headers(scope=scope).get("cookie", ""))):
            return None
        return PlainTextResponse(
            "open the address that `lamina view` printed; it lets this browser in", 403
        )

    def _knows(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self._token.encode())


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value
