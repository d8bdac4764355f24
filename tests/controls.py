"""Ties tests to the control catalogue: `@pytest.mark.control("ASVS-5.0-7.4.1")`, and `--controls-report FILE`.

A control is met when at least one test that names it ran and passed and none that names it failed.
A skipped test counts as not run. A control without a run test is reported as untested, never left out.
"""

import csv
import functools
import json
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path

import pytest

CATALOGUE = Path(__file__).with_name("controls.csv")
PROPERTY = "control"
_outcomes: dict[str, dict[str, str]] = defaultdict(dict)


@functools.cache
def catalogue() -> dict[str, str]:
    """Return level by id of all controls, in the order of the file."""
    with CATALOGUE.open(newline="", encoding="utf-8") as file:
        return {row["id"]: row["level"] for row in csv.DictReader(file)}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--controls-report`."""
    parser.addoption(
        "--controls-report", metavar="FILE", help="write which security controls the run has proven"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers", "control(*ids): the controls of tests/controls.csv that the test proves"
    )


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a module whose tests name what the catalogue lacks, and note the ids on each test's reports."""
    report = yield
    items = [item for item in report.result or [] if isinstance(item, pytest.Item)]
    wrong = [fault for item in items for fault in _note_controls(item)]
    if wrong:
        report.outcome, report.result, report.longrepr = "failed", [], "\n".join(wrong)
    return report


def _note_controls(item: pytest.Item) -> list[str]:
    markers = list(item.iter_markers(PROPERTY))
    named = dict.fromkeys(id_ for marker in markers for id_ in marker.args)
    item.user_properties.extend((PROPERTY, id_) for id_ in named)
    faults = [
        f"{item.nodeid}: no control {id_!r} in {CATALOGUE.name}" for id_ in named if id_ not in catalogue()
    ]
    if not all(marker.args for marker in markers):
        faults.append(f"{item.nodeid}: the marker names no control")
    return faults


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the worst outcome of each test that names a control."""
    outcome = "skipped" if hasattr(report, "wasxfail") else report.outcome
    if report.when != "call" and outcome == "passed":
        return
    for name, id_ in report.user_properties:
        if name == PROPERTY:
            seen = _outcomes[id_].get(report.nodeid)
            _outcomes[id_][report.nodeid] = "failed" if seen == "failed" else outcome


def status(outcomes: dict[str, str]) -> str:
    """Judge a control by the outcomes of the tests that name it."""
    if "failed" in outcomes.values():
        return "failed"
    return "met" if "passed" in outcomes.values() else "untested"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report, in the process that has seen all results."""
    file = session.config.getoption("controls_report")
    if file and not hasattr(session.config, "workerinput"):
        rows = [
            {"id": id_, "level": level, "status": status(_outcomes[id_]), "tests": _outcomes[id_]}
            for id_, level in catalogue().items()
        ]
        Path(file).write_text(json.dumps({"controls": rows}, indent=1) + "\n", encoding="utf-8")
