"""What comes in: strict JSON or a form, checked against a typed schema before anything else sees it.

Every fault is a 400 that names the field and the fix; the value itself is never repeated.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn, TypeVar

import flask
import pydantic
from pydantic_core import ErrorDetails
from werkzeug.exceptions import ClientDisconnected

from aegis.errors import BadRequest, InvalidInput, UnsupportedMediaType

MAX_DEPTH = 8
"""Nested arrays and objects; no schema of ours needs more than four."""

_JSON_TYPE = re.compile(r"application/([a-z0-9.+-]+\+)?json", re.IGNORECASE)
_SENTENCES = {
    "missing": "Please fill this in.",
    "extra_forbidden": "There is no such field here; remove it.",
    "string_type": "Must be text.",
    "int_type": "Must be a whole number.",
    "int_parsing": "Must be a whole number.",
    "int_from_float": "Must be a whole number.",
    "bool_type": "Must be true or false.",
    "list_type": "Must be a list.",
    "dict_type": "Must be an object.",
    "model_type": "Must be an object.",
}
Model = TypeVar("Model", bound="Body")


class Body(pydantic.BaseModel):
    """The base of all request bodies: no unknown field, no number taken for a string."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)


def read_json(model: type[Model]) -> Model:
    """Return the request's JSON body as `model`. Raises InvalidInput, BadRequest or UnsupportedMediaType."""
    request = flask.request
    kind = request.mimetype
    charset = request.mimetype_params.get("charset", "utf-8").lower().replace("_", "-")
    if not _JSON_TYPE.fullmatch(kind) or charset not in {"utf-8", "utf8"}:
        raise UnsupportedMediaType
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise UnsupportedMediaType("Send the body uncompressed.")
    return _validated(model, _parsed(_received(request)))


def read_form(model: type[Model], *, drop: frozenset[str] = frozenset({"csrf_token"})) -> Model:
    """Return the request's form as `model`; fields named in `drop` belong to others and are left out."""
    values: dict[str, Any] = {}
    for name, given in flask.request.form.lists():
        if name in drop:
            continue
        if len(given) > 1:
            raise InvalidInput(fields={_shown(name): "Was sent twice; send it once."})
        values[name] = given[0].replace("\r\n", "\n")
    return _validated(model, values, strict=False)


def _received(request: flask.Request) -> bytes:
    try:
        return request.get_data(cache=False)
    except ClientDisconnected:
        raise BadRequest("The request ended before it was complete.") from None


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise BadRequest("The JSON must be UTF-8.") from None
    except RecursionError:
        raise BadRequest("The JSON is nested too deeply.") from None
    except ValueError:
        raise BadRequest("The body is not valid JSON.") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(fields={_shown(twice): "Was sent twice; send it once."})
    return found


def _no_constant(name: str) -> NoReturn:
    raise BadRequest(f"{name} is not a JSON value.")


def _validated(model: type[Model], value: Any, *, strict: bool = True) -> Model:
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.")
    faults = dict(_bad_texts(value))
    if faults:
        raise InvalidInput(fields=faults)
    try:
        return model.model_validate(value, strict=strict)
    except pydantic.ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise InvalidInput(fields={_place(detail): sentence(detail) for detail in details}) from None


def _bad_texts(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Find NUL and lone surrogates, which no database takes, and nesting beyond any schema; iteratively."""
    waiting: list[tuple[str, Any, int]] = [(_shown(name), item, 1) for name, item in value.items()]
    waiting += [(_shown(name), name, 1) for name in value]
    while waiting:
        name, item, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise BadRequest("The JSON is nested too deeply.")
        if isinstance(item, dict):
            waiting += [(name, part, depth + 1) for pair in item.items() for part in pair]
        elif isinstance(item, list):
            waiting += [(name, part, depth + 1) for part in item]
        elif isinstance(item, str) and _is_bad(item):
            yield (
                name,
                "Contains a character that cannot be stored (NUL or half a surrogate pair); remove it.",
            )


def _is_bad(text: str) -> bool:
    return "\0" in text or any("\ud800" <= character <= "\udfff" for character in text)


def _shown(name: str) -> str:
    """Return a client's field name in a form that is safe to repeat."""
    return re.sub(r"[^A-Za-z0-9_.-]", "?", name)[:40] or "?"


def _place(detail: ErrorDetails) -> str:
    return _shown(".".join(str(part) for part in detail["loc"])) if detail["loc"] else "body"


def sentence(detail: ErrorDetails) -> str:
    """Say in our own words what is wrong, so that no input and no library's wording is echoed."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "string_too_long":
        return f"Must have at most {context['max_length']} characters."
    if kind == "string_too_short":
        least = context["min_length"]
        return "Please fill this in." if least == 1 else f"Must have at least {least} characters."
    if kind == "literal_error":
        return f"Must be one of {context['expected']}."
    if kind in {"greater_than_equal", "less_than_equal"}:
        return "Is outside of what is allowed."
    return _SENTENCES.get(kind, "Is not valid.")
