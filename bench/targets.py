"""What is compared: which application, on which database, with how many sessions, asked which question."""

from typing import NamedTuple

SECRET_KEY = "c7UuW3pRk9ZtXoLq2fVbNs8yJmEa5HdG4xQiTzB0wKr"  # noqa: S105 - of databases that live for minutes
HOST = "bench.example"
MANY = 100_000


class Site(NamedTuple):
    """One server process: an application and its database."""

    app: str
    backend: str = ""
    stored: int = 0


class Target(NamedTuple):
    """One address of a site, and the most it should cost as a multiple of the bare route."""

    title: str
    site: Site
    path: str
    aim: float | None = None


BARE = Target("bare Flask route", Site("bare"), "/")
_AIMS = {
    ("/api/check_session", "sqlite"): 1.5,
    ("/api/check_session", "postgresql"): 2.0,
    ("/auth/check", "sqlite"): 0.6,
    ("/auth/check", "postgresql"): 1.2,
}
BACKENDS = ("sqlite", "postgresql", "mariadb")


VIEW = "/an-ordinary-view"


def _plain_flask_login(backend: str) -> Target:
    return Target(f"Flask-Login, ORM, {backend}", Site("login_app", backend), "/check")


def _aegis(path: str, backend: str, stored: int) -> Target:
    count = f"{stored:,} session" + ("s" if stored > 1 else "")
    return Target(
        f"Aegis {path}, {backend}, {count}",
        Site("academy_app", backend, stored),
        path,
        _AIMS.get((path, backend)),
    )


TARGETS = [
    BARE,
    _plain_flask_login("sqlite"),
    _plain_flask_login("postgresql"),
    *(
        _aegis(path, backend, stored)
        for path in ("/api/check_session", "/auth/check")
        for backend in BACKENDS
        for stored in (1, MANY)
    ),
    *(_aegis(VIEW, backend, MANY) for backend in BACKENDS),
]


def chosen(words: list[str]) -> list[Target]:
    """Return the targets whose title contains one of the words, or all; the bare route is always among them."""
    return [
        target
        for target in TARGETS
        if not words or target is BARE or any(word in target.title for word in words)
    ]
