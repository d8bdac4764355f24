"""Every expected refusal: its status, machine code and sentence. This page is the public list.

A service raises one of these; `aegis.web` turns it into the one JSON shape or into a page. Anything else that
is raised means that the system failed and is answered as 500.
"""

from collections.abc import Mapping


class AegisError(Exception):
    """The root of all refusals; catch it as wide or as narrow as you like."""

    status = 500
    code = "server_error"
    sentence = (
        "Something went wrong on our side. Please try again; if it stays, tell the operator the request id."
    )

    def __init__(
        self,
        sentence: str | None = None,
        *,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        """Take another sentence than the class's, messages by field, headers and further JSON members."""
        self.sentence = sentence or type(self).sentence
        self.fields = dict(fields or {})
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})
        super().__init__(self.sentence)


class BadRequest(AegisError):
    """The request cannot be read at all."""

    status = 400
    code = "bad_request"
    sentence = "The request could not be read."


class InvalidInput(AegisError):
    """The request was read, but a field is wrong; `fields` names each with the fix."""

    status = 400
    code = "invalid_input"
    sentence = "Please correct the marked fields."


class CsrfFailed(AegisError):
    """The request does not prove that it comes from this site's own pages."""

    status = 400
    code = "csrf_failed"
    sentence = "This form is no longer valid. Reload the page and send it again."


class CrossSite(CsrfFailed):
    """The browser itself says that another site sent the request."""

    sentence = "This request came from another site and was refused."


class NotSignedIn(AegisError):
    """There is no live session."""

    status = 401
    code = "not_authenticated"
    sentence = "Please sign in."


class InvalidCredentials(AegisError):
    """Unknown name, wrong password and deactivated account are this one answer."""

    status = 401
    code = "invalid_credentials"
    sentence = "The name or the password is not right."


class SecondFactorRequired(AegisError):
    """The password is right, and the account has a second factor; `methods` names those that will do."""

    status = 401
    code = "mfa_required"
    sentence = "Your password is right. Please give your second factor now."


class SignInExpired(AegisError):
    """The sign-in that was begun is over: too late, tried too often, or begun in another browser."""

    status = 401
    code = "sign_in_expired"
    sentence = "This sign-in took too long or was tried too often. Please begin again with your password."


class ReauthenticationRequired(AegisError):
    """The session is not fresh or not strong enough for this action; `methods` names what would make it so."""

    status = 401
    code = "reauthentication_required"
    sentence = "Please confirm that it is you and try again."


class Forbidden(AegisError):
    """The account may not do this."""

    status = 403
    code = "forbidden"
    sentence = "Your account may not do this."


class EnrolmentRequired(AegisError):
    """The account must have a second factor and has none: the session is good for adding one alone."""

    status = 403
    code = "mfa_enrolment_required"
    sentence = "Your account needs a second factor. Please add one first."


class PasswordChangeRequired(AegisError):
    """The password was given by somebody else: the session is good for choosing another one alone."""

    status = 403
    code = "password_change_required"
    sentence = "Please choose a password of your own first."


class EmailUnverified(AegisError):
    """The password is right, and the e-mail address of the account has yet to be confirmed by a code."""

    status = 403
    code = "email_unverified"
    sentence = "Please confirm your e-mail address first: type the code that we sent there."


class NotFound(AegisError):
    """Not there, or not for this account."""

    status = 404
    code = "not_found"
    sentence = "There is nothing at this address."


class MethodNotAllowed(AegisError):
    """The address exists, the method does not."""

    status = 405
    code = "method_not_allowed"
    sentence = "This address does not answer to that method."


class Conflict(AegisError):
    """Somebody else was first; what is stored now comes with the answer."""

    status = 409
    code = "conflict"
    sentence = "This was changed in the meantime."


class TooLarge(AegisError):
    """The body is longer than the setting allows."""

    status = 413
    code = "too_large"
    sentence = "The request is too large."


class AddressTooLong(AegisError):
    """Path or query are longer than the setting allows."""

    status = 414
    code = "address_too_long"
    sentence = "The address of the request is too long."


class HeadersTooLarge(AegisError):
    """There are more or longer headers than the settings allow; cookies do not count."""

    status = 431
    code = "headers_too_large"
    sentence = "The headers of the request are too many or too long."


class ExpectationFailed(AegisError):
    """The request expects something else than to be told to go on (RFC 9110, section 10.1.1)."""

    status = 417
    code = "expectation_failed"
    sentence = "The request expects something that this server does not do."


class UnsupportedMediaType(AegisError):
    """The body is not of a type that this route reads."""

    status = 415
    code = "unsupported_media_type"
    sentence = "Send JSON with the header Content-Type: application/json."


class Misdirected(AegisError):
    """The Host header names another site than AEGIS_URL (RFC 9110, section 15.5.20)."""

    status = 421
    code = "misdirected_request"
    sentence = "This server does not answer for that host name."


class RateLimited(AegisError):
    """Too many attempts; the answer says when the next one is possible."""

    status = 429
    code = "rate_limited"
    sentence = "Too many attempts. Please wait a little."


class Busy(AegisError):
    """All places for expensive work are taken."""

    status = 503
    code = "busy"
    sentence = "The server is busy. Please try again in a moment."

    def __init__(self, retry_after_s: int = 2) -> None:
        """Tell the client to wait `retry_after_s` seconds."""
        super().__init__(headers={"Retry-After": str(retry_after_s)})


class Unavailable(AegisError):
    """A service that we stand on does not answer."""

    status = 503
    code = "unavailable"
    sentence = "The platform cannot reach its database right now. Please try again in a moment."

    def __init__(self, retry_after_s: int = 5) -> None:
        """Tell the client to wait `retry_after_s` seconds."""
        super().__init__(headers={"Retry-After": str(retry_after_s)})
