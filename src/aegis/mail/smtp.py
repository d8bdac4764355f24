"""A relay that speaks SMTP: encrypted and verified, or nothing is sent."""

import contextlib
import smtplib
import ssl
from email.message import EmailMessage

from aegis.mail.outcome import NotSent
from aegis.settings.relay import IMPLICIT, STARTTLS, Relay

TIMEOUT_S = 15.0
"""For each step. All steps of one mail stay well below the lease in `service`."""

PERMANENT = 500
_OURS = {530, 534, 535, 538}
"""Replies about our log-in (RFC 4954 section 6): the relay refuses us, not this mail."""


class Smtp:
    """One connection for a row of messages, opened by the first."""

    def __init__(self, place: Relay, authorities: str) -> None:
        """Take the relay, and a file of authorities to judge it by in place of the system's."""
        self._place = place
        self._authorities = authorities
        self._open: smtplib.SMTP | None = None

    def send(self, message: EmailMessage, sender: str, to: str) -> None:
        """Hand a message over; returns when the relay has taken the responsibility (RFC 5321 section 6.1)."""
        if self._open is None:
            self._open = self._connected()
        try:
            self._open.send_message(message, from_addr=sender, to_addrs=[to])
        except smtplib.SMTPNotSupportedError:
            raise NotSent(
                "The relay does not take addresses outside of ASCII (SMTPUTF8).", is_final=True
            ) from None
        except (smtplib.SMTPException, OSError) as error:
            raise self._judged(error, to) from error

    def close(self) -> None:
        """End the connection politely, if there is one."""
        connection, self._open = self._open, None
        if connection is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                connection.quit()

    def _connected(self) -> smtplib.SMTP:
        """Open, encrypt, log in. Whatever fails here is no fault of the message."""
        try:
            context = ssl.create_default_context(cafile=self._authorities or None)
            connection = self._reached(context)
        except (smtplib.SMTPException, OSError) as error:
            raise NotSent(_told(error), ends_round=True) from error
        try:
            if self._place.tls == STARTTLS:
                connection.starttls(context=context)
            if self._place.user:
                connection.login(self._place.user, self._place.password)
        except (smtplib.SMTPException, OSError) as error:
            connection.close()
            raise NotSent(_told(error), ends_round=True) from error
        return connection

    def _reached(self, context: ssl.SSLContext) -> smtplib.SMTP:
        if self._place.tls == IMPLICIT:
            return smtplib.SMTP_SSL(self._place.host, self._place.port, timeout=TIMEOUT_S, context=context)
        return smtplib.SMTP(self._place.host, self._place.port, timeout=TIMEOUT_S)

    def _judged(self, error: Exception, to: str) -> NotSent:
        """Say what a failed message means; a connection whose state is unknown is not used again."""
        code, words = _reply(error, to)
        is_refusal = code is not None and code not in _OURS
        if not is_refusal or code == 421:  # noqa: PLR2004 - RFC 5321 section 3.8: the relay closes the connection
            self.close()
            return NotSent(words, ends_round=True)
        return NotSent(words, is_final=code is not None and code >= PERMANENT)


def _reply(error: Exception, to: str) -> tuple[int | None, str]:
    """Return the relay's reply to this message, without the address, or why there is none."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, line = error.recipients[to]
        return code, f"{code} {_words(line)}".replace(to, "(the address)")
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code, _told(error).replace(to, "(the address)")
    return None, _told(error)


def _words(line: bytes | str) -> str:
    return line.decode("utf-8", "replace") if isinstance(line, bytes) else line


def _told(error: Exception) -> str:
    """Return a failure in words for the operator."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_words(error.smtp_error)}"
    return f"{type(error).__name__}: {error}"
