"""What only PostgreSQL needs: a connection that does not wait for ever. A room of its own, as the driver takes 130 ms to import."""

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus


class _Bounded(psycopg.Connection[Any]):
    """A connection that gives up on a server that accepts but never answers: a frozen host, a lost network."""

    answers_within_s = 1.5

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for the server, but not for ever; a connection that timed out is closed, as its state is unknown."""
        try:
            return super().wait(gen, interval, self.answers_within_s if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()
            raise


def bounded(timeout_s: int) -> Callable[..., Any]:
    """Return what connects for SQLAlchemy, within a time in seconds."""
    kind: type[_Bounded] = type("_BoundedConnection", (_Bounded,), {"answers_within_s": timeout_s - 0.5})

    def connect(_dialect: object, _record: object, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        return kind.connect(*arguments, **keywords)

    return connect
