"""`python -m bench.flood`: how long signed-in people wait while 200 sign-ins arrive at once, as a multiple of a quiet time.

The production server of `aegis serve` with its defaults, on PostgreSQL. Every tenth of a second somebody who is signed in asks an
ordinary page of the API; meanwhile 200 connections send sign-ins with wrong passwords, for names that nobody has (they cost the
same) so that no limit ends the flood early. All 200 begin at once; each sends the next as soon as it is answered, and after about
half of the wait when it is told to wait, at a time of its own, as programs on many machines do.
"""

import argparse
import collections
import contextlib
import http.client
import json
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from bench import report, stores
from bench.servers import ROOT
from bench.targets import HOST, SECRET_KEY
from tests.services.databases import fresh_database
from tests.services.keeper import Keeper
from tests.services.process import accepts, family, free_port, leashed

SIGN_INS = 200
ASKERS = 4
EVERY_S = 0.05
PATH = "/api/profile"
AIM = 3.0


class Figures(NamedTuple):
    """One pair: a quiet time and a flood."""

    quiet_ms: float
    flood_ms: float
    statuses: dict[int, int]
    memory_mib: float


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """Serve a platform with one signed-in learner, as production does."""
    with contextlib.closing(Keeper()), fresh_database("postgresql") as url:
        environ = {
            "FLASK_ENV": "production",
            "SECRET_KEY": SECRET_KEY,
            "DATABASE_URL": url,
            "AEGIS_URL": f"https://{HOST}",
            "AEGIS_LIMIT_LOGIN_ADDRESS": "1000000/1s",
        }
        stores.fill(environ, 1)
        port = free_port()
        aegis = Path(sys.executable).with_name("aegis")
        own = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        with (folder / "server.log").open("wb") as out:
            process = subprocess.Popen(
                leashed([aegis, "serve", "--port", str(port)], signal.SIGTERM, drop=False),
                cwd=ROOT,
                env=own | environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        try:
            while not accepts(port):
                if process.poll() is not None:
                    raise RuntimeError((folder / "server.log").read_text(errors="replace")[-2000:])
                time.sleep(0.05)
            yield port, process
        finally:
            process.terminate()
            process.wait()


def ask(port: int, until: float, waits: list[float]) -> None:
    """Ask at a steady pace, whatever the last answer took, and note how long each one took."""
    cookie = f"__Host-session={stores.token(0)}"
    due = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while due < until:
        time.sleep(max(0.0, due - time.monotonic()))
        began = time.monotonic()
        connection.request("GET", PATH, headers={"Host": HOST, "Cookie": cookie})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:  # noqa: PLR2004 - OK
            raise RuntimeError(f"a signed-in person got {answer.status}")
        waits.append(time.monotonic() - began)
        due += EVERY_S
    connection.close()


def sign_in(port: int, until: float, number: int, statuses: collections.Counter[int]) -> None:
    """Send one sign-in after the other."""
    headers = {"Host": HOST, "Content-Type": "application/json"}
    for attempt in range(1_000_000):
        if time.monotonic() >= until:
            return
        body = json.dumps({"username": f"nobody-{number}-{attempt}", "password": "not the right one"})
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        with contextlib.closing(connection):
            connection.request("POST", "/api/login", body, headers)
            answer = connection.getresponse()
            answer.read()
            statuses[answer.status] += 1
            wait_s = float(answer.headers.get("Retry-After", 0))
        time.sleep(wait_s * random.uniform(0.25, 0.75))


def p99_ms(port: int, seconds: float) -> float:
    """Return what one of a hundred signed-in requests waits at least."""
    until, waits = time.monotonic() + seconds, [[] for _ in range(ASKERS)]
    threads = [threading.Thread(target=ask, args=(port, until, own)) for own in waits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statistics.quantiles([wait for own in waits for wait in own], n=100)[98] * 1000


def measure(port: int, process: "subprocess.Popen[bytes]", seconds: float) -> Figures:
    """Measure a quiet time, then a flood."""
    quiet = p99_ms(port, seconds)
    with ProcessPoolExecutor(1, initializer=_stand_aside) as elsewhere:
        sent = elsewhere.submit(send, port, seconds + 2)
        time.sleep(1)
        flood = p99_ms(port, seconds)
        memory = sum(_resident_mib(pid) for pid in family(process.pid))
        statuses = sent.result()
    return Figures(quiet, flood, statuses, memory)


def send(port: int, seconds: float) -> dict[int, int]:
    """Flood for some time and return how often each status was answered."""
    statuses: collections.Counter[int] = collections.Counter()
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(SIGN_INS) as pool:
        for number in range(SIGN_INS):
            pool.submit(sign_in, port, until, number, statuses)
    return dict(sorted(statuses.items()))


def _stand_aside() -> None:
    """Leave the processors to the server: attackers bring their own."""
    os.nice(19)


def _resident_mib(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    """Measure, print, and with --write put the figures into bench/README.md."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.flood", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--write", action="store_true", help="put the figures into bench/README.md")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as (port, process):
        p99_ms(port, 2)
        found = [measure(port, process, chosen.seconds) for _ in range(chosen.rounds)]
    ratios = sorted(one.flood_ms / one.quiet_ms for one in found)
    middle = statistics.median(ratios)
    verdict = (
        f"p99 in a flood is {middle:.2f} times the quiet one (median; {ratios[0]:.2f} to {ratios[-1]:.2f}; "
        f"aim: {AIM:g}, {'met' if middle <= AIM else 'missed'})."
    )
    rows = [
        f"| {number} | {one.quiet_ms:.1f} | {one.flood_ms:.1f} | {one.flood_ms / one.quiet_ms:.2f} | "
        f"{', '.join(f'{status}: {count}' for status, count in one.statuses.items())} | {one.memory_mib:.0f} |"
        for number, one in enumerate(found, 1)
    ]
    text = "\n".join(
        [
            f"{report.conditions(chosen.rounds, chosen.seconds)}",
            "",
            verdict,
            "",
            "| round | quiet p99, ms | p99 in the flood, ms | ratio | answers to the sign-ins | memory, MiB |",
            "| ----: | ------------: | -------------------: | ----: | ----------------------- | ----------: |",
            *rows,
        ]
    )
    print(text)
    if chosen.write:
        report.write(text, "flood")


if __name__ == "__main__":
    main()
