"""The front door as a plain WSGI layer around anything at all."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from werkzeug.test import create_environ, run_wsgi_app

from aegis.settings import load
from aegis.web.edge import Edge

Headers = list[tuple[str, str]]


@dataclasses.dataclass
class Inner:
    """An application that answers as it is told and remembers what reached it."""

    status: str = "200 OK"
    headers: Headers = dataclasses.field(
        default_factory=lambda: [("Content-Type", "text/plain"), ("Content-Length", "1")]
    )
    asks: bool = False
    seen: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.seen.append(environ)
        start_response(self.status, list(self.headers))
        return [b"x"]


def edge(inner: Inner, fast_paths: dict[str, Any] | None = None, **environ: str) -> Edge:
    """Wrap an application under some settings."""
    return Edge(inner, load(environ), lambda _: inner.asks, fast_paths or {}, lambda: None)


def ask(door: Edge, path: str = "/x", method: str = "GET", **environ: Any) -> tuple[bytes, str, Any]:
    """Send one request."""
    content, status, headers = run_wsgi_app(
        door, {**create_environ(path, method=method), **environ}, buffered=True
    )
    return b"".join(content), status, headers


PRODUCTION = {
    "FLASK_ENV": "production",
    "SECRET_KEY": "k4J-2nVq8_Zr6tXw0bYc5mHs9dLf3gPa7eRu1iTo",
    "DATABASE_URL": "postgresql://aegis@127.0.0.1/aegis",
}


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Content-Type", "text/plain")],
        [("Content-Type", "text/plain"), ("Content-Length", "1")],
        [("Set-Cookie", "a=b"), ("Content-Length", "1")],
        [("Content-Type", "text/plain"), ("Set-Cookie", "a=b")],
        [("cache-control", "public"), ("set-cookie", "a=b"), ("VARY", "Accept")],
    ],
    ids=range(6),
)
@pytest.mark.parametrize("asks", [True, False])
def test_each_header_is_there_once_whatever_came_from_inside(headers: Headers, asks: bool) -> None:
    _, _, found = ask(edge(Inner(headers=headers, asks=asks)))

    for name in ("X-Content-Type-Options", "Content-Security-Policy", "X-Frame-Options", "X-Request-ID"):
        assert len(found.getlist(name)) == 1
    is_private = asks or "set-cookie" in {name.lower() for name, _ in headers}
    assert found.getlist("Cache-Control") == (["no-store"] if is_private else [])
    assert ("Cookie" in found.getlist("Vary")) == is_private
    assert found.getlist("Set-Cookie") == [value for name, value in headers if name.lower() == "set-cookie"]


@pytest.mark.parametrize("vary", ["Cookie", "Accept, cookie", "COOKIE"])
def test_vary_is_not_said_twice(vary: str) -> None:
    _, _, found = ask(edge(Inner(headers=[("Vary", vary), ("A", "1"), ("B", "2")], asks=True)))
    assert found.getlist("Vary") == [vary]


def test_a_header_of_ours_cannot_be_weakened_from_inside() -> None:
    weak = [
        ("x-frame-options", "ALLOW"),
        ("X-CONTENT-TYPE-OPTIONS", "sniff"),
        ("Strict-Transport-Security", "max-age=0"),
    ]
    _, _, found = ask(edge(Inner(headers=weak), **PRODUCTION))

    assert found.getlist("X-Frame-Options") == ["DENY"]
    assert found.getlist("X-Content-Type-Options") == ["nosniff"]
    assert found.getlist("Strict-Transport-Security") == ["max-age=31536000; includeSubDomains"]


def test_health_never_reaches_the_inside() -> None:
    inner = Inner()
    content, status, found = ask(edge(inner, AEGIS_URL="https://platform.test"), "/health")
    head = ask(edge(inner, AEGIS_URL="https://platform.test"), "/health", "HEAD")

    assert (content, status, inner.seen) == (b'{"status":"healthy"}', "200 OK", [])
    assert (head[0], head[2]["Content-Length"]) == (b"", str(len(content)))
    assert found["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", ["/health/", "/healthy", "/HEALTH", "//health"])
def test_only_that_address_is_the_health_check(path: str) -> None:
    inner = Inner()
    ask(edge(inner), "/x", PATH_INFO=path)
    assert len(inner.seen) == 1


def test_a_fast_path_may_pass_the_request_on() -> None:
    inner = Inner()
    answers = {
        "/fast": lambda environ: None if environ["REQUEST_METHOD"] == "POST" else ("204 No Content", [], b"")
    }
    door = edge(inner, answers)

    assert ask(door, "/fast")[1] == "204 No Content"
    assert ask(door, "/fast", "POST")[1] == "200 OK"
    assert ask(door, "/fast/")[1] == "200 OK"
    assert len(inner.seen) == 2
    assert ask(door, "/fast")[2]["X-Frame-Options"] == "DENY"


def test_a_fast_path_stands_behind_the_door() -> None:
    door = edge(Inner(), {"/fast": lambda _: ("204 No Content", [], b"")}, AEGIS_URL="http://platform.test")

    assert ask(door, "/fast", HTTP_HOST="evil.test")[1].startswith("421 ")
    assert ask(door, "/fast", HTTP_HOST="platform.test")[1] == "204 No Content"


def test_ids_are_the_same_inside_and_outside() -> None:
    inner = Inner()
    _, _, found = ask(edge(inner), HTTP_X_REQUEST_ID="chosen")

    assert found.getlist("X-Request-ID") == [inner.seen[0]["aegis.request_id"]]
    assert found["X-Request-ID"] != "chosen"
