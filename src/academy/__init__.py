"""The course platform on top of aegis: courses, lessons, progress, notes, and the pages that people see."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import flask


def create_app(config: object | None = None, *, environ: Mapping[str, str] | None = None) -> "flask.Flask":
    """Return the platform under a configuration object, such as those of `config.py`, and the environment.

    Raises ConfigurationError when the process could not run safely. What it is made of is imported at the first
    call, because the command line lives in this package and its help has to be quick.
    """
    from academy import application  # noqa: PLC0415 - see above

    return application.create_app(config, environ=environ)
