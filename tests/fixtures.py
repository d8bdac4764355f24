"""Applications, people and the clock, as tests ask for them."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import flask
import pytest

from aegis import clock as aegis_clock
from aegis.ops import logs
from config import ProductionConfig
from tests.factories import Browser, dispose, make_app, signed_in, wipe

STRONG_KEY = "k4J-2nVq8_Zr6tXw0bYc5mHs9dLf3gPa7eRu1iTo"
PUBLIC_URL = "https://platform.test"


NewApp = Callable[..., flask.Flask]
"""What `new_app` gives: settings by name, perhaps after a configuration object."""


class Clock:
    """The time as the application sees it; it stands still unless a test moves it."""

    def __init__(self, now: int) -> None:
        self.now = now

    def advance(self, seconds: int) -> None:
        """Let time pass."""
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give a clock that the test moves: everybody asks `clock.now()`, so that is the one thing replaced."""
    stepped = Clock(1_800_000_000)
    monkeypatch.setattr(aegis_clock, "now", lambda: stepped.now)
    return stepped


@pytest.fixture(scope="session")
def _app_of_this_process() -> Iterator[flask.Flask]:
    """Make one platform on in-memory SQLite; making one for each test would take longer than the tests."""
    app = make_app()
    yield app
    dispose(app)


@pytest.fixture
def app(_app_of_this_process: flask.Flask) -> flask.Flask:
    """Give the platform in the environment `testing`, with empty tables. It must not be reconfigured: see `new_app`."""
    wipe(_app_of_this_process)
    return _app_of_this_process


@pytest.fixture
def new_app() -> Iterator[NewApp]:
    """Give a function that makes a platform under settings of its own."""
    made = []

    def make(*config: object, **environ: str) -> flask.Flask:
        made.append(make_app(*config, **environ))
        return made[-1]

    yield make
    for app in made:
        dispose(app)


@pytest.fixture
def new_production_app(new_app: NewApp, tmp_path: Path, own_loggers: None) -> NewApp:
    """Give a function that makes the platform as in production, on an SQLite file, behind https."""

    def make(**environ: str) -> flask.Flask:
        settings = {
            "FLASK_ENV": "production",
            "SECRET_KEY": STRONG_KEY,
            "DATABASE_URL": f"sqlite:///{tmp_path}/aegis.sqlite",
            "AEGIS_ALLOW_SQLITE": "1",
        }
        app = new_app(ProductionConfig, **{**settings, **environ})
        app.config["PREFERRED_URL_SCHEME"] = "https"  # the test client's
        app.testing = True  # keeps the housekeeper from outliving the test
        return app

    return make


@pytest.fixture
def production_app(new_production_app: NewApp) -> flask.Flask:
    """Give the platform as in production."""
    return new_production_app()


@pytest.fixture
def own_loggers() -> Iterator[None]:
    """Put the loggers back as they were: in production the platform sends them to standard output."""
    loggers = [logging.getLogger(name) for name in logs.NAMES]
    before = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, handlers, level, propagate in before:
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)


@pytest.fixture
def client(app: flask.Flask) -> Browser:
    """Give a visitor."""
    return app.test_client()


@pytest.fixture
def anna(app: flask.Flask) -> Browser:
    """Give somebody who is signed in."""
    return signed_in(app, "anna")


@pytest.fixture
def ben(app: flask.Flask) -> Browser:
    """Give somebody else who is signed in."""
    return signed_in(app, "ben")
