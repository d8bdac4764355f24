"""Request and answer: what comes in is validated here, what goes out is shaped here. No rules, no storage."""

from aegis.web.bodies import Body, Upload, read_form, read_json, read_query, read_upload, takes_upload
from aegis.web.client import OPERATOR, Client, client, wants_page
from aegis.web.operation import Answer, operation

__all__ = [
    "OPERATOR",
    "Answer",
    "Body",
    "Client",
    "Upload",
    "client",
    "operation",
    "read_form",
    "read_json",
    "read_query",
    "read_upload",
    "takes_upload",
    "wants_page",
]
