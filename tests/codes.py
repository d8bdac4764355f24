"""What an authenticator app does."""

from typing import Any

from werkzeug.test import TestResponse

from aegis import clock
from aegis.mfa import totp
from tests.factories import Browser


class App:
    """An authenticator app that holds one secret."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def code(self, steps: int = 0) -> str:
        """Return the code of now, or of so many steps later."""
        return totp.code(self.secret, clock.now() // totp.STEP_S + steps)


def enrol(browser: Browser, **more: Any) -> App:
    """Add an authenticator to the signed-in account; the code of the present step is used up by it."""
    begun = browser.write("/api/mfa/totp")
    assert begun.status_code == 200, begun.text
    app = App(begun.json["secret"])
    confirmed = browser.write("/api/mfa/totp/confirm", {"code": app.code(), **more})
    assert confirmed.status_code == 200, confirmed.text
    browser.recovery_codes = confirmed.json["recovery_codes"]
    return app


def give(browser: Browser, code: str, method: str = "totp") -> TestResponse:
    """Give the second factor of a sign-in."""
    return browser.write("/api/login/mfa", {"method": method, "code": code})
