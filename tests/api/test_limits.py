"""Guessing is stopped and honest people do not notice (field lessons L10, L13, L14, L15)."""

import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import flask
import pytest
from werkzeug.test import TestResponse

from aegis.passwords import Hasher
from tests.deploy.servers import Caller, Server, add_accounts, wait_until
from tests.factories import (
    PASSWORD,
    Browser,
    add_account,
    assert_refused,
    rows,
    signed_in,
)
from tests.fixtures import Clock, NewApp
from tests.services.valkey import Valkey

WRONG = "not the right password at all"
PROXY = "10.9.9.9"
LIMITED = re.compile(r'"(?P<name>[a-z-]+)";r=0;t=(?P<wait>[0-9]+)')


def guess(
    browser: Browser, name: str, address: str = "", password: str = WRONG, **headers: str
) -> TestResponse:
    """Try a password, from an address if one is given."""
    environ = {"REMOTE_ADDR": address} if address else {}
    body = {"username": name, "password": password}
    return browser.post("/api/login", json=body, environ_overrides=environ, headers=headers)


def guess_until_refused(app: flask.Flask, name: str, *, hosts: int = 2, tries: int = 10) -> list[int]:
    """Guess from some addresses in turn and return the statuses."""
    guesses = (guess(app.test_client(), name, f"203.0.113.{number % hosts}") for number in range(tries + 1))
    return [answer.status_code for answer in guesses]


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the list of passwords that are really computed from now on."""
    computed: list[str] = []

    def watch(method: str) -> None:
        real = getattr(Hasher, method)

        def call(self: Hasher, *arguments: Any) -> Any:
            computed.append(arguments[-1])
            return real(self, *arguments)

        monkeypatch.setattr(Hasher, method, call)

    watch("verify")
    watch("verify_nobody")
    return computed


# Guessing at one account.


@pytest.mark.control("ASVS-5.0-6.3.1", "NIST-63B4-3.2.2-2", "CS-AUTHN-2")
def test_an_account_is_closed_to_strangers_and_opens_after_the_wait(app: flask.Flask, clock: Clock) -> None:
    add_account(app, "anna")
    add_account(app, "ben")
    assert guess_until_refused(app, "anna") == [401] * 10 + [429]

    stranger = app.test_client()
    refused = guess(stranger, "anna", "198.51.100.7", PASSWORD)
    assert_refused(refused, 429, "rate_limited")
    assert guess(app.test_client(), "ben", "198.51.100.7", PASSWORD).status_code == 200
    wait_s = int(refused.headers["Retry-After"])
    assert wait_s <= 16 * 60
    assert "16 minutes" in refused.json["error"]

    clock.advance(wait_s - 1)
    assert guess(stranger, "anna", "198.51.100.7", PASSWORD).status_code == 429
    clock.advance(1)
    assert guess(stranger, "anna", "198.51.100.7", PASSWORD).status_code == 200


@pytest.mark.control("CS-AUTHN-3", "NIST-63B4-3.2.2-2")
@pytest.mark.usefixtures("clock")
def test_the_owner_s_device_keeps_its_way_in_and_its_sessions(app: flask.Flask) -> None:
    anna = signed_in(app, "anna")
    other = app.test_client()
    other.sign_in("anna")
    anna.write("/api/logout")
    assert guess_until_refused(app, "anna", hosts=12) == [401] * 10 + [429]

    assert guess(app.test_client(), "anna", "127.0.0.1", PASSWORD).status_code == 429
    assert anna.sign_in().status_code == 200
    assert other.is_signed_in()


@pytest.mark.usefixtures("clock")
def test_a_known_device_gets_in_while_its_address_is_refused(app: flask.Flask) -> None:
    anna = signed_in(app, "anna")
    statuses = [guess(app.test_client(), f"nobody{number}", "127.0.0.1").status_code for number in range(21)]
    assert statuses == [401] * 20 + [429]
    assert guess(app.test_client(), "anna", "127.0.0.1", PASSWORD).status_code == 429
    assert anna.sign_in().status_code == 200


@pytest.mark.usefixtures("clock")
def test_a_known_device_has_a_budget_of_its_own(app: flask.Flask) -> None:
    anna = signed_in(app, "anna")
    assert [anna.sign_in(password=WRONG).status_code for _ in range(11)] == [401] * 10 + [429]
    assert guess(app.test_client(), "anna", "198.51.100.7", PASSWORD).status_code == 200


@pytest.mark.control("NIST-63B4-3.2.2-3")
@pytest.mark.usefixtures("clock")
def test_success_clears_the_failures_of_the_device(app: flask.Flask) -> None:
    anna = signed_in(app, "anna")
    for _ in range(3):
        assert [anna.sign_in(password=WRONG).status_code for _ in range(9)] == [401] * 9
        assert anna.sign_in(password=PASSWORD).status_code == 200


@pytest.mark.control("CS-AUTHN-3")
@pytest.mark.usefixtures("clock")
def test_one_attacker_alone_does_not_close_an_account_to_new_devices(app: flask.Flask) -> None:
    add_account(app, "anna")
    guesses = [guess(app.test_client(), "anna", "203.0.113.1").status_code for _ in range(12)]
    assert guesses == [401] * 6 + [429] * 6
    assert guess(app.test_client(), "anna", "198.51.100.7", PASSWORD).status_code == 200


@pytest.mark.usefixtures("clock")
def test_parallel_guesses_never_exceed_the_limit(new_app: NewApp, sqlite_url: str) -> None:
    app = new_app(DATABASE_URL=sqlite_url, AEGIS_DATABASE_TIMEOUT="20")
    add_account(app, "anna")
    with ThreadPoolExecutor(12) as pool:
        answers = list(
            pool.map(
                lambda number: guess(app.test_client(), "anna", f"203.0.113.{number % 6}").status_code,
                range(24),
            )
        )
    assert answers.count(401) == 10
    assert answers.count(429) == 14


# What a refusal costs and tells.


@pytest.mark.control("ASVS-5.0-15.2.2")
@pytest.mark.usefixtures("clock")
def test_refused_attempts_compute_nothing(app: flask.Flask, hashed: list[str]) -> None:
    add_account(app, "anna")
    for name in ("anna", "nobody"):
        hashed.clear()
        assert guess_until_refused(app, name) == [401] * 10 + [429]
        assert len(hashed) == 10
        assert guess(app.test_client(), name, "198.51.100.7", PASSWORD).status_code == 429
        assert len(hashed) == 10


@pytest.mark.control("ASVS-5.0-6.3.8")
@pytest.mark.usefixtures("clock")
def test_refused_and_unknown_accounts_look_the_same(app: flask.Flask) -> None:
    """The same statuses, bodies, headers and queries, whoever exists, with a device cookie of one's own or without."""
    add_account(app, "anna")
    mallory = signed_in(app, "mallory")
    for client in (app.test_client, lambda: mallory):
        seen = [
            [told(guess(client(), name, f"203.0.113.{number % 2}")) for number in range(12)]
            for name in ("anna", "nobody")
        ]
        assert seen[0] == seen[1]
        assert seen[0][-1][0] == 429
        wipe_counters(app)


