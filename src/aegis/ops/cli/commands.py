"""The commands by name, and the group that loads one when it is called."""

import importlib
from collections.abc import Mapping
from typing import Any

import click

from aegis import errors
from aegis.ops.cli.host import Failed, Host, in_app

Commands = Mapping[str, tuple[str, str]]
"""For each name where the command is (`module:attribute`) and what it does in a few words."""

COMMANDS: Commands = {
    "serve": ("aegis.ops.cli.serve:serve", "Serve the platform, in development and in production."),
    "check": ("aegis.ops.cli.check:check", "Check this deployment before it goes live."),
    "verify": ("aegis.ops.cli.verify:verify", "Check a live site from outside."),
    "config": ("aegis.ops.cli.settings:config", "Show every setting, its value and where it comes from."),
    "secret": ("aegis.ops.cli.settings:secret", "Print a fresh key for SECRET_KEY."),
    "user": ("aegis.ops.cli.user:user", "Administer accounts."),
    "audit": ("aegis.ops.cli.audit:audit", "Verify and export the record of security events."),
    "mail": ("aegis.ops.cli.mail:group", "Look at mails, try the relay, look after the outbox."),
    "worker": ("aegis.ops.cli.worker:worker", "Send mails until SIGTERM."),
    "sessions": ("aegis.ops.cli.sessions:sessions", "Look after stored sessions."),
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and summaries, and imports one only to run it."""

    def __init__(self, *, lazy: Commands, **options: Any) -> None:
        """Take the commands beside click's own options of a group."""
        super().__init__(**options)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order in which they are declared."""
        return [*self._lazy]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import the command."""
        if cmd_name not in self._lazy:
            return None
        module, _, attribute = self._lazy[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return in_app(command) if cmd_name not in COMMANDS and isinstance(command, click.Group) else command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """List the commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self._lazy.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the chosen command; what a service refuses is one clear line, not a traceback."""
        try:
            return super().invoke(ctx)
        except errors.AegisError as refused:
            lines = [f"{field}: {sentence}" for field, sentence in refused.fields.items()] or [
                refused.sentence
            ]
            raise Failed("\n".join(lines)) from None


def group(target: str, more: Commands | None = None) -> click.Group:
    """Return the whole command line for an application.

    `target` names the function that makes it (`module:function`), `more` are groups of commands of the application's
    own, which run inside it; those of Flask's command line fit.
    """

    @click.pass_context
    def enter(ctx: click.Context) -> None:
        ctx.obj = Host(target)

    return LazyGroup(
        name="aegis",
        lazy={**COMMANDS, **(more or {})},
        callback=enter,
        help="Run and administer the platform. Settings come from the environment: `aegis config` lists them.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
