"""MariaDB from Debian's mariadb-server-core."""

import os
import shutil
import signal
from pathlib import Path

import pymysql

from tests.services.process import Service, ServiceError

# The server reads one statement a line.
USER = """\
CREATE USER IF NOT EXISTS aegis@'%' IDENTIFIED BY 'aegis-tests';
GRANT ALL ON *.* TO aegis@'%' WITH GRANT OPTION;
"""
# A test's data need not survive a power cut.
CARELESS = [
    "--debug-no-sync",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-use-native-aio=0",
    "--innodb-log-file-size=32M",
    "--skip-log-bin",
]
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/sbin"


def _binary(name: str) -> str:
    found = shutil.which(name, path=PATH)
    if found is None:
        raise ServiceError(
            f"{name} is not installed: apt-get install mariadb-server-core, or run make test as root"
        )
    return found


class MariaDB(Service):
    """A private MariaDB server."""

    name = "mariadb"
    death_signal = signal.SIGKILL
    stop_signal = signal.SIGTERM

    @property
    def url(self) -> str:
        """Return the address of the server's own database."""
        return f"mariadb://aegis:aegis-tests@127.0.0.1:{self.port}/mysql"

    def prepare(self) -> None:
        """Create the data folder and the file that creates our user at the first start."""
        (self.folder / "user.sql").write_text(USER)
        install = [_binary("mariadb-install-db"), "--no-defaults", f"--datadir={self.folder}/data"]
        self.run([*install, "--auth-root-authentication-method=normal", "--skip-test-db", *CARELESS])

    def command(self) -> list[str | Path]:
        """Return the server's command line, with Debian's character set."""
        options = {
            "datadir": f"{self.folder}/data",
            "init-file": f"{self.folder}/user.sql",
            "socket": f"{self.folder}/socket",
            "pid-file": f"{self.folder}/pid",
            "bind-address": "127.0.0.1",
            "port": str(self.port),
            "character-set-server": "utf8mb4",
            "collation-server": "utf8mb4_general_ci",
            "max-connections": "300",
            "innodb-buffer-pool-size": "64M",
        }
        words = [f"--{name}={value}" for name, value in options.items()]
        return [_binary("mariadbd"), "--no-defaults", *words, "--skip-name-resolve", *CARELESS]

    def is_ready(self) -> bool:
        """Say whether the server takes a connection."""
        try:
            pymysql.connect(
                host="127.0.0.1", port=self.port, user="aegis", password="aegis-tests", connect_timeout=2
            ).close()
        except pymysql.MySQLError:
            return False
        return True