def told(answer: TestResponse) -> tuple[int, str, dict[str, str]]:
    """Return everything an answer tells, but its own id and time."""
    body = {name: text for name, text in answer.json.items() if name != "request_id"}
    headers = {
        name: text
        for name, text in answer.headers.items()
        if name not in {"X-Request-ID", "Date", "Set-Cookie"}
    }
    return answer.status_code, str(body), headers


def wipe_counters(app: flask.Flask) -> None:
    """Forget all attempts."""
    from aegis import db  # noqa: PLC0415
    from aegis.schema import counters  # noqa: PLC0415

    with app.app_context():
        db.change(counters.delete())


@pytest.mark.usefixtures("clock")
def test_the_headers_of_a_refusal_are_true(app: flask.Flask) -> None:
    add_account(app, "anna")
    guess_until_refused(app, "anna")
    answer = guess(app.test_client(), "anna", "198.51.100.7")
    limited = LIMITED.fullmatch(answer.headers["RateLimit"])
    assert limited is not None
    assert limited["name"] == "login-account"
    assert limited["wait"] == answer.headers["Retry-After"] == "960"
    assert answer.headers["RateLimit-Policy"] == (
        '"login-pair";q=6;w=5760, "login-account";q=10;w=9600, "login-address";q=20;w=1200'
    )
    free = guess(app.test_client(), "ben", "198.51.100.7")
    assert not {"Retry-After", "RateLimit"} & set(free.headers.keys())


