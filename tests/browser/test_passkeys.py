"""Passkeys in Chromium, with the virtual authenticator of its DevTools."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.conftest import Authenticator, Site, arrive, sign_in
from tests.factories import rows


def add(page: Page, name: str) -> None:
    """Add a passkey on the security page."""
    page.get_by_label("Name of the new passkey").fill(name)
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_text(f"{name} can sign you in from now on.").wait_for()


@pytest.mark.control("ASVS-5.0-6.3.3")
def test_a_passkey_is_added_named_used_without_a_name_and_removed(
    site: Site, context: BrowserContext, authenticator: Callable[[Page], Authenticator]
) -> None:
    """The button works also where the browser suggests nothing by itself."""
    app, page = site.app, context.new_page()
    page.add_init_script("PublicKeyCredential.isConditionalMediationAvailable = undefined")
    command = authenticator(page)
    sign_in(page, path="/account/security")
    add(page, "my phone")
    [credential] = command("getCredentials")["credentials"]
    assert credential["isResidentCredential"]
    page.get_by_text("Rename").first.click()
    page.get_by_label("New name").fill("my new phone")
    page.get_by_role("button", name="Save the name").click()
    page.get_by_text("my new phone").first.wait_for()

    context.clear_cookies()
    page.goto("/login?next=/profile")
    page.get_by_role("button", name="Sign in with a passkey").click()
    arrive(page, "/profile")
    [session] = [row for row in rows(app, "sessions") if row["method"] == "passkey"]
    assert session["auth_level"] == 2

    page.goto("/account/security")
    page.get_by_role("button", name="Remove the passkey my new phone").click()
    page.get_by_text("The passkey was removed.").wait_for()
    assert rows(app, "passkeys") == []
    context.clear_cookies()
    page.goto("/login")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.get_by_text("This passkey is not known here").wait_for()


def test_the_browser_suggests_the_passkey_in_the_name_field(
    context: BrowserContext, authenticator: Callable[[Page], Authenticator]
) -> None:
    """Conditional UI: nobody has to press the button; the virtual authenticator accepts what is suggested."""
    page = context.new_page()
    authenticator(page)
    sign_in(page, path="/account/security")
    add(page, "laptop")
    context.clear_cookies()
    page.goto("/login?next=/profile")
    arrive(page, "/profile")


def test_a_passkey_confirms_who_is_there_and_finishes_what_was_begun(
    site: Site, context: BrowserContext, authenticator: Callable[[Page], Authenticator]
) -> None:
    app, page = site.app, context.new_page()
    authenticator(page)
    sign_in(page, path="/account/security")
    add(page, "laptop")
    page.goto("/reauthenticate?next=/profile")
    page.get_by_role("button", name="Confirm with a passkey").click()
    arrive(page, "/profile")

    assert [row["auth_level"] for row in rows(app, "sessions")] == [2]


def test_a_browser_without_scripts_sees_no_dead_button(browser: Browser, site: Site) -> None:
    context = browser.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/login")
    assert page.get_by_role("button", name="Sign in", exact=True).is_visible()
    assert not page.get_by_role("button", name="Sign in with a passkey").is_visible()
    context.close()


def test_a_copied_authenticator_whose_counter_went_back_is_refused(
    context: BrowserContext, authenticator: Callable[[Page], Authenticator]
) -> None:
    page = context.new_page()
    command = authenticator(page)
    sign_in(page, path="/account/security")
    add(page, "key")
    [credential] = command("getCredentials")["credentials"]
    command("removeCredential", credentialId=credential["credentialId"])
    command("addCredential", credential={**credential, "signCount": 0})
    page.goto("/reauthenticate?next=/profile")
    page.get_by_role("button", name="Confirm with a passkey").click()
    page.get_by_text("This passkey is not known here").wait_for()
