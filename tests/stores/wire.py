"""What goes over the wire to a database: a proxy that reads along and counts.

It knows as much of the two protocols as that needs: PostgreSQL's frontend messages
(https://www.postgresql.org/docs/current/protocol-message-formats.html) and MariaDB's client packets
(https://mariadb.com/kb/en/0-packet/). SQLite has no wire; its own trace tells the statements.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Self

import sqlalchemy as sa

from aegis.db import Database

_SSL_OR_GSS = {80877103, 80877104}
_COM_QUERY, _COM_QUIT = 0x03, 0x01


class Recorder:
    """The statements of all connections in the order in which they were sent, one for each round trip."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def attach(self, database: Database) -> None:
        """Listen to an embedded database, which no proxy can stand before."""
        if database.is_embedded:
            sa.event.listen(database.engine, "connect", self._trace)
            with database.engine.connect() as connection:
                self._trace(connection.connection.driver_connection, None)

    def _trace(self, connection: object, _record: object) -> None:
        connection.set_trace_callback(self.said.append)  # type: ignore[attr-defined]

    def take(self) -> list[str]:
        """Return what was said since the last time."""
        said, self.said[:] = self.said[:], []
        return said


class _Postgres:
    """Reads the stream of one PostgreSQL client."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self._waiting, self._started = recorder, b"", False
        self._known: dict[bytes, str] = {}
        self._now = "?"

    def read(self, data: bytes) -> None:
        """Take the next bytes."""
        self._waiting += data
        while (size := self._size()) and len(self._waiting) >= size:
            message, self._waiting = self._waiting[:size], self._waiting[size:]
            if self._started:
                self._note(message[:1], message[5:])
            else:
                self._started = struct.unpack("!I", message[4:8])[0] not in _SSL_OR_GSS

    def _size(self) -> int:
        head = 1 if self._started else 0
        if len(self._waiting) < head + 4:
            return 0
        return head + int(struct.unpack("!I", self._waiting[head : head + 4])[0])

    def _note(self, kind: bytes, body: bytes) -> None:
        if kind == b"Q":
            self._recorder.said.append(body.rstrip(b"\0").decode())
        elif kind == b"P":
            name, words = body.split(b"\0")[:2]
            self._known[name] = self._now = words.decode()
        elif kind == b"B":
            self._now = self._known[body.split(b"\0")[1]]
        elif kind == b"S":
            self._recorder.said.append(self._now)


class _MariaDB:
    """Reads the stream of one MariaDB client."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self._waiting = recorder, b""

    def read(self, data: bytes) -> None:
        """Take the next bytes."""
        self._waiting += data
        while len(self._waiting) >= 4:
            size = int.from_bytes(self._waiting[:3], "little") + 4
            if len(self._waiting) < size:
                return
            packet, self._waiting = self._waiting[:size], self._waiting[size:]
            if packet[3] == 0 and packet[4] != _COM_QUIT:  # a command; later numbers belong to the sign-in
                words = packet[5:].decode() if packet[4] == _COM_QUERY else f"command {packet[4]}"
                self._recorder.said.append(words)


class Proxy:
    """Stands before a database server on a port of its own; it can also fall silent or hang up."""

    def __init__(self, url: str) -> None:
        self._target = sa.make_url(url)
        self.recorder = Recorder()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        """The address to use instead of the server's."""
        port = self._listener.getsockname()[1]
        return self._target.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        for thread in self._threads:
            thread.join(10)

    def hang_up(self) -> None:
        """Close all connections, as a server that restarts does."""
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._open.clear()

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        host, port = self._target.host or "127.0.0.1", self._target.port
        port = port or {"postgresql": 5432}.get(self._target.get_backend_name(), 3306)
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection((host, port))
            self._open += [client, server]
            reader = _Postgres if self._target.get_backend_name() == "postgresql" else _MariaDB
            self._start(self._copy, client, server, reader(self.recorder))
            self._start(self._copy, server, client, None)

    def _copy(
        self, source: socket.socket, target: socket.socket, reader: _Postgres | _MariaDB | None
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if reader is not None:
                    reader.read(data)
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def recorded(url: str) -> Iterator[tuple[str, Recorder]]:
    """Yield the address to use and what is said there; for SQLite the recorder has to be attached."""
    if url.startswith("sqlite"):
        yield url, Recorder()
        return
    with Proxy(url) as proxy:
        yield proxy.url, proxy.recorder
