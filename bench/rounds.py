"""Ask the targets in turn, round after round, so that whatever else the machine does meets all of them alike."""

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from bench import load, servers
from bench.targets import BARE, HOST, Target
from tests.services.keeper import Keeper

WARM_UP_S = 1


class Sample(NamedTuple):
    """What one burst cost."""

    cpu_us: float
    ratio: float
    rate: float
    median_ms: float


class Figures(NamedTuple):
    """What all rounds say of one target."""

    target: Target
    samples: Sequence[Sample]

    def spread(self, name: str) -> tuple[float, float, float]:
        """Return median, least and most of one field over the rounds."""
        values = [getattr(sample, name) for sample in self.samples]
        return statistics.median(values), min(values), max(values)


def measure(
    targets: Sequence[Target], rounds: int, seconds: float, say: Callable[[str], None]
) -> list[Figures]:
    """Run all sites, warm them up, and measure that many rounds."""
    samples: dict[Target, list[Sample]] = {target: [] for target in targets}
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.closing(Keeper()))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aegis-bench-")))
        workers = {}
        for site in dict.fromkeys(target.site for target in targets):
            say(" ".join(str(part) for part in ("starting", *site) if part))
            workers[site] = stack.enter_context(servers.running(site, folder))
        for target in targets:
            _prove(target, workers[target.site])
            _burst(target, workers[target.site], WARM_UP_S)
        for number in range(1, rounds + 1):
            say(f"round {number} of {rounds}")
            for target in targets:
                unit, burst = _burst(BARE, workers[BARE.site], seconds)
                cpu_us = unit
                if target is not BARE:
                    cpu_us, burst = _burst(target, workers[target.site], seconds)
                sample = Sample(cpu_us, cpu_us / unit, burst.requests / burst.duration_s, burst.median_ms)
                samples[target].append(sample)
    return [Figures(target, taken) for target, taken in samples.items()]


def _prove(target: Target, worker: servers.Worker) -> None:
    """Make sure that the cookie is what counts: what is fast because it fails is not worth a figure."""
    cookie = worker.cookies.read_text().partition("\n")[0]
    answered = tuple(servers.ask(worker.port, "GET", target.path, given).status for given in (cookie, ""))
    expected = (200, 200) if target is BARE else (204 if target.path == "/auth/check" else 200, 401)
    if answered != expected:
        raise load.LoadError(f"{target.title}: expected {expected}, got {answered}")


def _burst(target: Target, worker: servers.Worker, seconds: float) -> tuple[float, load.Burst]:
    before = worker.cpu_s()
    done = load.burst(f"http://127.0.0.1:{worker.port}{target.path}", HOST, worker.cookies, seconds)
    time.sleep(0.05)
    return (worker.cpu_s() - before) / done.requests * 1e6, done
