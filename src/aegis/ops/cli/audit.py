"""`aegis audit`: verify the record, hand it to other programs, and take its ends out of the machine."""

import json
import os
from typing import IO, Any, TextIO

import click

from aegis import audit as record
from aegis import clock, state
from aegis.audit import formats
from aegis.ops.cli.host import InApp
from aegis.web import OPERATOR


class Time(click.ParamType[int]):
    """A time as `clock.from_text` reads it."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it."""
        try:
            return clock.from_text(value)
        except ValueError as fault:
            self.fail(f"{value!r} {fault}.", param, ctx)


@click.group(cls=InApp)
def audit() -> None:
    """Verify and export the record of security events."""


@audit.command()
@click.option(
    "--heads",
    "files",
    type=click.File(encoding="utf-8", errors="replace"),
    multiple=True,
    help="Log lines that left this machine, or what `aegis audit heads` printed (- is standard input); may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def verify(ctx: click.Context, files: tuple[TextIO, ...], *, as_json: bool) -> None:
    """Find changed, removed and moved rows, and say which and what happened to them.

    The exit status is 0 when all is well and 1 with faults. That the newest rows were cut off shows against --heads
    alone.
    """
    told = record.heads_in(line for file in files for line in file)
    found = list(record.verify(state.current().keyring, told))
    rows = record.count()
    if as_json:
        shown = [{"chain": fault.chain, "number": fault.number, "fault": fault.sentence} for fault in found]
        click.echo(json.dumps({"rows": rows, "heads": len(told), "faults": shown}, indent=2))
    else:
        for fault in found:
            click.echo(f"chain {formats.plain(fault.chain)} row {fault.number} {fault.sentence}")
        click.echo(_summary(rows, len(found), has_heads=bool(told)))
    ctx.exit(1 if found else 0)


def _summary(rows: int, faults: int, *, has_heads: bool) -> str:
    judged = f"{_counted(rows, 'row')} judged: {_counted(faults, 'fault') if faults else 'all is well'}."
    hint = "Without --heads a cut-off end of the newest chains cannot show."
    return judged if has_heads else f"{judged} {hint}"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


@audit.command()
def heads() -> None:
    """Print the last row of each recent chain, for `aegis audit verify --heads`: keep them on another machine."""
    for head in record.heads():
        click.echo(json.dumps({"event": record.Event.HEAD, **head._asdict()}))


@audit.command()
@click.option(
    "--format", "style", type=click.Choice([*formats.FORMATS]), help="Instead of AEGIS_AUDIT_EXPORT_FORMAT."
)
@click.option(
    "--since",
    type=Time(),
    default="1970-01-01",
    help="First time: 2026-11-25, 2026-11-25T08:00:00Z, 24h, 7d.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, allow_dash=True),
    default="-",
    help="File instead of standard output; nobody else may read it.",
)
def export(style: str | None, since: int, output: str) -> None:
    """Write the record for other programs, one event a line, the earliest first. That it was exported is recorded."""
    write = formats.FORMATS[style or state.current().settings.audit_export_format]
    record.record(record.Event.RECORD_READ, OPERATOR, what="export")
    with click.open_file("-", "w") if output == "-" else _own_file(output) as file:
        for seen in record.walk(since):
            file.write(f"{write(seen)}\n")


def _own_file(path: str) -> IO[str]:
    """Open a file that belongs to whoever exports: it tells addresses and who did what."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8")
