"""Strict bodies: what is read is what was sent, and what is wrong is named without being repeated."""

import json
import string
from typing import Any, Literal

import flask
import pytest
from pydantic import Field

from aegis import errors
from aegis.web import Body, read_form, read_json
from tests.properties import given, st

APP = flask.Flask(__name__)


class Example(Body):
    """One field of each kind."""

    name: str = Field(min_length=1, max_length=10)
    motto: str = Field(default="", min_length=0, max_length=10)
    count: int | None = Field(default=None, ge=0, le=10)
    is_on: bool = False
    kind: Literal["red", "blue"] = "red"
    parts: list[str] = Field(default_factory=list)


def read(data: bytes | str, content_type: str = "application/json") -> Example:
    """Read a body as a view would."""
    with APP.test_request_context("/", method="POST", data=data, content_type=content_type):
        return read_json(Example)


def status_of(data: bytes | str, content_type: str = "application/json") -> int:
    """Return what a client would be answered."""
    try:
        read(data, content_type)
    except errors.AegisError as refused:
        return refused.status
    return 200


def faults(**values: Any) -> dict[str, str]:
    """Return what is wrong with a body."""
    with pytest.raises(errors.InvalidInput) as refused:
        read(json.dumps(values))
    return refused.value.fields


def form_of(**values: Any) -> Example:
    """Read a form as a view would."""
    with APP.test_request_context("/", method="POST", data=values):
        return read_form(Example)


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=10),
    st.none() | st.integers(0, 10),
    st.booleans(),
    st.sampled_from(["red", "blue"]),
    st.lists(st.text(string.printable, max_size=5), max_size=5),
)
def test_what_fits_is_read_as_sent(
    name: str, count: int | None, is_on: bool, kind: str, parts: list[str]
) -> None:
    sent = {"name": name, "count": count, "is_on": is_on, "kind": kind, "parts": parts}
    for ensure_ascii in (True, False):
        assert read(json.dumps(sent, ensure_ascii=ensure_ascii)).model_dump() == {**sent, "motto": ""}


@pytest.mark.control("ASVS-5.0-15.3.5", "ASVS-5.0-2.2.1")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 1),
        ("name", None),
        ("name", ["a"]),
        ("name", ""),
        ("name", "x" * 11),
        ("count", "1"),
        ("count", 1.0),
        ("count", True),
        ("count", -1),
        ("count", 11),
        ("count", 10**30),
        ("is_on", "true"),
        ("is_on", 1),
        ("is_on", None),
        ("kind", "green"),
        ("kind", 1),
        ("parts", "abc"),
        ("parts", {"a": 1}),
        ("other", "x"),
    ],
)
def test_a_value_of_another_kind_is_never_converted(field: str, value: Any) -> None:
    found = faults(**{"name": "a", field: value})

    assert list(found) == [field]
    assert found[field][0].isupper()
    assert found[field].endswith(".")


def test_a_fault_inside_a_list_is_named_with_its_place() -> None:
    assert list(faults(name="a", parts=["x", 1])) == ["parts.1"]


def test_a_missing_field_is_named() -> None:
    assert faults(motto="x") == {"name": "Please fill this in."}


def test_the_limits_are_told() -> None:
    assert faults(name="x" * 11) == {"name": "Must have at most 10 characters."}
    assert faults(name="") == {"name": "Please fill this in."}
    assert "red" in faults(name="a", kind="green")["kind"]


@given(st.dictionaries(st.text(max_size=20), st.text(min_size=12, max_size=30), max_size=4))
def test_no_value_is_ever_repeated(values: dict[str, str]) -> None:
    try:
        read(json.dumps({"name": "a", **values}))
    except errors.AegisError as refused:
        told = repr((refused.sentence, refused.fields))
        for value in values.values():
            assert json.dumps(value)[1:-1] not in told or value in "Must have at most 10 characters."


@pytest.mark.parametrize("depth", [1, 5, 6, 7, 8, 9, 50, 900, 5000])
def test_nesting_is_refused_beyond_the_limit_and_never_an_error(depth: int) -> None:
    with pytest.raises((errors.BadRequest, errors.InvalidInput)) as refused:
        read('{"name": "a", "parts": ' + "[" * depth + '"x"' + "]" * depth + "}" if depth > 1 else "[]")
    assert refused.value.status == 400


def test_forms_know_text_only_and_convert_it() -> None:
    read_back = form_of(name="a", count="7", is_on="true", kind="blue")
    assert read_back == Example(name="a", count=7, is_on=True, kind="blue")


@pytest.mark.parametrize("value", ["seven", "1.5", "99", "-1"])
def test_forms_refuse_what_is_no_such_number(value: str) -> None:
    with pytest.raises(errors.InvalidInput) as refused:
        form_of(name="a", count=value)
    assert list(refused.value.fields) == ["count"]


@pytest.mark.parametrize("value", ["a\0b", "\0"])
def test_forms_refuse_nul(value: str) -> None:
    with pytest.raises(errors.InvalidInput) as refused:
        form_of(name=value)
    assert list(refused.value.fields) == ["name"]


def test_forms_count_a_line_break_as_one_character() -> None:
    """Browsers send CR LF; a text that was measured in the page must not grow over its limit on the way."""
    assert form_of(name="1\r\n3\r\n5\r\n7").name == "1\n3\n5\n7"


def test_forms_leave_out_the_token() -> None:
    assert form_of(name="a", csrf_token="x").name == "a"
    with pytest.raises(errors.InvalidInput) as refused:
        form_of(name="a", csrf_token2="x")
    assert list(refused.value.fields) == ["csrf_token2"]


@given(st.binary(max_size=60))
def test_no_bytes_are_an_error_of_ours(data: bytes) -> None:
    assert status_of(data) in {200, 400}


@given(st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=40))
def test_no_content_type_is_an_error_of_ours(content_type: str) -> None:
    assert status_of(b"{}", content_type) in {400, 415}
