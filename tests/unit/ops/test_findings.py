"""One list of findings leaves in four forms, and each says the same."""

import json
import xml.etree.ElementTree as ET

import pytest

from aegis.ops import findings
from aegis.ops.findings import Checklist, State

LIST = Checklist[str]()


@LIST.check("good", "All is well")
def _good(subject):
    return findings.ok(f"{subject} is fine.")


@LIST.check("better", "It could be better")
def _better(subject):
    return findings.finding("a | b", "Mend it.")


@LIST.check("absent", "Nothing there")
def _absent(subject):
    return findings.not_applicable("None.")


@LIST.check("broken", "The check itself breaks")
def _broken(subject):
    raise OSError("no\nroute")


@pytest.fixture
def result():
    return LIST.run("it")


def test_a_check_that_breaks_is_a_failure_and_the_others_still_run(result):
    assert [item.state for item in result] == [State.OK, State.FINDING, State.NOT_APPLICABLE, State.FAILS]
    assert "no route" in result[3].detail


@pytest.mark.parametrize(
    ("kept", "status", "word"),
    [(("good", "absent"), 0, "clean"), (("good", "better"), 1, "findings"), (("broken",), 1, "findings")],
)
def test_the_exit_status_is_0_only_without_findings(kept, status, word, result):
    chosen = [item for item in result if item.id in kept]

    assert findings.status(chosen) == status
    assert json.loads(findings.as_json(chosen))["status"] == word


def test_text_shows_each_check_with_its_fix_and_counts(result):
    text = findings.as_text(result)

    assert text.splitlines()[-1] == "4 checks: 1 ok, 1 finding, 1 fails, 1 not applicable."
    assert "-> Mend it." in text


def test_json_carries_everything(result):
    told = json.loads(findings.as_json(result, site="https://x"))

    assert (told["site"], told["problems"]) == ("https://x", [])
    assert told["checks"][1] == {
        "id": "better",
        "title": "It could be better",
        "state": "finding",
        "detail": "a | b",
        "fix": "Mend it.",
    }


def test_junit_counts_findings_as_failures_and_absences_as_skipped(result):
    suite = ET.fromstring(findings.as_junit(result, "x"))  # noqa: S314 - our own

    assert [suite.attrib[name] for name in ("tests", "failures", "skipped")] == ["4", "2", "1"]
    assert [case.find("failure") is not None for case in suite] == [False, True, False, True]


def test_the_sheet_to_sign_is_a_table_that_signs_cannot_break(result):
    sheet = findings.as_sign_off(result, site="https://x", date="2026-11-25")

    assert "| better | It could be better | finding | a \\| b Mend it. |" in sheet
    assert "Not all checks passed." in sheet
    assert "Approved by:" in sheet
