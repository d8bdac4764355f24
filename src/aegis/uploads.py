"""Where uploaded files live: a folder of this machine, or a bucket that speaks S3. Names are ours, never a client's.

What is stored was made by the platform itself (`accounts.avatars` encodes every picture anew); this room only keeps
bytes under random names and never looks into them.
"""

import contextlib
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from aegis import errors
from aegis.settings import Settings

if TYPE_CHECKING:
    from obstore.store import S3Store

logger = logging.getLogger(__name__)

NAME = re.compile(r"[A-Za-z0-9_-]{22}\.webp")
"""A random id and the one type that is stored: nothing that could lead out of a folder."""

TIMEOUT_S = 5
"""How long a request waits for the bucket."""


class StorageAway(errors.Unavailable):
    """The folder or the bucket does not take or give files right now."""

    sentence = "Pictures cannot be stored or shown right now. Please try again in a moment."


class Uploads(Protocol):
    """A place for files. Each call may raise StorageAway; an unknown name is None or nothing."""

    def put(self, name: str, content: bytes) -> None:
        """Store a new file, whole or not at all."""

    def get(self, name: str) -> bytes | None:
        """Return a file, or None."""

    def remove(self, name: str) -> None:
        """Forget a file; a name that is gone already is no fault."""


class Folder:
    """Files in a folder that the platform's user alone can read."""

    def __init__(self, folder: str) -> None:
        """Take the folder; it is made when the first file comes."""
        self._folder = Path(folder)

    def put(self, name: str, content: bytes) -> None:
        """Write beside the final place and move, so that nobody reads half a file."""
        with _away():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".new-", delete=False) as file:
                try:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                    Path(file.name).replace(self._path(name))
                except BaseException:
                    Path(file.name).unlink(missing_ok=True)
                    raise

    def get(self, name: str) -> bytes | None:
        """Return the file, or None."""
        with _away(), contextlib.suppress(FileNotFoundError):
            return self._path(name).read_bytes()
        return None

    def remove(self, name: str) -> None:
        """Delete the file."""
        with _away():
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / _checked(name)


class Bucket:
    """Files in a bucket of an S3-compatible store, below a prefix if the address has one."""

    def __init__(self, address: str) -> None:
        """Take the address; nothing is opened before the first use, as servers fork after loading the application."""
        parts = urlsplit(address)
        query = parse_qs(parts.query)
        self._is_tls = query.get("tls") != ["off"]
        bucket, _, prefix = parts.path.strip("/").partition("/")
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._endpoint = f"{'https' if self._is_tls else 'http'}://{parts.netloc.rpartition('@')[2]}"
        self._region = query.get("region", ["us-east-1"])[0]
        self._key, self._secret = unquote(parts.username or ""), unquote(parts.password or "")
        self._opened: tuple[int, S3Store] | None = None

    def put(self, name: str, content: bytes) -> None:
        """Store the file."""
        import obstore  # noqa: PLC0415 - an extra, and a Rust library that folders do not need

        with _away():
            attributes = {"Content-Type": "image/webp"}
            obstore.put(
                self._store(),
                self._prefix + _checked(name),
                content,
                attributes=attributes,
                use_multipart=False,
            )

    def get(self, name: str) -> bytes | None:
        """Return the file, or None."""
        import obstore  # noqa: PLC0415 - as in put

        with _away(), contextlib.suppress(FileNotFoundError):
            return bytes(obstore.get(self._store(), self._prefix + _checked(name)).bytes())
        return None

    def remove(self, name: str) -> None:
        """Delete the file."""
        import obstore  # noqa: PLC0415 - as in put

        with _away(), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._store(), self._prefix + _checked(name))

    def _store(self) -> "S3Store":
        """Return the client of this process."""
        from obstore.store import S3Store  # noqa: PLC0415 - as in put

        if self._opened is None or self._opened[0] != os.getpid():
            store = S3Store(
                self._bucket,
                endpoint=self._endpoint,
                region=self._region,
                access_key_id=self._key,
                secret_access_key=self._secret,
                virtual_hosted_style_request=False,
                client_options={
                    "allow_http": not self._is_tls,
                    "timeout": f"{TIMEOUT_S}s",
                    "connect_timeout": "2s",
                },
                retry_config={"max_retries": 0},
            )
            self._opened = (os.getpid(), store)
        return self._opened[1]


def make(settings: Settings) -> Uploads:
    """Return the place that the settings name."""
    return Bucket(settings.uploads_s3_url) if settings.uploads_s3_url else Folder(settings.uploads)


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError("not a name of an uploaded file")
    return name


@contextlib.contextmanager
def _away() -> Iterator[None]:
    """Turn faults of the storage into one refusal; the log tells the operator what it was."""
    try:
        yield
    except (ValueError, FileNotFoundError):
        raise
    except Exception as error:
        logger.warning("uploads_unavailable", extra={"aegis": {"fault": type(error).__name__}})
        raise StorageAway from error
