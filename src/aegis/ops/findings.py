"""What a check found, how a list of checks is declared and run, and the forms in which the result leaves."""

import enum
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

CLEAN, FOUND, CANNOT_START = 0, 1, 78
"""Exit statuses of `aegis check` and `aegis verify`."""


class State(enum.StrEnum):
    """How a check ended."""

    OK = "ok"
    FINDING = "finding"
    FAILS = "fails"
    NOT_APPLICABLE = "not applicable"


class Result(NamedTuple):
    """What one check says: the state, what was seen, and what to do about it."""

    state: State
    detail: str
    fix: str = ""


class Finding(NamedTuple):
    """A result under the id and title of its check."""

    id: str
    title: str
    state: State
    detail: str
    fix: str


def ok(detail: str) -> Result:
    """Say that all is well."""
    return Result(State.OK, detail)


def finding(detail: str, fix: str) -> Result:
    """Say what should be better, and how."""
    return Result(State.FINDING, detail, fix)


def fails(detail: str, fix: str) -> Result:
    """Say what does not work, and how to mend it."""
    return Result(State.FAILS, detail, fix)


def not_applicable(detail: str) -> Result:
    """Say why there is nothing to check."""
    return Result(State.NOT_APPLICABLE, detail)


Subject = TypeVar("Subject")
Run = Callable[[Subject], Result]


class Checklist(Generic[Subject]):
    """Checks of one kind of thing, in the order in which they are declared."""

    def __init__(self) -> None:
        """Start empty."""
        self._checks: list[tuple[str, str, Run[Subject]]] = []

    def check(self, check_id: str, title: str) -> Callable[[Run[Subject]], Run[Subject]]:
        """Declare a check under an id that documents and scripts may rely on."""

        def declare(run: Run[Subject]) -> Run[Subject]:
            self._checks.append((check_id, title, run))
            return run

        return declare

    def titles(self) -> dict[str, str]:
        """Return the titles by id."""
        return {check_id: title for check_id, title, _ in self._checks}

    def run(self, subject: Subject) -> list[Finding]:
        """Run all checks; one that breaks is told as a failure and keeps none of the others back."""
        return [Finding(check_id, title, *_result(run, subject)) for check_id, title, run in self._checks]


def _result(run: Run[Subject], subject: Subject) -> Result:
    try:
        return run(subject)
    except Exception as error:  # noqa: BLE001 - the edge of each check; the error is told
        reason = " ".join(str(error).split()) or type(error).__name__
        return fails(f"This could not be checked: {reason}", "See the other findings first.")


def status(findings: Iterable[Finding]) -> int:
    """Return the exit status."""
    return FOUND if any(item.state in {State.FINDING, State.FAILS} for item in findings) else CLEAN


def as_text(findings: Sequence[Finding]) -> str:
    """Return lines for a person: each check with its state, and the fix below what is not well."""
    lines = []
    width = max(len(item.id) for item in findings)
    for item in findings:
        lines.append(f"{item.state.upper():<14}  {item.id:<{width}}  {item.detail}")
        if item.fix:
            lines.append(f"{'':<14}  {'':<{width}}  -> {item.fix}")
    counts = [f"{sum(item.state is state for item in findings)} {state}" for state in State]
    return "\n".join([*lines, "", f"{len(findings)} checks: {', '.join(counts)}."])


def as_json(findings: Sequence[Finding], problems: Sequence[str] = (), **more: str) -> str:
    """Return the same for programs; `problems` are the reasons why nothing could be checked."""
    word = "cannot start" if problems else ("findings" if status(findings) else "clean")
    checks = [{**item._asdict(), "state": str(item.state)} for item in findings]
    return json.dumps({"status": word, **more, "problems": list(problems), "checks": checks}, indent=2)


def as_junit(findings: Sequence[Finding], name: str) -> str:
    """Return the same as JUnit XML, which build servers show as tests."""
    bad = [item for item in findings if item.state in {State.FINDING, State.FAILS}]
    skipped = [item for item in findings if item.state is State.NOT_APPLICABLE]
    suite = ET.Element("testsuite", name=name, tests=str(len(findings)))
    suite.set("failures", str(len(bad)))
    suite.set("skipped", str(len(skipped)))
    for item in findings:
        case = ET.SubElement(suite, "testcase", classname=name, name=f"{item.id}: {item.title}")
        if item in bad:
            ET.SubElement(case, "failure", message=item.detail).text = item.fix
        elif item in skipped:
            ET.SubElement(case, "skipped", message=item.detail)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def as_sign_off(findings: Sequence[Finding], *, site: str, date: str) -> str:
    """Return a sheet in Markdown to be kept with the deployment, with room for who signs."""
    rows = [f"| {item.id} | {item.title} | {item.state} | {_cell(item)} |" for item in findings]
    verdict = "All checks passed." if status(findings) == CLEAN else "Not all checks passed."
    return "\n".join(
        [
            "# Sign-off of a deployment",
            "",
            f"- Site: {site}",
            f"- Checked: {date}",
            f"- Result: {verdict}",
            "",
            "| check | what | state | detail |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            "Deployed by: ____________________    Date: __________",
            "",
            "Approved by: ____________________    Date: __________",
            "",
        ]
    )


def _cell(item: Finding) -> str:
    text = f"{item.detail} {item.fix}".strip()
    return text.replace("|", "\\|").replace("\n", " ")
