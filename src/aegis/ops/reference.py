"""The reference of all settings, written from their declarations (docs/SETTINGS.md)."""

from typing import Any

from aegis.settings import PRODUCTION, TESTING, declarations
from aegis.settings.declaration import DEVELOPMENT, Declaration

_HEAD = """\
# Settings

Written by `aegis config --markdown` from `src/aegis/settings/`: edit there.

A setting is an environment variable, or an upper-case name in a configuration class (`config.py`); the environment
wins. An unknown `AEGIS_` name is an error that suggests the nearest one. In production a value that breaks its rule
keeps the platform from starting: it prints every problem with its fix and exits with status 78.
`aegis config` shows the values in force and where each comes from; secrets are masked.
Numbers are whole numbers, switches are `1` or `0`, lists are separated by commas.

| setting | default | unit | meaning | in production |
| --- | --- | --- | --- | --- |
"""
_BY_MACHINE = {
    ("AEGIS_WORKERS", PRODUCTION): "the machine's processors, at least 2",
    ("AEGIS_ARGON2_PARALLEL", DEVELOPMENT): "the machine's processors",
    ("AEGIS_ARGON2_PARALLEL", TESTING): "the machine's processors",
    ("AEGIS_ARGON2_PARALLEL", PRODUCTION): "the machine's processors",
}
"""Defaults that would make the document differ from machine to machine."""


def markdown() -> str:
    """Return the whole document."""
    return _HEAD + "".join(_row(item) for item in declarations().values())


def _row(item: Declaration) -> str:
    cells = (f"`{item.name}`", _default(item), item.unit, item.help, item.production_rule)
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|\n"


def _default(item: Declaration) -> str:
    """Return the default; where environments differ, each with its own."""
    by_environment = {
        name: _BY_MACHINE.get((item.name, name)) or _shown(item.defaults[name])
        for name in (DEVELOPMENT, TESTING, PRODUCTION)
    }
    usual = by_environment.pop(DEVELOPMENT)
    others = [f"{name}: {text}" for name, text in by_environment.items() if text != usual]
    return "; ".join([usual, *others])


def _shown(value: Any) -> str:
    if value in ("", ()):
        return "none"
    if isinstance(value, bool):
        return f"`{int(value)}`"
    return f"`{value}`"
