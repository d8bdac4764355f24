"""Chromium, without a network beyond this machine."""

import contextlib
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, sync_playwright

from tests.services.process import ServiceError

# Names under .test are this machine, so that a page can be met under a real host name.
HOSTS = "MAP *.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1"
OPTIONS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    f"--host-resolver-rules={HOSTS}",
]


def executable() -> str:
    """Return the path of Chromium."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    raise ServiceError("chromium is not installed: apt-get install chromium, or run make test as root")


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium; each test takes its own context from it.

    No sandbox: it does not start as root or in a container, and only our own pages are visited.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable(), chromium_sandbox=False, args=OPTIONS
        )
        try:
            yield browser
        finally:
            browser.close()
