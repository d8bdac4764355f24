"""Request and answer: what comes in is validated here, what goes out is shaped here. No rules, no storage."""

from aegis.web.bodies import Body, read_form, read_json
from aegis.web.client import OPERATOR, Client, client, wants_page
from aegis.web.operation import Answer, operation

__all__ = [
    "OPERATOR",
    "Answer",
    "Body",
    "Client",
    "client",
    "operation",
    "read_form",
    "read_json",
    "wants_page",
]
