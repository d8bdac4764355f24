"""`aegis check`."""

import os

import click

from aegis.ops import findings
from aegis.ops.cli.host import Host, quiet_logs
from aegis.settings import ConfigurationError, load


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def check(ctx: click.Context, *, as_json: bool) -> None:
    """Check this deployment before it goes live.

    Runs the first half of docs/DEPLOYMENT_CHECKLIST.md against this configuration, database and machine. The exit
    status is 0 when all is well, 1 with findings, and 78 when the platform could not start at all.
    """
    host = ctx.ensure_object(Host)
    try:
        load(os.environ)
    except ConfigurationError as error:
        _tell_problems(error, as_json=as_json)
        ctx.exit(findings.CANNOT_START)
    app = host.app()
    quiet_logs()
    from aegis.ops import doctor  # noqa: PLC0415 - with the application, which 78 does not need

    with app.app_context():
        found = doctor.CHECKLIST.run(app)
    click.echo(findings.as_json(found) if as_json else findings.as_text(found))
    ctx.exit(findings.status(found))


def _tell_problems(error: ConfigurationError, *, as_json: bool) -> None:
    if as_json:
        click.echo(findings.as_json([], error.problems))
    else:
        click.echo(str(error), err=True)
