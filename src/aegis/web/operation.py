"""An operation of the API: a view that declares what it takes and answers.

The same declaration validates the request, shapes the answer and feeds the OpenAPI document, so that the three
cannot drift apart.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import flask
import pydantic

from aegis.errors import AegisError, BadRequest, CsrfFailed, InvalidInput, TooLarge, UnsupportedMediaType
from aegis.web.bodies import Body, read_json


class Answer(pydantic.BaseModel):
    """The base of all success bodies; each is an object."""

    model_config = pydantic.ConfigDict(frozen=True)


Result = Answer | tuple[Answer, int] | flask.Response


@dataclasses.dataclass(frozen=True)
class Operation:
    """What an operation declares."""

    summary: str
    body: type[Body] | None
    answers: Mapping[int, type[Answer] | str | None]
    errors: tuple[type[AegisError], ...]
    query: Mapping[str, str]
    file: str


def operation(  # noqa: PLR0913 - all that an operation declares
    *,
    answers: Mapping[int, type[Answer] | str | None],
    body: type[Body] | None = None,
    errors: tuple[type[AegisError], ...] = (),
    query: Mapping[str, str] | None = None,
    summary: str = "",
    file: str = "",
) -> Callable[[Callable[..., Result]], Callable[..., flask.Response]]:
    """Declare a view. It gets its validated body as the keyword `body` and returns an Answer, or one with a status.

    An answer that is a file is declared by its media type. The summary is the first line of its docstring unless given. `file` names the field in which the view takes a file
    (mark it with `takes_upload`, and read it by `read_upload`).
    """

    def decorate(view: Callable[..., Result]) -> Callable[..., flask.Response]:
        first_line = (view.__doc__ or "").strip().partition("\n")[0]
        reads = (BadRequest, InvalidInput, TooLarge, UnsupportedMediaType, CsrfFailed) if body or file else ()
        declared = Operation(summary or first_line, body, answers, (*errors, *reads), query or {}, file)

        @functools.wraps(view)
        def run(**arguments: Any) -> flask.Response:
            if body is not None:
                arguments["body"] = read_json(body)
            return _response(view(**arguments))

        run.operation = declared  # type: ignore[attr-defined]
        return run

    return decorate


def _response(result: Result) -> flask.Response:
    if isinstance(result, flask.Response):
        return result
    answer, status = result if isinstance(result, tuple) else (result, 200)
    return flask.Response(answer.model_dump_json(), status, mimetype="application/json")
