"""Domains that an operator does not want: listed in the setting, or in files that are read anew when they change."""

import functools
from collections.abc import Iterable
from pathlib import Path


def blocks(entries: Iterable[str], domain: str) -> bool:
    """Tell whether a domain in ASCII, or one that it is below, is on the list. Raises OSError for a file that is gone."""
    labels = domain.lower().split(".")
    parents = {".".join(labels[start:]) for start in range(len(labels))}
    return any(not parents.isdisjoint(_domains(entry)) for entry in entries)


def _domains(entry: str) -> frozenset[str]:
    if entry.startswith("/"):
        return _read(entry, Path(entry).stat().st_mtime_ns)
    return frozenset({entry.lower().lstrip("@.")})


@functools.lru_cache(maxsize=8)
def _read(path: str, _changed_ns: int) -> frozenset[str]:
    """Return the domains of a file: one in each line, without blanks, comments after #."""
    lines = (line.partition("#")[0].strip() for line in Path(path).read_text("utf-8").splitlines())
    return frozenset(line.lower().lstrip("@.") for line in lines if line)
