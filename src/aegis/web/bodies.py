"""What comes in: strict JSON or a form, checked against a typed schema before anything else sees it.

Every fault is a 400 that names the field and the fix; the value itself is never repeated.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple, NoReturn, TypeVar

import flask
import pydantic
from pydantic_core import ErrorDetails
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from aegis.errors import BadRequest, InvalidInput, TooLarge, UnsupportedMediaType
from aegis.settings import Settings

MAX_FAULTS = 50
"""Fields that one refusal names, so that no answer grows with what was sent."""

ENVELOPE = 65_536
"""Bytes of a multipart body beside its file."""

_BAD_CHARACTER = re.compile("[\0\ud800-\udfff]")
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
View = TypeVar("View", bound=Callable[..., Any])


class Body(pydantic.BaseModel):
    """The base of all request bodies: no unknown field, no number taken for a string."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)


class Upload(NamedTuple):
    """A file as it was sent. Its name and type are what the client says of it, and true of nothing."""

    content: bytes
    filename: str
    media_type: str


class NamedParts(FormDataParser):
    """A parser of forms that refuses a part without a name, which would be a field called None everywhere else."""

    def parse(
        self,
        stream: IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str] | None = None,
    ) -> tuple[IO[bytes], MultiDict[str, str], MultiDict[str, FileStorage]]:
        """Return what is left of the stream, the fields and the files. Raises BadRequest."""
        rest, fields, files = super().parse(stream, mimetype, content_length, options)
        if None in fields or None in files:
            for file in files.values():
                file.close()
            raise BadRequest("A part of the form has no name.")
        return rest, fields, files


def request_class(kind: type[flask.Request]) -> type[flask.Request]:
    """Return the application's class of requests, reading forms by `NamedParts`."""
    return type(kind.__name__, (kind,), {"form_data_parser_class": NamedParts})


def takes_upload(view: View) -> View:
    """Mark a view that reads a file: its body may be as long as AEGIS_INPUT_UPLOAD and the form around it."""
    view.takes_upload = True  # type: ignore[attr-defined]
    return view


def limit() -> None:
    """Hold the current request's body to its limits before anybody reads it.

    A longer one is refused by what it says of itself, also where no view would read it. The parts of a multipart body are counted while it is read (MAX_FORM_PARTS); a plain form would be taken apart in
    whole first, so its fields are counted beforehand.
    """
    request = flask.request
    if request.method in {"GET", "HEAD"}:
        return
    view = flask.current_app.view_functions.get(request.endpoint or "")
    if hasattr(view, "takes_upload"):
        request.max_content_length = _setting("AEGIS_INPUT_UPLOAD", Settings.input_upload) + ENVELOPE
    most = request.max_content_length
    if most is not None and (request.content_length or 0) > most:
        raise RequestEntityTooLarge
    if (
        request.mimetype == "application/x-www-form-urlencoded"
        and _received(request, keep=True).count(b"&") >= _fields_limit()
    ):
        raise TooLarge("The form has too many fields.")


def _setting(name: str, otherwise: int) -> int:
    value: int = flask.current_app.config.get(name, otherwise)
    return value


def _fields_limit() -> int:
    return _setting("AEGIS_INPUT_FIELDS", Settings.input_fields)


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
    return _validated(model, dict(_once(flask.request.form, drop)), strict=False)


def read_query(model: type[Model]) -> Model:
    """Return the query of the request's address as `model`. An empty field counts as left out: forms send all of theirs."""
    given = {name: text for name, text in _once(flask.request.args) if text.strip()}
    return _validated(model, given, strict=False)


def _once(fields: MultiDict[str, str], drop: frozenset[str] = frozenset()) -> Iterator[tuple[str, str]]:
    for name, given in fields.lists():
        if name not in drop:
            if len(given) > 1:
                raise InvalidInput(fields={_shown(name): "Was sent twice; send it once."})
            yield name, given[0].replace("\r\n", "\n")


def read_upload(field: str, *, drop: frozenset[str] = frozenset({"csrf_token"})) -> Upload | None:
    """Return the one file of a multipart body, or None where none was chosen; `drop` as in `read_form`."""
    request = flask.request
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType(f"Send the file as multipart/form-data, in the field {field}.")
    given = request.files.getlist(field)
    others = (set(request.files) | set(request.form)) - drop - {field}
    faults = {_shown(name): "There is no such field here; remove it." for name in sorted(others)[:MAX_FAULTS]}
    if field in request.form:
        faults[field] = "Must be a file."
    elif len(given) > 1:
        faults[field] = "Was sent twice; send it once."
    if faults:
        raise InvalidInput(fields=faults)
    if not given:
        return None
    found = Upload(given[0].stream.read(), given[0].filename or "", given[0].mimetype)
    return found if found.content or found.filename else None


def _received(request: flask.Request, *, keep: bool = False) -> bytes:
    try:
        data = request.get_data(cache=keep)
    except ClientDisconnected:
        raise BadRequest("The request ended before it was complete.") from None
    if request.content_length is None and len(data) >= (request.max_content_length or len(data) + 1):
        raise RequestEntityTooLarge  # a body in chunks is cut at the limit, not refused
    return data


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
    if len(pairs) > _fields_limit():
        raise TooLarge("A JSON object has too many members.")
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
        raise InvalidInput(
            fields={_place(detail): sentence(detail) for detail in details[:MAX_FAULTS]}
        ) from None


def _bad_texts(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Find NUL and lone surrogates, which no database takes, and nesting beyond any schema; iteratively."""
    waiting: list[tuple[str, Any, int]] = [(_shown(name), item, 1) for name, item in value.items()]
    waiting += [(_shown(name), name, 1) for name in value]
    deepest = _setting("AEGIS_INPUT_DEPTH", Settings.input_depth)
    while waiting:
        name, item, depth = waiting.pop()
        if depth > deepest:
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
    return _BAD_CHARACTER.search(text) is not None


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
