"""A mail server that keeps what it gets: STARTTLS or TLS, and AUTH, as a provider has them."""

import asyncio
import datetime
import ipaddress
import shutil
import ssl
import threading
import time
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.services.process import run_dir

USER, PASSWORD = "aegis", "aegis-tests"


@dataclass(frozen=True)
class Mail:
    """One mail as it arrived: the envelope, and the parsed message."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage

    @property
    def text(self) -> str:
        """Return the plain text part."""
        part = self.message.get_body(("plain",))
        assert part is not None, "the mail has no plain text"
        return str(part.get_content())


def self_signed(folder: Path, *names: str) -> tuple[Path, Path]:
    """Write a certificate for the names and 127.0.0.1, valid for a day, and its key; return both files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    today = datetime.datetime.now(datetime.UTC)
    alternatives = [x509.DNSName(name) for name in names]
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(hours=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([*alternatives, loopback]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "cert.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pkcs8 = serialization.PrivateFormat.PKCS8
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, pkcs8, serialization.NoEncryption()))
    return files


class Smtp:
    """An SMTP server in a thread; `received(n)` waits for the n-th mail.

    `refuse_with` set to a line such as "451 try later" makes it refuse every recipient.
    """

    def __init__(self, *, tls: str = "starttls") -> None:
        self.tls = tls
        self.mails: list[Mail] = []
        self.refuse_with: str | None = None
        self._arrived = threading.Condition()
        self._folder = run_dir()
        self.certificate, key = self_signed(self._folder, "localhost")
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(self.certificate, key)

    @property
    def url(self) -> str:
        """Return the address in the form of `MAIL_URL`."""
        account = f"{USER}:{PASSWORD}@localhost:{self.port}"
        return f"smtps://{account}" if self.tls == "implicit" else f"smtp://{account}?tls={self.tls}"

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        implicit = self._context if self.tls == "implicit" else None
        self._thread = threading.Thread(target=self._loop.run_forever, name="smtp")
        self._thread.start()
        opened = self._loop.create_server(self._session, "127.0.0.1", 0, ssl=implicit)
        self._server = asyncio.run_coroutine_threadsafe(opened, self._loop).result(10)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def received(self, count: int = 1, seconds: float = 10) -> list[Mail]:
        """Return the mails once `count` have arrived; fail when they do not come."""
        deadline = time.monotonic() + seconds
        with self._arrived:
            while len(self.mails) < count:
                left = deadline - time.monotonic()
                assert left > 0, f"{len(self.mails)} of {count} mails came within {seconds} s"
                self._arrived.wait(left)
            return list(self.mails)

    async def handle_MAIL(  # noqa: N802 - the name and the arguments are aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take mail of signed-in senders alone."""
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - the name and the arguments are aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take or refuse a recipient."""
        if self.refuse_with:
            return self.refuse_with
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Keep the mail."""
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        with self._arrived:
            self.mails.append(Mail(str(envelope.mail_from), tuple(envelope.rcpt_tos), message))
            self._arrived.notify_all()
        return "250 OK"

    def _session(self) -> SMTP:
        starttls = self._context if self.tls == "starttls" else None
        return SMTP(
            self,
            hostname="localhost",
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=self._judge,
            auth_require_tls=starttls is not None,
            loop=self._loop,
        )

    def _judge(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        wanted = (USER.encode(), PASSWORD.encode())
        is_right = isinstance(data, LoginPassword) and (data.login, data.password) == wanted
        # Not handled: aiosmtpd words the refusal itself.
        return AuthResult(success=is_right, handled=False)

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
