"""Each page for everybody: by keyboard, with a screen reader, on a phone, light and dark."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import NewContext, Site, arrive, sign_in
from tests.codes import enrol
from tests.factories import PASSWORD, rows, signed_in

VISITOR = ("/", "/login", "/register", "/courses/safe-accounts", "/nothing-here")
LEARNER = (
    "/",
    "/profile",
    "/account/security",
    "/account/data",
    "/account/second-factor",
    "/reauthenticate",
    "/courses/safe-accounts",
    "/courses/safe-accounts/lessons/passphrases",
)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def judge(page: Page, path: str) -> list[str]:
    """Return what is wrong with a page."""
    wrong: list[str] = []
    page.on(
        "console",
        lambda message: wrong.append(f"{path}: {message.text}") if message.type == "error" else None,
    )
    page.on("pageerror", lambda error: wrong.append(f"{path}: {error}"))
    page.goto(path)
    found = Axe().run(page, options={"runOnly": RULES}).response["violations"]
    wrong += [
        f"{path}: {violation['id']}: {node['html'][:120]}"
        for violation in found
        for node in violation["nodes"]
    ]
    width = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    if width[0] > width[1]:
        wrong.append(f"{path}: scrolls sideways, {width}")
    return [line for line in wrong if not ("404" in line and path == "/nothing-here")]


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1440, "light")])
def test_no_page_has_a_barrier(new_context: NewContext, width: int, scheme: str) -> None:
    """WCAG 2.2 A and AA by axe-core, nothing that scrolls sideways, no error in the console, no breach of the policy."""
    context = new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
    )
    wrong = [line for path in VISITOR for line in judge(context.new_page(), path)]
    sign_in(context.new_page())
    wrong += [line for path in LEARNER for line in judge(context.new_page(), path)]

    assert wrong == []


def test_no_page_of_administrators_has_a_barrier(site: Site, new_context: NewContext) -> None:
    head = signed_in(site.app, "head", role="admin")
    enrol(head)
    context = new_context(
        viewport={"width": 360, "height": 800}, color_scheme="dark", reduced_motion="reduce"
    )
    cookie = head.session_cookie()
    assert cookie is not None
    context.add_cookies([{"name": "session", "value": cookie, "url": site.url}])
    users = [f"/admin/users/{row['id']}" for row in rows(site.app, "accounts") if row["username"] == "anna"]
    paths = ("/admin", "/admin/sessions", "/admin/import", "/admin/audit", *users)
    assert [line for path in paths for line in judge(context.new_page(), path)] == []


def test_a_form_with_errors_has_no_barrier(new_context: NewContext) -> None:
    """The summary has the focus, and each sentence leads to its field."""
    page = new_context(viewport={"width": 360, "height": 800}).new_page()
    page.goto("/register")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password", exact=True).fill("password")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("heading", name="Please look at these again").wait_for()
    assert page.evaluate("document.activeElement.className") == "summary"
    assert Axe().run(page, options={"runOnly": RULES}).response["violations"] == []
    page.get_by_role("link").filter(has_text="password").first.click()
    assert page.evaluate("document.activeElement.id") == "password"


def test_the_keyboard_alone_signs_in(new_context: NewContext) -> None:
    """The first stop skips to the content; each stop is seen; Enter sends."""
    page = new_context().new_page()
    page.goto("/login")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    for text in ("anna", PASSWORD):
        assert page.evaluate("document.activeElement.tagName") == "INPUT"
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        page.keyboard.type(text)
        if text == "anna":
            page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    arrive(page, "/")
    assert page.get_by_role("button", name="Sign out").is_visible()
