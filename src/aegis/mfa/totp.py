"""One-time codes by the clock (RFC 6238), with the parameters that every authenticator app knows."""

import base64
import hmac
import io
import secrets
from urllib.parse import quote, urlencode

import segno

from aegis import tokens

STEP_S = 30
DIGITS = 6
DRIFT = 1
"""Steps that a clock may be off either way (RFC 6238 section 5.2 recommends one)."""

SECRET_BYTES = 20
"""160 bits, as RFC 4226 section 4 (R6) recommends."""


def new_secret() -> str:
    """Return a secret in the base32 that authenticator apps read."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def code(secret: str, step: int) -> str:
    """Return the code of a step: HOTP of RFC 4226 section 5.3."""
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), "sha1")
    place = digest[-1] & 15
    number = int.from_bytes(digest[place : place + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def step_of(secret: str, given: str, now: int) -> int | None:
    """Return the step that a code is of, now or one step either way, or None. Blanks that people type do not count."""
    typed = "".join(given.split())
    if len(typed) != DIGITS or not (typed.isascii() and typed.isdigit()):
        return None
    current = now // STEP_S
    steps = range(current - DRIFT, current + DRIFT + 1)
    return max((step for step in steps if tokens.equal(code(secret, step), typed)), default=None)


def address(secret: str, issuer: str, account: str) -> str:
    """Return the otpauth: address that an app reads from the picture."""
    label = quote(f"{issuer.replace(':', ' ')}:{account}", safe=":")
    facts = {"secret": secret, "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS, "period": STEP_S}
    return f"otpauth://totp/{label}?{urlencode(facts, quote_via=quote)}"


def picture(text: str) -> str:
    """Return the text as a QR code in SVG, black on white in any theme, without inline style."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, svgclass="qr", lineclass=None, omitsize=True, light="#fff", border=4
    )
    return out.getvalue().decode()
