"""`aegis sessions`."""

import click

from aegis.ops import housekeeping
from aegis.ops.cli.host import InApp


@click.group(cls=InApp)
def sessions() -> None:
    """Look after stored sessions."""


@sessions.command()
def purge() -> None:
    """Delete expired sessions in small batches; the server also does so by itself."""
    gone = housekeeping.purge()
    click.echo(f"{gone} expired session{'' if gone == 1 else 's'} deleted.")
