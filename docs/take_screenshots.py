"""Take the pictures of README.md anew from the running platform: `.venv/bin/python -m docs.take_screenshots`.

A database of its own with the sample course is used and thrown away; nothing of yours is touched.
"""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page

from tests.services.browser import chromium

IMAGES = Path(__file__).parent / "images"
AEGIS = Path(sys.executable).with_name("aegis")
NAME, PASSWORD = "mira", "four unrelated words beside anvil"  # of an account that lives for seconds
DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 360, "height": 740}


def main() -> None:
    """Start the platform, act as a learner for a minute, and write the pictures."""
    with tempfile.TemporaryDirectory() as folder, platform(Path(folder)) as address, chromium() as browser:
        desktop = opened(browser, address, DESKTOP, scale=1)
        learn(desktop)
        take(desktop, "/", "home", whole=True)
        take(desktop, "/courses/safe-accounts/lessons/passphrases", "lesson")
        phone = opened(browser, address, PHONE, scale=2, scheme="dark")
        take(phone, "/login", "login-phone")
        sign_in(phone)
        take(phone, "/account/security", "security-phone")


@contextlib.contextmanager
def platform(folder: Path) -> Iterator[str]:
    """Serve the platform on a free port with one account."""
    environ = {**os.environ, "FLASK_ENV": "development", "DATABASE_URL": f"sqlite:///{folder}/aegis.sqlite"}
    create = [AEGIS, "user", "create", NAME, "--password-stdin"]
    subprocess.run(create, env=environ, input=PASSWORD, text=True, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (folder / "log").open("w") as log:
        serve = [AEGIS, "serve", "--port", str(port)]
        server = subprocess.Popen(serve, env=environ, stdout=log, stderr=log)  # noqa: S603 - our own program
    try:
        wait_for(f"http://localhost:{port}/health")
        yield f"http://localhost:{port}"
    finally:
        server.terminate()
        server.wait()


def wait_for(address: str) -> None:
    """Return once the address answers."""
    deadline = time.monotonic() + 30
    while True:
        try:
            httpx.get(address)
        except httpx.ConnectError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def opened(
    browser: Browser, address: str, size: dict[str, int], *, scale: int, scheme: str = "light"
) -> Page:
    """Return a page of a browser window of its own."""
    context = browser.new_context(
        base_url=address,
        viewport={"width": size["width"], "height": size["height"]},
        device_scale_factor=scale,
        color_scheme="dark" if scheme == "dark" else "light",
        locale="en-GB",
    )
    return context.new_page()


def sign_in(page: Page) -> None:
    """Sign in through the form."""
    page.goto("/login")
    page.get_by_label("User name").fill(NAME)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/")


def learn(page: Page) -> None:
    """Tell a name, enrol in the sample course and complete two lessons."""
    sign_in(page)
    page.goto("/profile")
    page.get_by_label("Display name").fill("Mira")
    page.get_by_role("button", name="Save").first.click()
    page.goto("/courses/safe-accounts")
    page.get_by_role("button", name="Enrol").first.click()
    for lesson in ("passphrases", "password-managers"):
        page.goto(f"/courses/safe-accounts/lessons/{lesson}")
        page.get_by_role("button", name="complete").first.click()


def take(page: Page, path: str, name: str, *, whole: bool = False) -> None:
    """Write one picture, of what the window shows or of the whole page."""
    page.goto(path)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=IMAGES / f"{name}.png", full_page=whole)


if __name__ == "__main__":
    main()
