"""`flask --app app db ...`: what an operator does with the schema."""

import contextlib
from collections.abc import Iterator

import click
import flask.cli
from sqlalchemy import exc

from academy import migrate
from aegis import state
from aegis.db import Database

db = flask.cli.AppGroup("db", help="Bring the database up to date, and look at where it is.")


@contextlib.contextmanager
def _plainly(database: Database) -> Iterator[None]:
    """Tell in one line that the database does not answer, and why; its password stays out."""
    try:
        yield
    except exc.OperationalError as error:
        reason = " ".join(str(error.orig).split())
        where = database.url.render_as_string(hide_password=True)
        raise click.ClickException(f"The database at {where} cannot be used: {reason}") from None


@db.command()
def upgrade() -> None:
    """Run the steps that the database lacks; several processes may do so at once."""
    database = state.current().database
    with _plainly(database):
        before, after = migrate.upgrade(database)
    if before == after:
        click.echo(f"The database is up to date ({after}).")
    else:
        click.echo(f"The database was upgraded from {before or 'empty'} to {after}.")


@db.command()
def current() -> None:
    """Show the revision that the database is at, and the newest one."""
    database = state.current().database
    with _plainly(database), migrate.own_connection(database) as connection:
        stored = migrate.stored_revision(connection)
    click.echo(f"{stored or 'empty'} (newest: {migrate.head()})")


@db.command()
def history() -> None:
    """List all revisions, the newest first, and mark the one that the database is at."""
    database = state.current().database
    with _plainly(database), migrate.own_connection(database) as connection:
        stored = migrate.stored_revision(connection)
    for revision, title in migrate.list_revisions():
        click.echo(f"{'*' if revision == stored else ' '} {revision}  {title}")


@db.command()
def check() -> None:
    """Exit with 1 unless the database has all steps and its tables are as this release expects them."""
    database = state.current().database
    with _plainly(database), migrate.own_connection(database) as connection:
        stored = migrate.stored_revision(connection)
        if stored is None or stored < migrate.head():
            raise click.ClickException(
                f"The database is at {stored or 'empty'}, this release needs {migrate.head()}: run `flask --app app db upgrade`."
            )
        differences = migrate.list_differences(connection) if stored == migrate.head() else []
    for difference in differences:
        click.echo(difference, err=True)
    if differences:
        raise click.ClickException("The tables differ from what this release expects.")
    click.echo(f"The database is up to date ({stored}).")
