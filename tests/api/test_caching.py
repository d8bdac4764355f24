"""Nothing that depends on who is asking may be kept by anybody (field lesson L7)."""

import flask
import pytest

from aegis import current_account
from tests.factories import PASSWORD, Browser, add_account, signed_in
from tests.fixtures import NewApp

PRIVATE = (
    "/",
    "/profile",
    "/account/security",
    "/account/activity",
    "/api/activity",
    "/reauthenticate",
    "/login",
    "/register",
    "/csrf-token",
    "/auth/check",
    "/api/check_session",
    "/api/profile",
    "/api/sessions",
)
PUBLIC = ("/api/content", "/openapi.json", "/static/aegis/aegis.css", "/static/academy/academy.css")


def vary(answer: flask.Response) -> set[str]:
    """Return what the answer varies on."""
    return {word.strip().lower() for word in answer.headers.get("Vary", "").split(",") if word.strip()}


@pytest.mark.control("ASVS-5.0-14.3.2", "ASVS-5.0-14.2.2")
@pytest.mark.parametrize("path", PRIVATE)
@pytest.mark.parametrize("who", ["anna", "client"])
def test_what_depends_on_who_is_asking_is_stored_nowhere(
    request: pytest.FixtureRequest, path: str, who: str
) -> None:
    browser: Browser = request.getfixturevalue(who)
    for answer in (browser.page(path), browser.get(path), browser.head(path)):
        assert answer.headers.getlist("Cache-Control") == ["no-store"]
        assert "cookie" in vary(answer)


@pytest.mark.control("ASVS-5.0-14.3.2", "CS-SESSION-9")
def test_answers_to_writes_are_stored_nowhere(app: flask.Flask, anna: Browser) -> None:
    add_account(app, "ben")
    for answer in (
        anna.write("/api/profile", {"bio": "x"}),
        anna.write("/api/profile", {"nothing": "x"}),
        anna.post("/api/profile", json={}),
        anna.submit("/profile", bio="x"),
        anna.write("/api/reauthenticate", {"password": PASSWORD}),
        anna.sign_in("ben"),
        anna.sign_in("ben", "the wrong password"),
        anna.write("/api/logout"),
    ):
        assert answer.headers.getlist("Cache-Control") == ["no-store"]


@pytest.mark.parametrize(
    "path", ["/nothing-here", "/api/nothing-here", "/courses/nothing-here", "/api/login"]
)
def test_no_error_is_stored_as_the_answer_for_others(anna: Browser, client: Browser, path: str) -> None:
    """A page and JSON share the address, so an error that was kept could reach the wrong kind of client."""
    for browser in (anna, client):
        for answer in (browser.page(path), browser.get(path)):
            assert answer.status_code in {404, 405}
            assert answer.headers.getlist("Cache-Control") == ["no-store"]
    assert "cookie" in vary(anna.page("/nothing-here"))


@pytest.mark.control("ASVS-5.0-14.2.2")
@pytest.mark.parametrize("path", PUBLIC)
def test_what_is_the_same_for_all_says_so_and_sets_no_cookie(
    client: Browser, anna: Browser, path: str
) -> None:
    for browser in (anna, client):
        answer = browser.get(path)
        assert answer.status_code == 200
        assert answer.headers.get("Cache-Control") != "no-store"
        assert "cookie" not in vary(answer)
        assert "Set-Cookie" not in answer.headers
    assert anna.get(path).data == client.get(path).data


@pytest.fixture
def asking_app(new_app: NewApp) -> flask.Flask:
    """Give an application whose views ask in several ways, and say otherwise about caching."""
    app = new_app()

    @app.get("/only-asks")
    def only_asks() -> flask.Response:
        response = flask.Response("yes" if current_account else "no")
        response.headers["Cache-Control"] = "public, max-age=600"
        return response

    @app.get("/flask-session")
    def flask_session() -> str:
        return flask.session.get("word", "none")

    @app.get("/does-not-ask")
    def does_not_ask() -> flask.Response:
        response = flask.Response("same")
        response.headers["Cache-Control"] = "public, max-age=600"
        return response

    @app.get("/sets-a-cookie")
    def sets_a_cookie() -> flask.Response:
        response = flask.Response("", 204)
        response.set_cookie("theme", "dark")
        response.headers["Cache-Control"] = "public, max-age=600"
        return response

    @app.get("/sets-a-bare-cookie")
    def sets_a_bare_cookie() -> flask.Response:
        response = flask.Response("", 204)
        response.headers.clear()
        response.set_cookie("theme", "dark")
        return response

    return app


def test_asking_is_enough_whatever_the_view_says(asking_app: flask.Flask) -> None:
    for browser in (signed_in(asking_app, "anna"), asking_app.test_client()):
        answer = browser.get("/only-asks")
        assert answer.headers.getlist("Cache-Control") == ["no-store"]
        assert vary(answer) == {"cookie"}

    answer = asking_app.test_client().get("/does-not-ask")
    assert answer.headers["Cache-Control"] == "public, max-age=600"
    assert "Vary" not in answer.headers


def test_reading_the_visitors_cookie_varies(asking_app: flask.Flask) -> None:
    assert "cookie" in vary(asking_app.test_client().get("/flask-session"))


@pytest.mark.control("ASVS-5.0-14.2.2")
@pytest.mark.parametrize("path", ["/sets-a-cookie", "/sets-a-bare-cookie"])
def test_an_answer_that_sets_a_cookie_is_stored_nowhere(asking_app: flask.Flask, path: str) -> None:
    answer = asking_app.test_client().get(path)

    assert answer.headers.getlist("Cache-Control") == ["no-store"]
    assert answer.headers["Set-Cookie"].startswith("theme=dark")


class SharedCache:
    """The shared cache that follows the rules: what it may store it hands to whoever asks next (RFC 9111)."""

    def __init__(self) -> None:
        self._stored: dict[tuple[str, ...], tuple[int, bytes]] = {}

    def get(self, browser: Browser, path: str) -> tuple[int, bytes]:
        """Answer from the store, else ask and store what may be stored."""
        cookie = "; ".join(f"{item.key}={item.value}" for item in browser._cookies.values())
        for key in ((path,), (path, cookie)):
            if key in self._stored:
                return self._stored[key]
        answer = browser.page(path)
        control = answer.headers.get("Cache-Control", "")
        if "no-store" not in control and "private" not in control:
            key = (path, cookie) if "cookie" in vary(answer) else (path,)
            self._stored[key] = (answer.status_code, answer.data)
        return answer.status_code, answer.data


@pytest.mark.control("ASVS-5.0-14.2.2")
def test_a_shared_cache_hands_nothing_of_hers_to_the_next(app: flask.Flask, anna: Browser) -> None:
    anna.write("/api/profile", {"display_name": "Annabella"})
    cache, visitor = SharedCache(), app.test_client()
    seen = [cache.get(anna, path)[1] for path in (*PRIVATE, *PUBLIC)]
    assert any(b"Annabella" in content for content in seen)

    for path in (*PRIVATE, *PUBLIC):
        assert b"Annabella" not in cache.get(visitor, path)[1]
