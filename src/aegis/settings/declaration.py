"""How one setting is declared: everything that is known of it stands in one place."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

DEVELOPMENT = "development"
TESTING = "testing"
PRODUCTION = "production"
DAY_S = 86_400
ENVIRONMENTS = (DEVELOPMENT, TESTING, PRODUCTION)


@dataclasses.dataclass(frozen=True)
class Declaration:
    """What is known of one setting beside its value."""

    name: str
    help: str
    read: Callable[[str], Any]
    unit: str = ""
    secret: bool = False
    production_rule: str = ""
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def setting(  # noqa: PLR0913 - all that a declaration holds
    name: str,
    read: Callable[[str], Any],
    default: Any,
    help: str,  # noqa: A002 - the field's word, as in click
    *,
    unit: str = "",
    secret: bool = False,
    rule: str = "",
    production: Any = dataclasses.MISSING,
    testing: Any = dataclasses.MISSING,
) -> Any:
    """Declare a setting; `rule` says in words what `judge.py` demands of it in production."""
    others = {PRODUCTION: production, TESTING: testing}
    defaults = {
        environment: others.get(environment, default)
        if others.get(environment, dataclasses.MISSING) is not dataclasses.MISSING
        else default
        for environment in ENVIRONMENTS
    }
    declared = Declaration(name, help, read, unit, secret, rule, defaults)
    return dataclasses.field(default=default, metadata={"declaration": declared})
