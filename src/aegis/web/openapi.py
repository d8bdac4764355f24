"""The OpenAPI 3.1 document, generated from the declarations that validate the requests."""

import json
import re
from collections.abc import Iterable
from typing import Any

import flask
import pydantic
from werkzeug.routing import Rule

from aegis.errors import AegisError, CsrfFailed
from aegis.web.operation import Operation

blueprint = flask.Blueprint("aegis_openapi", __name__)

_SAFE = {"GET", "HEAD", "OPTIONS"}
_DIALECT = "#/components/schemas/{model}"


class Error(pydantic.BaseModel):
    """Every refusal has this shape."""

    error: str
    code: str
    request_id: str
    fields: dict[str, str] | None = None


@blueprint.get("/openapi.json")
def document() -> flask.Response:
    """Serve the document."""
    app = flask.current_app
    if "aegis.openapi" not in app.extensions:
        app.extensions["aegis.openapi"] = json.dumps(describe(app), indent=1)
    response = flask.Response(app.extensions["aegis.openapi"], mimetype="application/json")
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


@blueprint.get("/api/docs")
def documentation() -> str:
    """Show the document to people."""
    return flask.render_template("aegis/api_docs.html", operations=_listed(describe(flask.current_app)))


def describe(app: flask.Flask) -> dict[str, Any]:
    """Return the document for all declared operations of an application."""
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    _schema(Error, schemas)
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        view = app.view_functions[rule.endpoint]
        declared = getattr(view, "operation", None)
        if isinstance(declared, Operation):
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                paths.setdefault(_path(rule), {})[method.lower()] = _operation(
                    rule, method, view, declared, schemas
                )
    return {
        "openapi": "3.1.0",
        "info": {"title": app.extensions["aegis"].settings.site_name, "version": "1"},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": app.config["SESSION_COOKIE_NAME"]},
                "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRFToken"},
            },
        },
    }


def _operation(
    rule: Rule, method: str, view: Any, declared: Operation, schemas: dict[str, Any]
) -> dict[str, Any]:
    errors: tuple[type[AegisError], ...] = (*getattr(view, "guard_errors", ()), *declared.errors)
    responses = {str(status): _answer(status, model, schemas) for status, model in declared.answers.items()}
    for status, codes in _codes((*errors, *([] if method in _SAFE else [CsrfFailed]))).items():
        refusal = {
            "description": ", ".join(codes),
            "content": _json({"$ref": _DIALECT.format(model="Error")}),
        }
        responses.setdefault(str(status), refusal)
    described: dict[str, Any] = {
        "summary": declared.summary,
        "operationId": rule.endpoint.replace(".", "_"),
        "responses": responses,
    }
    described["parameters"] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in sorted(rule.arguments)
    ] + [
        {"name": name, "in": "query", "required": False, "description": words, "schema": {"type": "string"}}
        for name, words in declared.query.items()
    ]
    if declared.body is not None:
        described["requestBody"] = {"required": True, "content": _json(_schema(declared.body, schemas))}
    elif declared.file:
        described["requestBody"] = {"required": True, "content": _file(declared.file)}
    needs: dict[str, list[str]] = {"session": []} if getattr(view, "guard_errors", ()) else {}
    security = {**needs, **({"csrf": []} if method not in _SAFE else {})}
    if security:
        described["security"] = [security]
    return described


def _codes(errors: Iterable[type[AegisError]]) -> dict[int, list[str]]:
    found: dict[int, set[str]] = {}
    for error in errors:
        found.setdefault(error.status, set()).add(error.code)
    return {status: sorted(codes) for status, codes in sorted(found.items())}


def _answer(
    status: int, model: type[pydantic.BaseModel] | str | None, schemas: dict[str, Any]
) -> dict[str, Any]:
    if model is None:
        return {"description": "No content" if status == 204 else "Done"}  # noqa: PLR2004
    if isinstance(model, str):
        return {"description": "A file.", "content": {model: {}}}
    return {
        "description": (model.__doc__ or "").strip().partition("\n")[0],
        "content": _json(_schema(model, schemas)),
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _file(field: str) -> dict[str, Any]:
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    schema = {
        "type": "object",
        "properties": {field: file},
        "required": [field],
        "additionalProperties": False,
    }
    return {"multipart/form-data": {"schema": schema}}


def _schema(model: type[pydantic.BaseModel], schemas: dict[str, Any]) -> dict[str, Any]:
    """Put a model's schema among the components and return the reference to it."""
    described = model.model_json_schema(ref_template=_DIALECT)
    schemas.update(described.pop("$defs", {}))
    schemas[model.__name__] = described
    return {"$ref": _DIALECT.format(model=model.__name__)}


def _path(rule: Rule) -> str:
    return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)


def _listed(described: dict[str, Any]) -> list[dict[str, Any]]:
    schemas = described["components"]["schemas"]
    return [
        {
            "path": path,
            "method": method.upper(),
            "summary": operation["summary"],
            "responses": operation["responses"],
            "id": operation["operationId"],
            "body": _fields(operation, schemas),
        }
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]


def _fields(operation: dict[str, Any], schemas: dict[str, Any]) -> list[dict[str, Any]]:
    if "requestBody" not in operation:
        return []
    [content] = operation["requestBody"]["content"].values()
    schema = content["schema"]
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    return [{"name": name, "required": name in schema.get("required", ())} for name in schema["properties"]]
