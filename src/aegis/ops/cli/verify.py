"""`aegis verify`."""

import datetime
import sys
from pathlib import Path

import click

from aegis.ops import findings
from aegis.ops import verify as checks
from aegis.ops.site import Site, Unreachable

_OUT = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.command()
@click.argument("address")
@click.option(
    "--user", "canary", help="Account to sign in with; its password comes from a prompt or standard input."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--junit", type=_OUT, help="Also write JUnit XML to this file.")
@click.option("--sign-off", type=_OUT, help="Also write a sheet to sign (Markdown) to this file.")
@click.option(
    "--http-port", type=click.IntRange(1, 65_535), default=80, show_default=True, help="Port of plain HTTP."
)
@click.pass_context
def verify(  # noqa: PLR0913 - one for each option
    ctx: click.Context,
    *,
    address: str,
    canary: str | None,
    as_json: bool,
    junit: Path | None,
    sign_off: Path | None,
    http_port: int,
) -> None:
    """Check a live site from outside: ADDRESS is https://host.

    Runs the second half of docs/DEPLOYMENT_CHECKLIST.md. The exit status is 0 when all is well, 1 with findings, and
    78 when the site cannot be reached.
    """
    try:
        site = Site.at(address, http_port=http_port)
        site.connect()
    except Unreachable as error:
        click.echo(findings.as_json([], [str(error)]) if as_json else f"ERROR: {error}", err=not as_json)
        ctx.exit(findings.CANNOT_START)
    if canary:
        site.canary, site.password = canary, _password()
    found = checks.CHECKLIST.run(site)
    click.echo(findings.as_json(found, site=site.origin) if as_json else findings.as_text(found))
    if junit:
        junit.write_text(findings.as_junit(found, f"aegis verify {site.origin}"), encoding="utf-8")
    if sign_off:
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
        sign_off.write_text(findings.as_sign_off(found, site=site.origin, date=now), encoding="utf-8")
    ctx.exit(findings.status(found))


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = click.prompt("Password", hide_input=True)
    return typed
