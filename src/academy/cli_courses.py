"""`aegis course ...`: courses from and to folders and archives."""

from pathlib import Path

import click
import flask.cli

from academy.courses import folder, publishing
from aegis.errors import AegisError, Conflict

course = flask.cli.AppGroup("course", help="Courses from and to folders and archives.")

_OUTCOMES = {
    "added": "was added",
    "replaced": "was replaced",
    "unchanged": "is stored already, exactly like this",
}


class Refused(click.ClickException):
    """A refusal in the words of the service, with every place at fault."""

    def __init__(self, error: AegisError) -> None:
        """Take what the service said."""
        details = [f"  {place}: {sentence}" for place, sentence in error.fields.items()]
        super().__init__("\n".join([error.sentence, *details]))


@course.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--replace",
    is_flag=True,
    help="Change a course of the same slug; progress in lessons of the same slug is kept.",
)
def import_course(path: Path, *, replace: bool) -> None:
    """Store the course in the folder or zip archive PATH."""
    try:
        found = folder.read(path)
        outcome = publishing.publish(found, replace=replace)
    except Conflict as error:
        raise click.ClickException(f"{error.sentence} To replace it, add --replace.") from None
    except AegisError as error:
        raise Refused(error) from None
    click.echo(f"The course {found.slug} {_OUTCOMES[outcome]} ({len(found.lessons)} lessons).")


@course.command("export")
@click.argument("slug")
@click.argument("target", type=click.Path(path_type=Path))
def export_course(slug: str, target: Path) -> None:
    """Write the course SLUG to the new folder TARGET, or to an archive if TARGET ends in .zip."""
    try:
        folder.write(publishing.written(slug), target)
    except AegisError as error:
        raise Refused(error) from None
    click.echo(f"The course {slug} was written to {target}.")


@course.command("list")
def list_courses() -> None:
    """List all courses: slug, number of lessons, title."""
    try:
        listed = publishing.listed()
    except AegisError as error:
        raise Refused(error) from None
    for slug, title, lessons, is_published in listed:
        click.echo(f"{slug}  {lessons} lessons  {title}{'' if is_published else '  (not published)'}")
