"""What browsers keep and send: cookies over TLS, other sites, other browsers."""

import flask
import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import NewContext, Site, arrive, fill_sign_in, served, sign_in
from tests.factories import OTHER_PASSWORD, PASSWORD, add_account, rows
from tests.fixtures import NewApp
from tests.services.process import free_port


@pytest.mark.control("ASVS-5.0-3.3.1", "ASVS-5.0-3.3.4", "ASVS-5.0-7.4.1")
def test_over_tls_the_jar_holds_the_session_until_it_is_signed_out(
    browser: Browser, new_production_app: NewApp
) -> None:
    """Field lesson L4, in a real browser and under the production configuration."""
    port = free_port()
    url = f"https://platform.test:{port}"
    app = new_production_app(AEGIS_URL=url)
    add_account(app, "anna")
    with served(app, port, ssl_context="adhoc"):
        context = browser.new_context(base_url=url, ignore_https_errors=True)
        page = context.new_page()
        sign_in(page, path="/profile")
        [cookie] = [cookie for cookie in context.cookies() if cookie["name"] == "__Host-session"]
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
        assert (cookie["path"], cookie["domain"], cookie["expires"]) == ("/", "platform.test", -1)
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("heading", name="You are signed out").wait_for()
        assert {cookie["name"] for cookie in context.cookies()} <= {"__Host-device", "__Host-visitor"}
        page.goto("/profile")
        arrive(page, "/login")
        context.close()


@pytest.mark.control("ASVS-5.0-7.4.3")
def test_a_new_password_ends_the_other_browser_and_keeps_this_one(
    new_context: NewContext, site: Site
) -> None:
    here, there = new_context().new_page(), new_context().new_page()
    sign_in(here, path="/account/security")
    sign_in(there, path="/profile")
    here.get_by_label("Current password").fill(PASSWORD)
    here.get_by_label("New password").fill(OTHER_PASSWORD)
    here.get_by_role("button", name="Change password").click()
    here.get_by_text("All other sessions have ended.").wait_for()
    there.reload()
    arrive(there, "/login")
    here.goto("/profile")
    arrive(here, "/profile")


@pytest.mark.control("ASVS-5.0-3.5.1")
@pytest.mark.parametrize("host", ["localhost", "evil.test"])
def test_a_form_on_another_site_changes_nothing(page: Page, site: Site, host: str) -> None:
    """Another port of the same host is another origin, which SameSite alone would let through."""
    evil = flask.Flask("evil")
    form = f'<form method=post action="{site.url}/profile"><input name=bio value=hacked><button>Win</button></form>'
    evil.add_url_rule("/", view_func=lambda: form, endpoint="trap")
    sign_in(page, path="/profile")
    port = free_port()
    with served(evil, port):
        page.goto(f"http://{host}:{port}/")
        page.get_by_role("button", name="Win").click()
        page.wait_for_url(f"{site.url}/profile")
    assert [row["bio"] for row in rows(site.app, "accounts")] == [""]
    page.goto("/profile")
    page.get_by_label("About you").fill("my own words")
    page.get_by_role("button", name="Save").first.click()
    page.get_by_text("Your profile was saved.").wait_for()
    assert [row["bio"] for row in rows(site.app, "accounts")] == ["my own words"]


def test_too_many_wrong_passwords_are_told_to_people(page: Page) -> None:
    """The page says how long to wait, and keeps the name."""
    page.goto("/login")
    for _ in range(11):
        page.get_by_label("User name or e-mail address").fill("anna")
        page.get_by_label("Password", exact=True).fill("not it")
        page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_text("Too many attempts. Please wait").wait_for()
    assert page.get_by_label("User name or e-mail address").input_value() == "anna"


def test_the_other_ways_stay_open_while_one_is_refused(page: Page) -> None:
    page.goto("/login?next=/profile")
    fill_sign_in(page)
    arrive(page, "/profile")
