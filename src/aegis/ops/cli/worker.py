"""`aegis worker`."""

import signal

import click

from aegis.ops.cli.host import Failed, Host


@click.command()
@click.pass_obj
def worker(host: Host) -> None:
    """Send mails until SIGTERM; several workers share the work.

    Serving processes send by themselves unless AEGIS_MAIL_EMBEDDED=0.
    """
    with host.context() as app:
        sender = app.extensions["aegis"].sender
        if sender.transport is None:
            raise Failed("Mail is off: set MAIL_URL.")
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sender.stop())
        click.echo("Sending mails. SIGTERM stops it.")
        sender.run()
