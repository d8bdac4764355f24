"""Figures as a table, for the eye and for bench/README.md."""

import datetime
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.rounds import Figures
from bench.targets import MANY, TARGETS, Site

README = Path(__file__).with_name("README.md")
_PACKAGES = ("granian", "Flask", "Werkzeug", "SQLAlchemy", "psycopg", "PyMySQL", "pydantic", "Flask-Login")
_HEAD = ("what", "x bare route: median", "min to max", "aim", "CPU µs", "requests/s", "median ms")


def table(figures: Sequence[Figures]) -> str:
    """Return the figures as a Markdown table that also reads well in a terminal."""
    lines = [_HEAD, *(_line(item) for item in figures)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    texts = ["| " + " | ".join(_padded(line, widths)) + " |" for line in lines]
    rule = (
        "| "
        + " | ".join("-" * widths[0] if not i else "-" * (w - 1) + ":" for i, w in enumerate(widths))
        + " |"
    )
    return "\n".join([texts[0], rule, *texts[1:]])


def _padded(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        line[0].ljust(widths[0]),
        *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
    ]


def _line(item: Figures) -> tuple[str, ...]:
    ratio, least, most = item.spread("ratio")
    aim = item.target.aim
    judged = "" if aim is None else f"{aim:.1f} {'met' if ratio <= aim else 'missed'}"
    cpu, rate, wait = (item.spread(name)[0] for name in ("cpu_us", "rate", "median_ms"))
    return (
        item.target.title,
        f"{ratio:.2f}",
        f"{least:.2f} to {most:.2f}",
        judged,
        f"{cpu:.0f}",
        f"{rate:,.0f}",
        f"{wait:.2f}",
    )


def growth(figures: Sequence[Figures]) -> str:
    """Say for each question and database how much more many sessions cost than one; the aim is below 10 %."""
    by_target = {item.target: item for item in figures}
    lines = []
    for target, many in by_target.items():
        if target.site.stored != MANY:
            continue
        alone = Site(target.site.app, target.site.backend, 1)
        one = next((item for item in TARGETS if item.site == alone and item.path == target.path), None)
        if one in by_target:
            more = _median_growth(by_target[one], many)
            lines.append(f"- {target.path}, {target.site.backend}: {more:+.0%}")
    return "\n".join(lines)


def _median_growth(one: Figures, many: Figures) -> float:
    """Compare within each round, each as a multiple of the bare route beside it."""
    pairs = zip(one.samples, many.samples, strict=True)
    ratios = sorted(more.ratio / less.ratio for less, more in pairs)
    middle = len(ratios) // 2
    return (ratios[middle] if len(ratios) % 2 else (ratios[middle - 1] + ratios[middle]) / 2) - 1


def conditions(rounds: int, seconds: float) -> str:
    """Say when, on what and with which versions it was measured; no name of a host or a folder."""
    today = datetime.datetime.now(datetime.UTC).date()
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    return (
        f"{today}, {rounds} rounds of {seconds:g} s each. {_processor()}, {os.cpu_count()} processors, {memory_gib:.0f} GiB; "
        f"{platform.system()} {platform.release().partition('-')[0]}, Python {platform.python_version()}. {versions}; {_wrk()}."
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _wrk() -> str:
    said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False)
    return " ".join((said.stdout + said.stderr).split()[:2])


def write(text: str, section: str = "figures") -> None:
    """Replace a generated section of bench/README.md."""
    begin, end = f"<!-- {section}: begin -->", f"<!-- {section}: end -->"
    before, _, rest = README.read_text().partition(begin)
    after = rest.partition(end)[2]
    README.write_text(f"{before}{begin}\n{text}\n{end}{after}")
