"""The shipped nginx site in front of a real application server, both private and on loopback."""

import datetime
import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.services.process import (
    START_SECONDS,
    Service,
    ServiceError,
    accepts,
    free_port,
    leashed,
    server_user,
)

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SITE = ROOT / "deploy/nginx/aegis.conf"

_MAIN = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/aegis.conf;
}}
"""


def write_certificate(folder: Path, host: str = "localhost") -> tuple[Path, Path]:
    """Write a self-signed certificate and its key as `cert.pem` and `key.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=60))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    return cert_file, key_file


def adapted(text: str, replacements: Mapping[str, str]) -> str:
    """Return the file with each text replaced; one that is not there means that test and file have parted."""
    for old, new in replacements.items():
        assert old in text, f"{old!r} is not in the shipped file"
        text = text.replace(old, new)
    return text


class Nginx(Service):
    """The shipped site in an nginx of our own, without root and on free ports."""

    name = "nginx"
    # Its workers end with the master only if that is asked to end.
    death_signal = signal.SIGTERM

    def __init__(self, *, application_port: int, protected_port: int, https_port: int) -> None:
        super().__init__()
        self.http_port = self.port
        self.https_port = https_port
        self.ports = {"8000": application_port, "9000": protected_port}

    @property
    def url(self) -> str:
        return f"https://localhost:{self.https_port}"

    @property
    def tls(self) -> ssl.SSLContext:
        """Return what a client needs to trust the certificate."""
        return ssl.create_default_context(cafile=self.folder / "cert.pem")

    def prepare(self) -> None:
        for file in write_certificate(self.folder):
            os.chown(file, *server_user())
        (self.folder / "nginx.conf").write_text(_MAIN.format(folder=self.folder))
        (self.folder / "aegis.conf").write_text(self.site())

    def site(self) -> str:
        """Return the shipped site with names and ports of this run."""
        without_ipv6 = re.sub(r"^\s*listen \[::\]:.*\n", "", SITE.read_text(), flags=re.MULTILINE)
        return adapted(
            without_ipv6,
            {
                "listen 80;": f"listen 127.0.0.1:{self.http_port};",
                "listen 443 ssl": f"listen 127.0.0.1:{self.https_port} ssl",
                "https://platform.edu": self.url,
                "/etc/letsencrypt/live/platform.edu/fullchain.pem": f"{self.folder}/cert.pem",
                "/etc/letsencrypt/live/platform.edu/privkey.pem": f"{self.folder}/key.pem",
                "platform.edu": "localhost",
                **{f"127.0.0.1:{shipped};": f"127.0.0.1:{ours};" for shipped, ours in self.ports.items()},
            },
        )

    def command(self) -> list[str | Path]:
        return ["/usr/sbin/nginx", "-e", "stderr", "-p", self.folder, "-c", self.folder / "nginx.conf"]


class Platform(Service):
    """The application under one of its servers, started in the checkout as an operator does."""

    name = "platform"
    death_signal = signal.SIGTERM

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__()
        self.environ = {"PATH": os.environ["PATH"], **environ}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str | Path]:
        return [BIN / "gunicorn", "-b", f"127.0.0.1:{self.port}", "app:app"]

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                leashed(self.command(), self.death_signal, drop=False),
                cwd=ROOT,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while not accepts(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise ServiceError(f"{self.name} did not start:\n{self.log_tail()}")
            time.sleep(0.02)


def production(folder: Path, **more: str) -> dict[str, str]:
    """Return the environment of a production process on an embedded database in the folder."""
    return {
        "FLASK_ENV": "production",
        "SECRET_KEY": "3q2-7wABCDEFtestsOnly_0123456789xyzZYXW",
        "DATABASE_URL": f"sqlite:///{folder}/aegis.sqlite",
        "AEGIS_ALLOW_SQLITE": "1",
        **more,
    }


__all__ = ["BIN", "ROOT", "Nginx", "Platform", "adapted", "free_port", "production", "write_certificate"]
