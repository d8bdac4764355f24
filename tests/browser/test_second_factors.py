"""Authenticators and recovery codes in Chromium, with scripts off: the pages alone carry the whole way."""

import pytest
from playwright.sync_api import Page

from aegis import clock
from aegis.mfa import totp
from tests.browser.conftest import NewContext, Site, arrive, fill_sign_in, sign_in
from tests.codes import App
from tests.factories import PASSWORD

PHONE = {"width": 360, "height": 740}


@pytest.fixture
def page(new_context: NewContext) -> Page:
    """Give a page on a phone whose browser runs no scripts."""
    return new_context(java_script_enabled=False, viewport=PHONE).new_page()


def begin(page: Page, path: str) -> None:
    """Give the right password, on the way to a path."""
    page.goto(f"/login?next={path}")
    fill_sign_in(page)
    arrive(page, "/login/second-factor")


def no_wider_than_the_screen(page: Page) -> bool:
    """Tell whether nothing has to be pushed sideways to be read."""
    width = page.locator("html").bounding_box()
    return width is not None and width["width"] <= PHONE["width"]


def passed_on(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """Let time pass on the server."""
    monkeypatch.setattr(clock, "_ahead_s", clock._ahead_s + seconds)


@pytest.mark.control("ASVS-5.0-6.3.3")
def test_an_authenticator_is_added_used_lost_and_replaced_without_scripts(
    site: Site, page: Page, new_context: NewContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(page, path="/account/security")
    page.get_by_role("button", name="Set up an authenticator app").click()
    picture = page.locator("svg.qr").bounding_box()
    assert picture is not None
    assert picture["width"] == picture["height"] > 150
    page.get_by_text("I cannot read the picture").click()
    app = App(page.locator(".secret").inner_text().replace(" ", ""))
    page.get_by_label("Code that the app shows now").fill("000000")
    page.get_by_label("Name").fill("my phone")
    page.get_by_role("button", name="Add it").click()
    assert page.get_by_label("Name").input_value() == "my phone"
    page.get_by_label("Code that the app shows now").fill(app.code())
    page.get_by_role("button", name="Add it").click()
    codes = page.locator(".codes code").all_inner_texts()
    assert len(codes) == 10
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save as a file").click()
    assert saved.value.suggested_filename == "recovery-codes.txt"
    assert all(code in saved.value.path().read_text().splitlines() for code in codes)
    assert no_wider_than_the_screen(page)
    page.get_by_role("link", name="I have kept them").click()
    page.get_by_text("10 of your recovery codes are left.").wait_for()
    assert no_wider_than_the_screen(page)

    passed_on(monkeypatch, totp.STEP_S)
    other = new_context(java_script_enabled=False, viewport=PHONE).new_page()
    begin(other, "/profile")
    other.get_by_label("Code of your authenticator app").fill(app.code())
    other.get_by_role("button", name="Continue").click()
    arrive(other, "/profile")

    lost = new_context(java_script_enabled=False, viewport=PHONE).new_page()
    begin(lost, "/account/security")
    lost.get_by_text("Use a recovery code").click()
    lost.get_by_label("Recovery code").fill(codes[0])
    lost.get_by_role("button", name="Use this code").click()
    lost.get_by_text("You used a recovery code up. 9 are left.").wait_for()
    lost.get_by_role("button", name="Remove the authenticator my phone").click()
    lost.get_by_text("The authenticator was removed.").wait_for()
    assert site.app.test_client().sign_in("anna", PASSWORD).status_code == 200