@pytest.mark.usefixtures("clock")
def test_the_page_of_a_refusal_says_how_long_to_wait(app: flask.Flask) -> None:
    add_account(app, "anna")
    browser = app.test_client()
    for _ in range(6):
        assert browser.submit("/login", username="anna", password=WRONG).status_code == 401
    page = browser.submit("/login", username="anna", password=PASSWORD)
    assert page.status_code == 429
    assert page.headers["Retry-After"] == "960"
    assert "16 minutes" in page.text
    assert 'value="anna"' in page.text, "what was typed stays"
    assert PASSWORD not in page.text


@pytest.mark.control("ASVS-5.0-2.3.2")
@pytest.mark.usefixtures("clock")
def test_a_refusal_is_recorded_with_its_limit(app: flask.Flask) -> None:
    account_id = add_account(app, "anna")
    guess_until_refused(app, "anna")
    [refused] = [row for row in rows(app, "audit") if row["event"] == "authn_login_lock"]
    assert refused["account_id"] == account_id
    assert '"limit":"login-account"' in refused["data"]
    assert WRONG not in str(rows(app, "audit"))


# Everything else that can be guessed.


@pytest.mark.control("ASVS-5.0-6.3.1")
@pytest.mark.usefixtures("clock")
def test_confirming_and_changing_the_password_share_one_budget(anna: Browser) -> None:
    change = {"current_password": WRONG, "new_password": "seven purple boats under one bridge"}
    for _ in range(5):
        assert anna.write("/api/reauthenticate", {"password": WRONG}).status_code == 401
        assert anna.write("/api/profile/change-password", change).status_code == 400
    right = {**change, "current_password": PASSWORD}
    assert_refused(anna.write("/api/profile/change-password", right), 429, "rate_limited")
    assert_refused(anna.write("/api/reauthenticate", {"password": PASSWORD}), 429, "rate_limited")
    for path, fields in (("/reauthenticate", {"password": PASSWORD}), ("/account/password", right)):
        page = anna.submit(path, **fields)
        assert page.status_code == 429
        assert "16 minutes" in page.text
    assert anna.is_signed_in()
    assert anna.sign_in().status_code == 200, "signing in has another budget"


@pytest.mark.usefixtures("clock")
def test_a_right_confirmation_clears_the_budget(anna: Browser) -> None:
    for _ in range(3):
        answers = [anna.write("/api/reauthenticate", {"password": WRONG}).status_code for _ in range(9)]
        assert answers == [401] * 9
        assert anna.write("/api/reauthenticate", {"password": PASSWORD}).status_code == 200


@pytest.mark.control("ASVS-5.0-2.4.1")
def test_registrations_from_one_address_are_limited(new_app: NewApp, clock: Clock) -> None:
    app = new_app(AEGIS_LIMIT_REGISTER_ADDRESS="3/30m")
    browser = app.test_client()

    def register(name: str, password: str = PASSWORD, address: str = "192.0.2.1") -> TestResponse:
        return browser.write(
            "/api/register",
            {"username": name, "password": password},
            environ_overrides={"REMOTE_ADDR": address},
        )

    assert [register("weak", "short").status_code for _ in range(5)] == [400] * 5
    assert [register(f"pupil{number}").status_code for number in range(2)] == [201, 201]
    assert register("pupil0").status_code == 400, "who is here can be asked as seldom as an account made"
    refused = register("pupil3")
    assert_refused(refused, 429, "rate_limited")
    assert register("pupil3", address="192.0.2.2").status_code == 201
    page = browser.post(
        "/register",
        data={"username": "pupil4", "password": PASSWORD, "csrf_token": browser.token()},
        headers={"Accept": "text/html"},
        environ_overrides={"REMOTE_ADDR": "192.0.2.1"},
    )
    assert page.status_code == 429
    assert "10 minutes" in page.text
    clock.advance(int(refused.headers["Retry-After"]))
    assert register("pupil4").status_code == 201
    [created] = [
        row for row in rows(app, "audit") if row["event"] == "user_created" and row["address"] == "192.0.2.2"
    ]
    assert created["account_id"]


