"""Put the values together (default, then config object, then environment) and refuse what cannot run."""

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any

from aegis.settings import judge, parse
from aegis.settings.declaration import DEVELOPMENT, ENVIRONMENTS, Declaration
from aegis.settings.declared import Settings, declarations

_FOR_TESTS = "AEGIS_TEST_"


class ConfigurationError(Exception):
    """The process cannot run safely; `problems` holds every reason with its fix."""

    EXIT_STATUS = 78
    """EX_CONFIG of sysexits.h."""

    def __init__(self, problems: list[str]) -> None:
        """Take all problems at once, so that nobody mends them one start at a time."""
        self.problems = problems
        super().__init__("\n".join(f"ERROR: {problem}" for problem in problems))


@dataclasses.dataclass(frozen=True)
class Configured:
    """The settings and, by field name, where each value comes from."""

    settings: Settings
    origins: Mapping[str, str]

    def is_set(self, field: str) -> bool:
        """Whether somebody chose the value, rather than the default."""
        return self.origins[field] != "default"


def load(environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> Configured:
    """Return the settings for this environment.

    `overrides` are the upper-case names of a config object; the environment wins over them. Raises
    ConfigurationError with all problems: unreadable values, unknown AEGIS_ names, and in production whatever
    `judge` finds.
    """
    overrides = overrides or {}
    declared = declarations()
    environment, found = _environment(environ, overrides)
    if found:
        raise ConfigurationError(found)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for field, declaration in declared.items():
        values[field], origins[field], problem = _value(declaration, environment, environ, overrides)
        found += [problem] if problem else []
    values["environment"] = environment
    settings = Settings(**values)
    found += _unknown(environ, {declaration.name for declaration in declared.values()})
    readable = not found
    found += (
        judge.problems(settings, environ, overrides)
        if readable
        else _still_judged(settings, environ, overrides, found)
    )
    if found:
        raise ConfigurationError(found)
    return Configured(settings, origins)


def _still_judged(
    settings: Settings, environ: Mapping[str, str], overrides: Mapping[str, Any], found: list[str]
) -> list[str]:
    """Judge the rest too, without repeating a setting that could not even be read."""
    named = {problem.split()[0] for problem in found}
    return [
        problem for problem in judge.problems(settings, environ, overrides) if problem.split()[0] not in named
    ]


def _environment(environ: Mapping[str, str], overrides: Mapping[str, Any]) -> tuple[str, list[str]]:
    chosen, configured = environ.get("FLASK_ENV"), overrides.get("FLASK_ENV")
    environment = str(configured or DEVELOPMENT) if chosen is None else chosen
    if environment not in ENVIRONMENTS:
        hint = difflib.get_close_matches(environment.lower(), ENVIRONMENTS, n=1, cutoff=0.5)
        meant = f"; did you mean {hint[0]}?" if hint else "."
        return environment, [f"FLASK_ENV is {environment!r}: use {', '.join(ENVIRONMENTS)}{meant}"]
    if configured and chosen is not None and configured != chosen:
        return environment, [
            f"FLASK_ENV is {chosen} but the configuration is for {configured}: make them agree."
        ]
    return environment, []


def _value(
    declaration: Declaration, environment: str, environ: Mapping[str, str], overrides: Mapping[str, Any]
) -> tuple[Any, str, str | None]:
    default, name = declaration.defaults[environment], declaration.name
    for source, values in (("environment", environ), ("configuration", overrides)):
        given = values.get(name)
        if given is not None:
            try:
                return declaration.read(parse.as_text(given)), source, None
            except ValueError as error:
                shown = "" if declaration.secret else f" is {given!r}:"
                return default, source, f"{name}{shown} {error}."
    return default, "default", None


def _unknown(environ: Mapping[str, str], known: set[str]) -> list[str]:
    found = []
    for name in sorted(environ):
        if name.startswith("AEGIS_") and not name.startswith(_FOR_TESTS) and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]}?" if near else "`aegis config` lists all settings."
            found.append(f"{name} is not a setting: {hint}")
    return found
