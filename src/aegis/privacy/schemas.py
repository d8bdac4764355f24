"""Shapes of answers about leaving."""

from aegis.web import Answer


class Leaving(Answer):
    """When the account is erased, unless its owner signs in before."""

    message: str
    erased_at: str
