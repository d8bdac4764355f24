"""`aegis config` and `aegis secret`."""

import dataclasses
import json
from typing import Any

import click

from aegis import tokens
from aegis.ops import entry, reference
from aegis.settings import Configured, declarations, masked


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--markdown", is_flag=True, help="Print the reference of all settings (docs/SETTINGS.md) instead."
)
def config(*, as_json: bool, markdown: bool) -> None:
    """Show every setting, its value and where it comes from.

    Secrets are masked. Values that production refuses end this with status 78 and all problems.
    """
    if markdown:
        click.echo(reference.markdown(), nl=False)
        return
    lines = shown(entry.judged())
    if as_json:
        click.echo(json.dumps({"settings": lines}, indent=2))
    else:
        _print_table(lines)


def shown(configured: Configured) -> list[dict[str, str]]:
    """Return what may be shown of each setting."""
    values = dataclasses.asdict(configured.settings)
    return [
        {
            "name": item.name,
            "value": masked(values[field]) if item.secret else _text(values[field]),
            "origin": configured.origins[field],
            "unit": item.unit,
            "help": item.help,
        }
        for field, item in declarations().items()
    ]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return ",".join(str(part) for part in value) if isinstance(value, tuple) else str(value)


def _print_table(lines: list[dict[str, str]]) -> None:
    rows = [
        (line["name"], f"{line['value']} {line['unit']}".strip() or "(empty)", line["origin"])
        for line in lines
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, origin in rows:
        click.echo(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {origin}")


@click.command()
def secret() -> None:
    """Print a fresh key for SECRET_KEY: 256 random bits, and nothing else."""
    click.echo(tokens.new_token())
