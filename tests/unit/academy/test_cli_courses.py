"""`aegis course ...`: courses from and to folders and archives."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from academy import application, create_app
from academy.courses import folder

Run = Callable[..., Result]


@pytest.fixture
def run(sqlite_url: str) -> Iterator[Run]:
    """Give the command group of an application on an empty database."""
    app = create_app(environ={"FLASK_ENV": "testing", "DATABASE_URL": sqlite_url})
    yield lambda *words: app.test_cli_runner().invoke(args=["course", *map(str, words)])
    app.extensions["aegis"].database.engine.dispose()


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """Give a copy of the sample course that a test may change."""
    return Path(shutil.copytree(application.SAMPLE, tmp_path / "sample"))


def test_a_course_goes_in_once_and_comes_out_as_it_was(run: Run, sample: Path, tmp_path: Path) -> None:
    assert run("list").output == ""
    added = run("import", sample)
    assert (added.exit_code, added.output) == (0, "The course safe-accounts was added (7 lessons).\n")
    again = run("import", sample)
    assert again.exit_code == 0
    assert "stored already" in again.output
    assert run("list").output == "safe-accounts  7 lessons  Keeping your accounts safe\n"
    for target in ("out", "out.zip"):
        assert run("export", "safe-accounts", tmp_path / target).exit_code == 0
        assert folder.read(tmp_path / target) == folder.read(sample)


def test_another_course_of_the_slug_needs_replace(run: Run, sample: Path) -> None:
    run("import", sample)
    manifest = sample / "course.toml"
    manifest.write_text(manifest.read_text().replace("Keeping your", "Holding your"))
    refused = run("import", sample)
    assert refused.exit_code == 1
    assert "--replace" in refused.output
    assert "Keeping your" in run("list").output
    assert run("import", "--replace", sample).exit_code == 0
    assert "Holding your" in run("list").output


def test_every_fault_of_a_course_is_told(run: Run, sample: Path) -> None:
    (sample / "lessons" / "phishing.md").unlink()
    (sample / "images" / "address.png").write_text("no picture")
    refused = run("import", sample)
    assert refused.exit_code == 1
    assert "lessons/phishing.md: There is no such file." in refused.output
    assert "images/address.png: Is not what its name says." in refused.output
    assert run("list").output == ""


def test_what_cannot_be_exported_is_told(run: Run, sample: Path, tmp_path: Path) -> None:
    run("import", sample)
    for slug, target in (("none", tmp_path / "new"), ("safe-accounts", sample)):
        refused = run("export", slug, target)
        assert refused.exit_code == 1
        assert refused.output.startswith("Error: ")
    assert not (tmp_path / "new").exists()
    assert run("export", "safe-accounts", tmp_path / "new").exit_code == 0


def test_a_newcomer_finds_the_sample_course_and_only_in_development(sqlite_url: str, tmp_path: Path) -> None:
    for environment, file, slugs in (("development", "d", ["safe-accounts"]), ("testing", "t", [])):
        app = create_app(environ={"FLASK_ENV": environment, "DATABASE_URL": f"sqlite:///{tmp_path / file}"})
        content = app.test_client().get("/api/content").json
        assert content is not None
        assert [entry["slug"] for entry in content["content"]] == slugs
        app.extensions["aegis"].database.engine.dispose()
