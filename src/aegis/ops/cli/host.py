"""The application behind the command line, made when a command needs it."""

import contextlib
import dataclasses
import importlib
import logging
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import flask

MIGRATE = "run `flask --app app db upgrade` (outside a checkout: `flask --app academy db upgrade`)"


class Failed(click.ClickException):
    """The command could not do what was asked; the message is a line for the operator."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print each line of the message to standard error."""
        for line in self.format_message().splitlines():
            click.echo(f"ERROR: {line}", file=file, err=True)


@dataclasses.dataclass(frozen=True)
class Host:
    """Names the function that makes the application; picklable, so that a server's workers can call it too."""

    target: str

    def app(self) -> "flask.Flask":
        """Make the application, or end with status 78 and every problem of the settings."""
        from aegis.ops import entry  # noqa: PLC0415 - help needs no settings

        module, _, function = self.target.partition(":")
        with entry.starting():
            made: flask.Flask = getattr(importlib.import_module(module), function)()
            return made
        raise AssertionError("unreachable")

    @contextlib.contextmanager
    def context(self) -> Iterator["flask.Flask"]:
        """Enter the application for one command. Fails with a line when the database is away or outdated.

        Log lines are kept out of what the command prints; the record in the database is written all the same.
        """
        app = self.app()
        quiet_logs()
        with app.app_context():
            application = app.extensions["aegis"]
            is_current = application.is_current(application.database)
            try:
                if not is_current:
                    raise Failed(f"The database lacks steps of this release: {MIGRATE}.")
                yield app
            finally:
                application.database.engine.dispose()


def quiet_logs() -> None:
    """Keep log lines of the rooms out of what a command prints; it says itself what is to be said."""
    logging.getLogger("aegis").handlers[:] = [logging.NullHandler()]


class InApp(click.Group):
    """A group whose commands run inside the application."""

    def invoke(self, ctx: click.Context) -> Any:
        """Enter the application, then run the command."""
        ctx.with_resource(ctx.find_object(Host).context())  # type: ignore[union-attr]
        return super().invoke(ctx)


def in_app(group: click.Group) -> InApp:
    """Return a group of the same commands that enters the application of this command line."""
    return InApp(group.name, group.commands, help=group.help)
