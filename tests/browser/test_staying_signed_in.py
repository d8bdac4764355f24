"""Staying signed in, in Chromium: a browser that was closed goes on, and proves itself before anything sensitive."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.conftest import Authenticator, NewContext, Site, arrive, served, sign_in
from tests.browser.test_accessibility import judge
from tests.factories import PASSWORD, add_account
from tests.fixtures import NewApp
from tests.services.process import free_port

PHONE = {"width": 360, "height": 740}


@pytest.fixture
def site(new_app: NewApp, sqlite_url: str) -> Iterator[Site]:
    """Give the served platform with anna, where browsers may stay signed in for two weeks."""
    port = free_port()
    url = f"http://localhost:{port}"
    app = new_app(DATABASE_URL=sqlite_url, AEGIS_URL=url, AEGIS_REMEMBER_LIFETIME="1209600")
    add_account(app, "anna")
    with served(app, port):
        yield Site(app, url)


def enter(page: Page) -> None:
    page.goto("/login?next=/profile")
    page.get_by_label("User name or e-mail address").fill("anna")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Stay signed in on this device for up to 14 days").check()
    page.get_by_role("button", name="Sign in", exact=True).click()
    arrive(page, "/profile")


def reopened(context: BrowserContext, new_context: NewContext, *, scripts: bool) -> Page:
    """Return a tab of the browser after it was closed: what has no date is gone."""
    lasting = [cookie for cookie in context.cookies() if cookie["expires"] > 0]
    later = new_context(java_script_enabled=scripts, viewport=PHONE)
    later.add_cookies(lasting)  # type: ignore[arg-type] - what it gave, it takes
    return later.new_page()


@pytest.mark.control("NIST-63B4-5.1-2")
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_closed_browser_goes_on_and_asks_for_the_password_before_anything_sensitive(
    site: Site, new_context: NewContext, *, scripts: bool
) -> None:
    first = new_context(java_script_enabled=scripts, viewport=PHONE)
    enter(first.new_page())
    page = reopened(first, new_context, scripts=scripts)
    page.goto("/profile")
    arrive(page, "/profile")

    page.get_by_label("Your address").fill("new@mail.test")
    page.get_by_role("button", name="Save address").click()
    page.get_by_text("What you typed is kept.").wait_for()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Send it now").click()
    page.get_by_role("heading", name="Confirm your address").wait_for()
    page.get_by_text("new@mail.test").wait_for()

    page.goto("/account/security")
    page.get_by_role("button", name="for good").click()
    arrive(page, "/login")
    assert page.goto("/profile")
    arrive(page, "/login")


def test_whoever_signs_in_with_a_passkey_may_stay_too(
    context: BrowserContext, authenticator: Callable[[Page], Authenticator]
) -> None:
    page = context.new_page()
    page.add_init_script("PublicKeyCredential.isConditionalMediationAvailable = undefined")
    authenticator(page)
    sign_in(page, path="/account/security")
    page.get_by_label("Name of the new passkey").fill("laptop")
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_text("laptop can sign you in from now on.").wait_for()
    for asks in (False, True):
        context.clear_cookies()
        page.goto("/login?next=/profile")
        page.get_by_label("Stay signed in").set_checked(asks)
        page.get_by_role("button", name="Sign in with a passkey").click()
        arrive(page, "/profile")
        assert ("remember" in {cookie["name"] for cookie in context.cookies()}) is asks


def test_the_pages_have_no_barrier(site: Site, new_context: NewContext) -> None:
    context = new_context(viewport=PHONE, color_scheme="dark", reduced_motion="reduce")
    wrong = judge(context.new_page(), "/login")
    enter(context.new_page())
    wrong += judge(context.new_page(), "/account/security")
    assert wrong == []