# A class behind one address (L15).


@pytest.mark.control("ASVS-5.0-2.4.1")
def test_a_class_registers_and_signs_in_from_one_address(app: flask.Flask, clock: Clock) -> None:
    names = [f"pupil{number}" for number in range(40)]
    for name in names:
        answer = app.test_client().write("/api/register", {"username": name, "password": PASSWORD})
        assert answer.status_code == 201
        clock.advance(3)
    for number, name in enumerate(names):
        browser = app.test_client()
        if number % 2:
            assert browser.sign_in(name, WRONG).status_code == 401, "every second pupil mistypes once"
        assert browser.sign_in(name).status_code == 200
        clock.advance(1)


@pytest.mark.usefixtures("clock")
def test_a_class_signs_in_at_the_same_moment(new_app: NewApp, sqlite_url: str) -> None:
    app = new_app(DATABASE_URL=sqlite_url, AEGIS_DATABASE_TIMEOUT="20", AEGIS_ARGON2_QUEUE="40")
    names = [f"pupil{number}" for number in range(30)]
    for name in names:
        add_account(app, name)
    with ThreadPoolExecutor(30) as pool:
        statuses = list(pool.map(lambda name: app.test_client().sign_in(name).status_code, names))
    assert statuses == [200] * 30


@pytest.mark.usefixtures("clock")
def test_while_one_account_is_guessed_from_the_address_others_sign_in(app: flask.Flask) -> None:
    names = [f"pupil{number}" for number in range(30)]
    for name in (*names, "anna"):
        add_account(app, name)
    statuses = [app.test_client().sign_in("anna", WRONG).status_code for _ in range(20)]
    assert statuses == [401] * 6 + [429] * 14
    assert {app.test_client().sign_in(name).status_code for name in names} == {200}


# Who is the client (L10, L14).


@pytest.mark.control("ASVS-5.0-15.3.4")
@pytest.mark.usefixtures("clock")
def test_forwarded_addresses_from_anybody_are_not_believed(app: flask.Flask) -> None:
    statuses = [
        guess(app.test_client(), f"nobody{number}", **{"X-Forwarded-For": f"203.0.113.{number}"}).status_code
        for number in range(30)
    ]
    assert statuses == [401] * 20 + [429] * 10
    logged = {row["address"] for row in rows(app, "audit") if row["event"] == "authn_login_fail"}
    assert logged == {"127.0.0.1"}


@pytest.fixture
def behind_proxy(new_app: NewApp) -> Callable[[str, str], int]:
    """Give a function that tries a name through a trusted proxy; what the client itself forwarded stands left."""
    app = new_app(AEGIS_TRUSTED_PROXIES=PROXY)
    add_account(app, "anna")

    def attempt(name: str, forwarded: str) -> int:
        password = PASSWORD if name == "anna" else WRONG
        return guess(app.test_client(), name, PROXY, password, **{"X-Forwarded-For": forwarded}).status_code

    return attempt


@pytest.mark.control("ASVS-5.0-15.3.4")
@pytest.mark.usefixtures("clock")
def test_behind_a_trusted_proxy_each_client_counts_alone(behind_proxy: Callable[[str, str], int]) -> None:
    statuses = [behind_proxy(f"nobody{number}", f"203.0.113.{number}, 192.0.2.7") for number in range(21)]
    assert statuses == [401] * 20 + [429]
    assert behind_proxy("anna", "::ffff:192.0.2.7") == 429
    assert behind_proxy("anna", "192.0.2.8") == 200


