"""The way of a learner through the platform, with and without scripts."""

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.conftest import COURSE, NewContext, Site, arrive, fill_sign_in, sign_in
from tests.factories import OTHER_PASSWORD, rows
from tests.fixtures import Clock

SLUG = "/courses/safe-accounts"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_from_registration_to_signing_out(new_context: NewContext, site: Site, scripts: bool) -> None:
    """Register, enrol, read, complete, write a note, sign out; Back then shows nothing of it (field lesson L7)."""
    page = new_context(java_script_enabled=scripts).new_page()
    page.goto("/")
    page.get_by_role("link", name="Register").click()
    page.get_by_label("User name").fill("new.learner")
    page.get_by_label("Password", exact=True).fill(OTHER_PASSWORD)
    page.get_by_role("button", name="Create").click()
    arrive(page, "/")
    page.get_by_role("link", name=COURSE).first.click()
    page.get_by_role("button", name="Enrol").first.click()
    page.get_by_role("link", name="Start").click()
    page.get_by_role("button", name="Completed, and on to the next").click()
    page.get_by_role("link", name=COURSE).first.click()
    arrive(page, SLUG)
    assert page.get_by_role("link", name="Continue").is_visible()
    page.get_by_label("Only you can read it").fill("My own words")
    page.get_by_role("button", name="Save note").click()
    page.get_by_text("My own words").wait_for()
    assert [row["content"] for row in rows(site.app, "notes")] == ["My own words"]

    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="You are signed out").wait_for()
    page.go_back()
    page.wait_for_load_state()
    assert "My own words" not in page.content()
    page.goto("/profile")
    arrive(page, "/login")


def test_two_tabs_that_change_one_note_lose_nothing(context: BrowserContext, site: Site) -> None:
    """The second one sees what is stored beside its own text, and may save that over it."""
    first, second = context.new_page(), context.new_page()
    sign_in(first, path=SLUG)
    first.get_by_role("button", name="Enrol").first.click()
    arrive(first, SLUG)
    second.goto(SLUG)
    write_note(first, "from the first tab")
    first.get_by_text("from the first tab").wait_for()
    write_note(second, "from the second tab")
    second.get_by_role("heading", name="Stored now").wait_for()
    assert second.locator(".note-stored").inner_text() == "from the first tab"
    assert second.get_by_label("What you typed").input_value() == "from the second tab"
    second.get_by_role("button", name="Save note").click()
    second.get_by_label("Only you can read it").wait_for()

    assert [row["content"] for row in rows(site.app, "notes")] == ["from the second tab"]


def test_a_session_that_ended_while_typing_costs_nothing(page: Page, site: Site, clock: Clock) -> None:
    """Field lesson L8: sign in again, see the text, send it; it is stored once."""
    typed = "An hour of writing.\nWith a second line. " * 40
    sign_in(page, path=SLUG)
    page.get_by_role("button", name="Enrol").first.click()
    arrive(page, SLUG)
    page.get_by_label("Only you can read it").fill(typed)
    clock.advance(3600)
    page.get_by_role("button", name="Save note").click()
    page.get_by_text("What you typed is kept.").wait_for()
    assert rows(site.app, "notes") == []
    fill_sign_in(page)
    page.get_by_role("button", name="Send").click()
    page.get_by_label("Only you can read it").wait_for()

    assert [row["content"].split() for row in rows(site.app, "notes")] == [typed.split()]


def test_a_sign_in_in_another_tab_revives_the_first(
    context: BrowserContext, site: Site, clock: Clock
) -> None:
    """Field lesson L8: the first tab's form works without being loaded again."""
    first, second = context.new_page(), context.new_page()
    sign_in(first, path=SLUG)
    first.get_by_role("button", name="Enrol").first.click()
    arrive(first, SLUG)
    first.get_by_label("Only you can read it").fill("kept")
    clock.advance(3600)
    sign_in(second)
    first.get_by_role("button", name="Save note").click()
    first.get_by_text("kept").wait_for()

    assert [row["content"] for row in rows(site.app, "notes")] == ["kept"]


def write_note(page: Page, text: str) -> None:
    """Write a note and save it."""
    page.get_by_label("Only you can read it").fill(text)
    page.get_by_role("button", name="Save note").click()
