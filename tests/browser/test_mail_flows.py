"""From registration to an account that was won back, with a browser and a mailbox behind a real relay."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from aegis.mail import gate
from tests.browser.conftest import NewContext, Site, arrive, fill_sign_in, served
from tests.browser.test_accessibility import judge
from tests.factories import OTHER_PASSWORD, PASSWORD
from tests.fixtures import NewApp
from tests.services.process import free_port
from tests.services.smtp import Smtp

EMAIL = "anna@mail.test"
MINE = "four green ladders beside a piano"
PHONE = {"width": 360, "height": 740}


@pytest.fixture
def site(new_app: NewApp, sqlite_url: str, smtp: Smtp) -> Iterator[Site]:
    """Give the served platform, where an address is required, behind a relay that was tried."""
    port = free_port()
    url = f"http://localhost:{port}"
    app = new_app(
        DATABASE_URL=sqlite_url,
        AEGIS_URL=url,
        AEGIS_EMAIL_VERIFICATION="required",
        MAIL_URL=smtp.url,
        AEGIS_MAIL_CA=str(smtp.certificate),
    )
    with app.app_context():
        gate.note_round_trip()
    with served(app, port):
        yield Site(app, url)


def code_in(text: str) -> str:
    found = re.search(r"Code: (\d{8})", text)
    assert found is not None, text
    return found[1]


def link_in(text: str) -> str:
    """Return the path of the link that a mail asks to open."""
    found = re.search(r"https?://\S+token=\S+", text)
    assert found is not None, text
    parts = urlsplit(found[0])
    return f"{parts.path}?{parts.query}"


def register(page: Page) -> None:
    page.goto("/register?next=/profile")
    page.get_by_label("User name").fill("anna")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    arrive(page, "/verify-email")


def choose_password(page: Page, password: str) -> None:
    page.get_by_label("New password", exact=True).fill(password)
    page.get_by_role("button", name="Save the new password").click()
    arrive(page, "/login")


def sign_in(page: Page, password: str) -> None:
    page.goto("/login?next=/profile")
    page.get_by_label("User name or e-mail address").fill("anna")
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    arrive(page, "/profile")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_an_account_is_proven_lost_and_won_back(
    site: Site, new_context: NewContext, smtp: Smtp, *, scripts: bool
) -> None:
    page = new_context(java_script_enabled=scripts, viewport=PHONE).new_page()
    register(page)
    page.get_by_label("Code from the mail").fill("0000 0000")
    page.get_by_role("button", name="Confirm").click()
    page.get_by_text("not right, or not good any more").first.wait_for()
    page.get_by_role("button", name="Send another code").click()
    page.get_by_text("another one is on its way").wait_for()
    code = code_in(smtp.received(2)[1].text)
    page.get_by_label("Code from the mail").fill(f" {code[:4]} {code[4:]} ")
    page.get_by_role("button", name="Confirm").click()
    arrive(page, "/login")
    page.get_by_text("Your e-mail address is confirmed").wait_for()
    fill_sign_in(page)
    arrive(page, "/profile")

    lost = new_context(java_script_enabled=scripts, viewport=PHONE).new_page()
    lost.goto("/forgot-password")
    lost.get_by_label("E-mail address").fill(EMAIL)
    lost.get_by_role("button", name="Send the mail").click()
    lost.goto(link_in(smtp.received(3)[2].text))
    assert "token" not in lost.url
    choose_password(lost, OTHER_PASSWORD)
    page.goto("/profile")
    arrive(page, "/login")  # all sessions ended
    sign_in(lost, OTHER_PASSWORD)

    notice = next(mail for mail in smtp.received(4) if "/account/undo" in mail.text)
    owner = new_context(java_script_enabled=scripts, viewport=PHONE).new_page()
    owner.goto(link_in(notice.text))
    assert "token" not in owner.url
    owner.get_by_role("button", name="Take the change back").click()
    arrive(owner, "/reset-password")
    lost.goto("/profile")
    arrive(lost, "/login")
    choose_password(owner, MINE)
    sign_in(owner, MINE)


def test_a_tab_that_waits_goes_on_when_the_code_was_typed_in_another(
    site: Site, new_context: NewContext, smtp: Smtp
) -> None:
    context = new_context()
    waiting, other = context.new_page(), context.new_page()
    register(waiting)
    other.goto("/verify-email")
    other.get_by_label("Code from the mail").fill(code_in(smtp.received(1)[0].text))
    other.get_by_role("button", name="Confirm").click()
    arrive(other, "/login")
    waiting.bring_to_front()
    arrive(waiting, "/login")


def test_the_pages_have_no_barrier(site: Site, new_context: NewContext, smtp: Smtp) -> None:
    context = new_context(viewport=PHONE, color_scheme="dark", reduced_motion="reduce")
    register(context.new_page())
    wrong = judge(context.new_page(), "/verify-email")
    for path in ("/forgot-password", "/reset-password", "/account/undo", f"/account/undo?token={'x' * 43}"):
        wrong += judge(context.new_page(), path)
    assert wrong == []
