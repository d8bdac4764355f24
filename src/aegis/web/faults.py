"""One error format: every refusal, every HTTP error and every crash leaves through here, as JSON or as a page."""

import json
import logging
import re
from http import HTTPStatus
from typing import Any

import flask
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestedRangeNotSatisfiable

from aegis import errors
from aegis.web.client import wants_page

logger = logging.getLogger(__name__)

_BY_STATUS: dict[int, type[errors.AegisError]] = {
    kind.status: kind
    for kind in (
        errors.BadRequest,
        errors.NotSignedIn,
        errors.Forbidden,
        errors.NotFound,
        errors.MethodNotAllowed,
        errors.TooLarge,
        errors.AddressTooLong,
        errors.HeadersTooLarge,
        errors.ExpectationFailed,
        errors.UnsupportedMediaType,
        errors.Misdirected,
        errors.RateLimited,
    )
}


def register(app: flask.Flask) -> None:
    """Answer all errors of the application in the one format."""
    app.register_error_handler(errors.AegisError, answer)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _crash)


def answer(error: errors.AegisError) -> flask.Response:
    """Return the answer to a refusal: the JSON shape, or a page where a person waits for one. No cache keeps it."""
    if wants_page():
        page = flask.render_template("aegis/error.html", **_page_words(error))
        response = flask.Response(page, error.status, mimetype="text/html")
    else:
        response = flask.Response(body(error, request_id()), error.status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    response.headers.update(error.headers)
    return response


def body(error: errors.AegisError, request_id: str) -> str:
    """Return the JSON text of an error."""
    content: dict[str, Any] = {"error": error.sentence, "code": error.code, "request_id": request_id}
    if error.fields:
        content["fields"] = error.fields
    return json.dumps({**content, **error.extra})


def request_id() -> str:
    """Return the id that joins this request's answer, log lines and records."""
    known: str = flask.request.environ.get("aegis.request_id", "")
    return known


def _page_words(error: errors.AegisError) -> dict[str, Any]:
    """Return what the error page shows. After a failure of ours nobody is asked who is signed in: it would fail again."""
    unknown = {"current_account": None} if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR else {}
    return {
        **unknown,
        "retry_after": error.headers.get("Retry-After"),
        "status": error.status,
        "heading": HTTPStatus(error.status).phrase,
        "sentence": error.sentence,
        "code": error.code,
        "request_id": request_id(),
        "fields": error.fields,
    }


def _http_error(error: HTTPException) -> flask.Response:
    """Give werkzeug's errors our shape; redirects (a missing slash) pass as they are."""
    status = error.code or 500
    if status < 400:  # noqa: PLR2004 - not an error
        return flask.current_app.make_response(error.get_response(flask.request.environ))
    kind = _BY_STATUS.get(status)
    ours = kind() if kind else _Other(status)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        ours.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    if isinstance(error, RequestedRangeNotSatisfiable) and error.length is not None:
        ours.headers["Content-Range"] = f"bytes */{error.length}"
    return answer(ours)


class _Other(errors.AegisError):
    """An HTTP error without a class of ours, such as 416."""

    def __init__(self, status: int) -> None:
        self.status = status
        phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Error"
        self.code = re.sub("[^a-z]+", "_", phrase.lower()).strip("_")
        super().__init__(f"{phrase}.")


def _crash(error: Exception) -> flask.Response:
    """Answer what nobody expected: logged whole, told to nobody."""
    if flask.current_app.debug or flask.current_app.config["PROPAGATE_EXCEPTIONS"]:
        raise error
    logger.error("unhandled_error", exc_info=error, extra={"aegis": {"request_id": request_id()}})
    return answer(errors.AegisError())
