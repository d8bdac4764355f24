"""Start each server once a test run, when the first test asks for it, and end it with the run.

The keeper lives in the process that pytest was started in (with xdist: the controller), so that
the servers outlive the workers and end with the whole run, however it ends. Workers ask it over
a Unix socket named in the environment.
"""

import functools
import os
import shutil
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Client, Connection, Listener

from tests.services.mariadb import MariaDB
from tests.services.postgres import Postgres
from tests.services.process import Service, ServiceError, run_dir
from tests.services.seaweed import Seaweed
from tests.services.valkey import Valkey

SOCKET_VARIABLE = "AEGIS_TEST_KEEPER"
KINDS: dict[str, type[Service]] = {
    "postgresql": Postgres,
    "mariadb": MariaDB,
    "redis": Valkey,
    "s3": Seaweed,
}
URL_VARIABLES = {
    "postgresql": "AEGIS_TEST_POSTGRES_URL",
    "mariadb": "AEGIS_TEST_MARIADB_URL",
    "redis": "AEGIS_TEST_REDIS_URL",
    "s3": "AEGIS_TEST_S3_URL",
}
_CLOSE = "close"


def given_url(kind: str) -> str | None:
    """Return the address of the server that the environment offers instead of a private one."""
    return os.environ.get(URL_VARIABLES[kind]) or None


@functools.cache
def server_url(kind: str) -> str:
    """Return the address of the run's server, started now if nobody asked before."""
    if url := given_url(kind):
        return url
    with Client(os.environ[SOCKET_VARIABLE], "AF_UNIX") as connection:
        connection.send(kind)
        url, error = connection.recv()
    if error:
        raise ServiceError(error)
    return str(url)


def warm_up(kinds: Iterable[str]) -> None:
    """Let the servers start while something else goes on."""
    for kind in kinds:
        if not given_url(kind):
            with Client(os.environ[SOCKET_VARIABLE], "AF_UNIX") as connection:
                connection.send(kind)


class Keeper:
    """The owner of the run's servers."""

    def __init__(self) -> None:
        self._folder = run_dir()
        self._folder.chmod(0o700)
        self._listener = Listener(str(self._folder / "socket"), "AF_UNIX")
        # A server dies with the thread that started it, so each has a thread that stays.
        self._threads = ThreadPoolExecutor(len(KINDS), thread_name_prefix="keeper")
        self._started: dict[str, Future[Service]] = {}
        self._answering = threading.Thread(target=self._answer, name="keeper", daemon=True)
        self._answering.start()
        os.environ[SOCKET_VARIABLE] = str(self._folder / "socket")

    def close(self) -> None:
        """End all servers."""
        with Client(os.environ.pop(SOCKET_VARIABLE), "AF_UNIX") as connection:
            connection.send(_CLOSE)
        self._answering.join(10)
        self._listener.close()
        for future in self._started.values():
            if not future.cancel() and future.exception() is None:
                future.result().close()
        self._threads.shutdown()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answer(self) -> None:
        while True:
            connection = self._listener.accept()
            kind = connection.recv()
            if kind == _CLOSE:
                return
            if kind not in self._started:
                self._started[kind] = self._threads.submit(KINDS[kind]().__enter__)
            self._started[kind].add_done_callback(functools.partial(_tell, connection))


def _tell(connection: Connection, future: Future[Service]) -> None:
    with connection:
        if future.cancelled() or (error := future.exception()):
            answer = None, "the test run is ending" if future.cancelled() else str(error)
        else:
            answer = future.result().url, None
        try:
            connection.send(answer)
        except BrokenPipeError:
            # Whoever only warms up does not wait for the answer.
            return