@pytest.mark.usefixtures("clock")
def test_an_ipv6_customer_counts_as_one(behind_proxy: Callable[[str, str], int]) -> None:
    statuses = [behind_proxy(f"nobody{number}", f"2001:db8:1:2::{number:x}") for number in range(40)]
    assert statuses == [401] * 20 + [429] * 20
    assert behind_proxy("anna", "2001:DB8:1:2:0:0:0:9") == 429
    assert behind_proxy("anna", "2001:db8:1:3::1") == 200


# Devices.


def device_cookie(browser: Browser) -> str:
    """Return the device cookie in the jar."""
    found = browser.get_cookie("device")
    assert found is not None
    return str(found.value)


@pytest.mark.usefixtures("clock")
def test_the_device_cookie_is_no_login(app: flask.Flask) -> None:
    anna = signed_in(app, "anna")
    thief = app.test_client()
    thief.set_cookie("device", device_cookie(anna))
    assert not thief.is_signed_in()
    assert thief.get("/api/profile").status_code == 401
    assert thief.sign_in("anna", WRONG).status_code == 401
    thief.set_cookie("session", device_cookie(anna))
    assert not thief.is_signed_in()
    assert anna.is_signed_in()


@pytest.mark.usefixtures("clock")
def test_a_device_is_known_to_its_account_alone_and_only_as_signed(app: flask.Flask) -> None:
    anna, ben = signed_in(app, "anna"), signed_in(app, "ben")
    guess_until_refused(app, "anna")
    assert ben.sign_in("anna", PASSWORD).status_code == 429
    good = device_cookie(anna)
    for forged in (good[:-1] + ("A" if good[-1] != "A" else "B"), good.partition(".")[0], "x", "." * 300):
        browser = app.test_client()
        browser.set_cookie("device", forged)
        assert browser.sign_in("anna").status_code == 429
    browser = app.test_client()
    browser.set_cookie("device", good)
    assert browser.sign_in("anna").status_code == 200


@pytest.mark.usefixtures("clock")
def test_the_device_cookie_changes_at_each_sign_in_and_the_old_one_is_a_stranger(app: flask.Flask) -> None:
    anna = signed_in(app, "anna")
    old = device_cookie(anna)
    assert anna.sign_in().status_code == 200
    assert device_cookie(anna) != old
    assert len(rows(app, "devices")) == 1
    guess_until_refused(app, "anna")
    copy = app.test_client()
    copy.set_cookie("device", old)
    assert copy.sign_in("anna").status_code == 429
    assert anna.sign_in().status_code == 200


@pytest.mark.usefixtures("clock")
def test_a_shared_browser_stays_known_to_all_its_accounts(app: flask.Flask) -> None:
    browser = signed_in(app, "anna")
    add_account(app, "ben")
    for name in ("ben", "anna", "ben"):
        assert browser.sign_in(name).status_code == 200
    assert len(rows(app, "devices")) == 2
    for name in ("anna", "ben"):
        guess_until_refused(app, name)
        assert browser.sign_in(name).status_code == 200


def test_a_device_unseen_for_half_a_year_is_a_stranger(app: flask.Flask, clock: Clock) -> None:
    anna = signed_in(app, "anna")
    clock.advance(180 * 86_400 - 1)
    guess_until_refused(app, "anna")
    copy = app.test_client()
    copy.set_cookie("device", device_cookie(anna))
    clock.advance(1)
    assert copy.sign_in("anna").status_code == 429
    clock.advance(960)
    assert anna.sign_in().status_code == 200


