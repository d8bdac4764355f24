"""`aegis mail`."""

import secrets
from pathlib import Path

import click

from aegis import clock, db, mail, state
from aegis.mail import gate, messages, outbox
from aegis.ops.cli.host import Failed, InApp
from aegis.tokens import equal


@click.group(cls=InApp, name="mail")
def group() -> None:
    """Look at mails, try the relay, look after the outbox."""


@group.command()
@click.argument("template", required=False)
@click.option("--output", type=click.Path(path_type=Path), help="Folder for one .txt and one .html each.")
def preview(template: str | None, output: Path | None) -> None:
    """Show how each mail reads, with sample values; --output writes text and HTML to look at."""
    names = messages.templates()
    if template is not None and template not in names:
        raise Failed(f"There is no mail {template!r}; there are {', '.join(names)}.")
    settings = state.current().settings
    for name in [template] if template else names:
        message = messages.compose(messages.sample(name), settings)
        texts = {kind: message.get_body((kind,)) for kind in ("plain", "html")}
        contents = {kind: part.get_content() for kind, part in texts.items() if part is not None}
        if output is None:
            click.echo(f"=== {name}\nSubject: {message['Subject']}\n\n{contents['plain']}")
            continue
        output.mkdir(parents=True, exist_ok=True)
        (output / f"{name}.txt").write_text(f"{message['Subject']}\n\n{contents['plain']}")
        (output / f"{name}.html").write_text(contents["html"])


@group.command()
@click.argument("address")
def test(address: str) -> None:
    """Send a code and ask for it: the proof that mails arrive, without which no flow may depend on them."""
    settings = state.current().settings
    if not mail.is_on(settings):
        raise Failed("Mail is off: set MAIL_URL.")
    code = f"{secrets.randbelow(10**8):08d}"
    try:
        with db.transaction():
            mail.post("relay_test", address, code=code)
    except ValueError:
        raise Failed(f"{address!r} is no e-mail address.") from None
    state.current().sender.send_due()
    if faults := [item.fault for item in outbox.list_of() if item.template == "relay_test" and item.fault]:
        raise Failed(f"The relay did not take it: {faults[-1]}")
    typed = click.prompt("The code in the mail")
    if not equal("".join(typed.split()), code):
        raise Failed("This is not the code.")
    gate.note_round_trip()
    click.echo("Mails arrive. Flows that need them may be used now.")


@group.command(name="list")
def list_() -> None:
    """List the mails that wait or were given up."""
    for item in outbox.list_of():
        when = clock.as_text(item.next_try_at)
        click.echo(
            f"{item.id}  {item.state}  {item.template}  attempts {item.attempts}  next {when}  {item.fault}"
        )


@group.command()
def retry() -> None:
    """Send again what was given up."""
    click.echo(f"{outbox.retry()} given up mails wait again.")


@group.command()
def drop() -> None:
    """Delete what was given up."""
    click.echo(f"{outbox.drop()} given up mails deleted.")
