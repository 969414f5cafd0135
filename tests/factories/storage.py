"""An object storage of this machine: a server that speaks S3, and may be told to fail."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

SECRET = "not-to-be-told"
_CREDENTIAL = "AWS4-HMAC-SHA256 Credential=abc/20260101/us-east-1/s3/aws4_request"


class Storage:
    """A bucket of a running server."""

    def __init__(self, endpoint: str, requests: list[str], failures: list[str]) -> None:
        self.endpoint, self.requests, self._failures = endpoint, requests, failures

    def upload(self, folder: Path, name: str) -> str:
        """Put the files of a folder below ``name``; return its address."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{name}/{path.relative_to(folder).as_posix()}", path.read_bytes())
        return f"s3://bucket/{name}"

    def put(self, key: str, data: bytes) -> None:
        """Write one object."""
        self._send("PUT", key, data)

    def get(self, key: str) -> bytes:
        """Return the content of one object."""
        return self._send("GET", key)

    def delete(self, key: str) -> None:
        """Remove one object."""
        self._send("DELETE", key)

    def fail(self, word: str, times: int) -> None:
        """Answer the next ``times`` requests whose address holds ``word`` by 503."""
        self._failures += [word] * times

    def _send(self, method: str, key: str, data: bytes | None = None) -> bytes:
        request = urllib.request.Request(f"{self.endpoint}/bucket/{key}", data, method=method)
        request.add_header("Authorization", _CREDENTIAL)
        request.add_header("Content-Type", "application/octet-stream")  # else it is a form
        with urllib.request.urlopen(request) as answer:
            content: bytes = answer.read()
        return content


@contextmanager
def s3_storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """Run a server with an empty bucket, and name it in the environment."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    requests: list[str] = []
    failures: list[str] = []
    inner = DomainDispatcherApplication(create_backend_app)

    def application(environment: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        address = f"{environment['PATH_INFO']}?{environment.get('QUERY_STRING', '')}"
        requests.append(f"{environment['REQUEST_METHOD']} {address}")
        for word in failures:
            if word in address:
                failures.remove(word)
                start("503 Slow Down", [("Content-Length", "0")])
                return []
        app: Callable[..., Any] = inner
        return app(environment, start)  # type: ignore[no-any-return]  # moto is not typed

    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    for name, value in {
        "AWS_ACCESS_KEY_ID": "abc",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    storage = Storage(endpoint, requests, failures)
    reset = urllib.request.Request(f"{endpoint}/moto-api/reset", b"", method="POST")
    with urllib.request.urlopen(reset) as answer:  # buckets belong to the process
        answer.read()
    requests.clear()
    try:
        storage.put("", b"")
        yield storage
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
