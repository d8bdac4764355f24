"""Ask one address as fast as it answers, with wrk."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

CONNECTIONS = 4
"""Enough that the worker never waits for the next request, few enough that it is not about queues."""

SCRIPT = Path(__file__).with_name("load.lua")


class Burst(NamedTuple):
    """What one burst came to."""

    requests: int
    duration_s: float
    median_ms: float


class LoadError(RuntimeError):
    """A burst could not be run, or was answered with errors."""


def install() -> None:
    """Install wrk through apt where that is possible. Raises LoadError where it is not."""
    if shutil.which("wrk"):
        return
    if os.getuid() != 0 or not shutil.which("apt-get"):
        raise LoadError("wrk is not installed (Debian, Ubuntu: apt-get install wrk)")
    print("Installing wrk ...", file=sys.stderr)
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "-y", "--no-install-recommends", "wrk"]):
        subprocess.run(["apt-get", "-qq", *words], check=True, stdout=subprocess.DEVNULL, env=environ)


def burst(address: str, host: str, cookies: Path, seconds: float) -> Burst:
    """Ask for some time; every answer must be a success. Raises LoadError."""
    options = [
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{max(1, round(seconds))}s",
        "-H",
        f"Host: {host}",
        "-s",
        str(SCRIPT),
    ]
    done = subprocess.run(
        ["wrk", *options, address, "--", str(cookies)], capture_output=True, text=True, check=False
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines or not lines[-1].startswith("{"):
        raise LoadError(f"wrk failed on {address}: {done.stderr or done.stdout}")
    found = json.loads(lines[-1])
    if found["failed"] or not found["requests"]:
        raise LoadError(f"{found['failed']} of {found['requests']} requests to {address} failed")
    return Burst(found["requests"], found["duration_s"], found["median_ms"])
