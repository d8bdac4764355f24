"""A served platform with the sample course, and people who look at it in Chromium."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import flask
import pytest
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page
from werkzeug.serving import make_server

from academy.application import SAMPLE
from academy.courses import folder, publishing
from tests.factories import PASSWORD, add_account
from tests.fixtures import NewApp
from tests.services.process import free_port

WAIT_MS = 15_000
COURSE = "Keeping your accounts safe"


class Site(NamedTuple):
    """A served application."""

    app: flask.Flask
    url: str


@contextlib.contextmanager
def served(app: flask.Flask, port: int, **named: Any) -> Iterator[None]:
    """Serve an application on a port of this machine."""
    server = make_server("127.0.0.1", port, app, threaded=True, **named)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def site(new_app: NewApp, sqlite_url: str) -> Iterator[Site]:
    """Give the served platform with anna and the sample course."""
    app = new_app(DATABASE_URL=sqlite_url)
    add_account(app, "anna")
    with app.app_context():
        publishing.publish(folder.read(SAMPLE))
    port = free_port()
    with served(app, port):
        yield Site(app, f"http://localhost:{port}")


NewContext = Callable[..., BrowserContext]


@pytest.fixture
def new_context(browser: Browser, site: Site) -> Iterator[NewContext]:
    """Give a function that makes a browser with a store of cookies of its own."""
    with contextlib.ExitStack() as stack:

        def make(**named: Any) -> BrowserContext:
            context = browser.new_context(**{"base_url": site.url, **named})
            context.set_default_timeout(WAIT_MS)
            stack.callback(context.close)
            return context

        yield make


@pytest.fixture
def context(new_context: NewContext) -> BrowserContext:
    """Give a browser."""
    return new_context()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """Give a tab."""
    return context.new_page()


Authenticator = Callable[..., Any]


@pytest.fixture
def authenticator(context: BrowserContext) -> Callable[[Page], Authenticator]:
    """Give a function that plugs a virtual authenticator into a page's browser, and returns what commands it."""

    def plug(page: Page) -> Authenticator:
        session: CDPSession = context.new_cdp_session(page)
        session.send("WebAuthn.enable")
        made = session.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "transport": "internal",
                    "hasResidentKey": True,
                    "hasUserVerification": True,
                    "isUserVerified": True,
                    "automaticPresenceSimulation": True,
                }
            },
        )

        def command(name: str, **words: Any) -> Any:
            return session.send(f"WebAuthn.{name}", {"authenticatorId": made["authenticatorId"], **words})

        return command

    return plug


def arrive(page: Page, path: str) -> None:
    """Wait until the browser shows a path."""
    page.wait_for_url(lambda address: urlsplit(address).path == path)


def sign_in(page: Page, name: str = "anna", path: str = "/") -> None:
    """Sign in by password, on the way to a path."""
    page.goto(f"/login?next={path}")
    fill_sign_in(page, name)
    arrive(page, path)


def fill_sign_in(page: Page, name: str = "anna") -> None:
    """Fill the sign-in form that is shown and send it."""
    page.get_by_label("User name or e-mail address").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
