"""`aegis user`: administration of accounts without a browser."""

import dataclasses
import json
import sys
from typing import Any, TextIO

import click

from aegis import clock, state
from aegis.accounts import ending, service, standing
from aegis.accounts.service import Account
from aegis.admin import accounts_csv
from aegis.login import factors, resets
from aegis.mfa import recovery
from aegis.ops.cli.host import Failed, InApp
from aegis.reset import service as reset
from aegis.sessions import service as sessions
from aegis.settings import ROLES

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(cls=InApp)
def user() -> None:
    """Administer accounts. NAME is a user name or an e-mail address, in any spelling."""


@user.command()
@click.argument("name")
@click.option("--email", help="E-mail address.")
@click.option(
    "--role", type=click.Choice(ROLES), default="learner", show_default=True, help="What the account may do."
)
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input, not from a prompt."
)
@click.option("--temporary", is_flag=True, help="The password opens nothing but the choice of another one.")
def create(name: str, email: str | None, role: str, *, password_stdin: bool, temporary: bool) -> None:
    """Create an account; the first administrator comes from here.

    The password is never an argument: arguments are seen by everybody on the machine and stay in the shell's history.
    """
    application = state.current()
    account = service.register(
        name,
        _password(from_stdin=password_stdin),
        email,
        application.settings,
        application.hasher,
        role=role,
        by_operator=True,
        is_temporary=temporary,
    )
    click.echo(f"The account {account.username} was created ({account.role}).")
    if standing.is_only_admin(account.id):
        _print_break_glass(account)


def _print_break_glass(account: Account) -> None:
    code = recovery.break_glass(state.current(), account.id)
    click.echo(f"Emergency code of {account.username}: {code}")
    click.echo("It takes the place of a lost second factor, once. Keep it sealed, away from this machine.")


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt="The same again")
    return typed


@user.command("list")
@_as_json
def list_accounts(*, as_json: bool) -> None:
    """List all accounts by name."""
    accounts = service.list_all()
    if as_json:
        click.echo(json.dumps({"users": [_shown(account) for account in accounts]}, indent=2))
        return
    for account in accounts:
        note = "" if account.is_active else "  deactivated"
        click.echo(f"{account.username}  {account.role}  {account.email or '-'}{note}")


@user.command()
@click.argument("name")
@_as_json
def show(name: str, *, as_json: bool) -> None:
    """Show an account and how many sessions it has."""
    account = _get(name)
    counted = len(sessions.list_of(account.id, state.current().settings))
    named = factors.of(account.id, account.role).names
    shown = {**_shown(account), "sessions": counted, "second_factors": ", ".join(named)}
    if as_json:
        click.echo(json.dumps(shown, indent=2))
        return
    for key, value in shown.items():
        click.echo(f"{key + ':':<16}{'-' if value in (None, '') else value}")


@user.command("set-role")
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
def set_role(name: str, role: str) -> None:
    """Give an account another role; its sessions end."""
    account = _get(name)
    standing.set_role(account.id, role)
    click.echo(f"{account.username} is {role} now. The account's sessions have ended.")


@user.command()
@click.argument("name")
def deactivate(name: str) -> None:
    """Shut an account out; its sessions end."""
    account = _get(name)
    standing.deactivate(account.id)
    click.echo(f"{account.username} is deactivated. The account's sessions have ended.")


@user.command()
@click.argument("name")
def activate(name: str) -> None:
    """Let a deactivated account in again."""
    account = _get(name)
    standing.activate(account.id)
    click.echo(f"{account.username} is active again.")


@user.command("expire-password")
@click.argument("name")
def expire_password(name: str) -> None:
    """Make an account choose another password at its next sign-in; its sessions end."""
    account = _get(name)
    standing.expire_password(account.id)
    click.echo(f"{account.username} has to choose another password. The account's sessions have ended.")


@user.command("reset-password")
@click.argument("name")
def reset_password(name: str) -> None:
    """Print a one-time link with which the owner chooses a new password, to hand over; good for half an hour."""
    account = _get(name)
    click.echo(reset.print_link(state.current(), account.id))


@user.command("reset-mfa")
@click.argument("name")
def reset_mfa(name: str) -> None:
    """Take all second factors from an account, for somebody who lost them; its sessions end.

    Make sure first who is asking: this is what an attacker would ask for. With AEGIS_MFA_RESET_DELAY it takes two: who runs this
    asks, or carries out what an administrator asked for before.
    """
    account = _get(name)
    removed = resets.take_away(state.current(), account.id)
    if removed is None:
        click.echo(
            f"This was asked for, and {account.username} is told. An administrator has to carry it out, later."
        )
        return
    click.echo(
        f"{removed} second factors of {account.username} were removed. The account's sessions have ended."
    )


@user.command("break-glass")
@click.argument("name")
def break_glass(name: str) -> None:
    """Print a new emergency code of an administrator; the former one is void."""
    account = _get(name)
    if account.role != "admin":
        raise Failed(
            f"{account.username} is no administrator: an emergency code is for administrators alone."
        )
    _print_break_glass(account)


@user.command("revoke-sessions")
@click.argument("name")
def revoke_sessions(name: str) -> None:
    """End all sessions of an account, in every process at once."""
    account = _get(name)
    ended = ending.revoke_sessions(account.id)
    click.echo(f"{ended} session{'' if ended == 1 else 's'} of {account.username} ended.")


@user.command("import")
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--dry-run", is_flag=True, help="Check the file and store nothing.")
def import_accounts(file: TextIO, *, dry_run: bool) -> None:
    """Store the accounts of a CSV FILE (- is standard input), all or none.

    Columns: username (required), email, role, is_active (1 or 0), password_hash (werkzeug's or argon2's). People keep
    their passwords; hashes are upgraded when they next sign in. All faults are told at once, with their lines.
    """
    try:
        count = accounts_csv.load(file, is_dry_run=dry_run)
    except accounts_csv.Refused as refused:
        raise Failed("\n".join([*refused.problems, "Nothing was stored."])) from None
    click.echo(f"Accounts {'that could be' if dry_run else ''} imported: {count}.".replace("  ", " "))


@user.command("export")
@click.argument("file", type=click.File("w", encoding="utf-8", lazy=True), default="-")
@click.option(
    "--with-hashes", is_flag=True, help="Include the password hashes: keep such a file like the passwords."
)
def export_accounts(file: TextIO, *, with_hashes: bool) -> None:
    """Write all accounts as CSV to FILE, or to standard output."""
    accounts_csv.dump(file, with_hashes=with_hashes)


def _get(name: str) -> Account:
    account = service.find(name)
    if account is None:
        raise Failed(f"There is no account {name!r}.")
    return account


def _shown(account: Account) -> dict[str, Any]:
    fields = dataclasses.asdict(account)
    return {**fields, "created_at": clock.as_text(account.created_at)}
