"""Real servers for the tests: what starts here is private, on loopback, and ends with the test run.

An address given in the environment (`AEGIS_TEST_POSTGRES_URL`, `AEGIS_TEST_MARIADB_URL`,
`AEGIS_TEST_REDIS_URL`) is used instead of a private server. Tests use the fixtures of
`tests.services.fixtures`; an outage test starts a server of its own:

    with Postgres() as postgres:
        ...
        postgres.pause()
"""

from tests.services.databases import copy_of_database, fresh_database, reset_redis
from tests.services.mariadb import MariaDB
from tests.services.postgres import Postgres
from tests.services.process import Service, ServiceError, free_port, run_dir
from tests.services.smtp import Smtp
from tests.services.valkey import Valkey

__all__ = [
    "MariaDB",
    "Postgres",
    "Service",
    "ServiceError",
    "Smtp",
    "Valkey",
    "copy_of_database",
    "free_port",
    "fresh_database",
    "reset_redis",
    "run_dir",
]