@pytest.mark.usefixtures("clock")
def test_own_devices_are_listed_and_forgotten(app: flask.Flask) -> None:
    anna, ben = signed_in(app, "anna"), signed_in(app, "ben")
    phone = app.test_client()
    phone.sign_in("anna")
    listed = anna.get("/api/devices").json["devices"]
    assert [set(item) for item in listed] == [
        {"id", "device", "first_seen_at", "last_seen_at", "is_current"}
    ] * 2
    [own] = [item for item in listed if item["is_current"]]
    [other] = [item for item in listed if not item["is_current"]]
    assert own["first_seen_at"].endswith("Z")
    assert ben.get("/api/devices").json["devices"][0]["id"] not in {own["id"], other["id"]}

    assert_refused(ben.write(f"/api/devices/{other['id']}", method="DELETE"), 404, "not_found")
    assert_refused(
        app.test_client().write(f"/api/devices/{other['id']}", method="DELETE"), 401, "not_authenticated"
    )
    assert_refused(app.test_client().get("/api/devices"), 401, "not_authenticated")
    assert_refused(anna.delete(f"/api/devices/{other['id']}"), 400, "csrf_failed")
    guess_until_refused(app, "anna")
    assert phone.sign_in("anna").status_code == 200

    assert anna.write(f"/api/devices/{other['id']}", method="DELETE").status_code == 200
    assert_refused(anna.write(f"/api/devices/{other['id']}", method="DELETE"), 404, "not_found")
    assert [item["id"] for item in anna.get("/api/devices").json["devices"]] == [own["id"]]
    assert phone.is_signed_in(), "its session goes on"
    assert phone.sign_in("anna").status_code == 429
    assert anna.sign_in().status_code == 200
    [recorded] = [row for row in rows(app, "audit") if row["event"] == "user_device_forgotten"]
    assert other["id"] in recorded["data"]


@pytest.mark.usefixtures("clock")
def test_the_security_page_lists_devices_and_forgets_them(app: flask.Flask) -> None:
    anna = signed_in(app, "anna")
    phone = app.test_client()
    phone.sign_in("anna")
    page = anna.page("/account/security")
    actions = re.findall(r'action="(/account/devices/[^"]+/forget)"', page.text)
    assert len(actions) == 2
    for action in actions:
        assert anna.submit(action).headers["Location"].endswith("/account/security")
    page = anna.page("/account/security")
    assert "The device is forgotten." in page.text
    assert "/account/devices/" not in page.text
    assert anna.submit(actions[0]).status_code == 404


# Two processes and a Redis that comes and goes (L13).


class Deployment:
    """Two processes of the platform over one database and one Valkey."""

    def __init__(self, url: str, valkey: Valkey, servers: list[Server]) -> None:
        self.url, self.valkey, self.servers = url, valkey, servers

    def guess(self, number: int, name: str = "anna") -> int:
        """Guess at one of the two, from a proxied address of its own."""
        caller = Caller(self.servers[number % 2], X_Forwarded_For=f"203.0.113.{number}")
        return caller.sign_in(name, WRONG).status_code

    def logged(self, words: str) -> int:
        """Return how often the two said this."""
        return sum(server.log.read_text().count(words) for server in self.servers)


@pytest.fixture
def deployment(postgres_url: str) -> Iterator[Deployment]:
    """Give two servers, as gunicorn or systemd would start them."""
    from tests.services.fixtures import _migrate  # noqa: PLC0415

    _migrate(postgres_url)
    add_accounts(postgres_url, "anna", "ben")
    with Valkey() as valkey:
        environ: Mapping[str, str] = {
            "FLASK_ENV": "testing",
            "DATABASE_URL": postgres_url,
            "REDIS_URL": valkey.url,
            "AEGIS_TRUSTED_PROXIES": "127.0.0.1",
        }
        words = ("waitress-serve", "--host=127.0.0.1", "--port={port}", "--threads=4", "app:app")
        with Server(*words, environ=environ) as one, Server(*words, environ=environ) as other:
            yield Deployment(postgres_url, valkey, [one, other])


@pytest.mark.control("ASVS-5.0-6.3.1")
@pytest.mark.parametrize("how", ["kill", "pause"])
def test_two_processes_hold_one_limit_while_redis_comes_and_goes(deployment: Deployment, how: str) -> None:
    statuses = [deployment.guess(number) for number in range(4)]
    getattr(deployment.valkey, how)()
    statuses += [deployment.guess(number) for number in range(4, 8)]
    assert Caller(deployment.servers[0]).sign_in("ben").status_code == 200
    assert Caller(deployment.servers[1]).ask("GET", "/api/check_session").status_code == 401
    deployment.valkey.resume() if how == "pause" else deployment.valkey.start()
    statuses += [deployment.guess(number) for number in range(8, 14)]
    assert statuses == [401] * 10 + [429] * 4
    wait_until(lambda: deployment.logged("redis_unavailable") == 2, "one warning of each process")
