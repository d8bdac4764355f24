"""Run the commands that a document shows, and see that they print what the document says.

In a block marked `console` each line that begins with `$ ` is a command (a backslash at its end continues it), and
the lines below are what it prints: in this order, perhaps with others between them, `...` standing for any text. All
blocks of a document run in one shell, as they do for a reader who types them from top to bottom. A command that ends
with another status than 0 fails; where a document wants one, it shows it with `; echo $?`.
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.deploy.site import BIN, ROOT
from tests.services.process import leashed

RUN_WITHIN_S = 120
CONSOLE = "console"

_FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_END = "\036"
_STARTED = re.compile(r'\{"time": "[^\n]*"event": "sys_(?:startup|audit_chain_opened)"[^\n]*\}\n')
"""What a server in the background logs when it begins to serve, in the middle of what a command prints."""


class Command(NamedTuple):
    """One command of a document and the lines that are shown below it."""

    text: str
    expected: list[str]


class Done(NamedTuple):
    """What a command did."""

    command: Command
    status: int
    output: str


def fenced_languages(document: Path) -> set[str]:
    """Return the languages of the document's fenced blocks."""
    return {language for language, _ in _FENCE.findall(document.read_text())}


def commands(document: Path) -> list[Command]:
    """Return all commands of the document's console blocks."""
    found: list[Command] = []
    for language, block in _FENCE.findall(document.read_text()):
        if language != CONSOLE:
            continue
        assert block.startswith("$ "), f"a console block begins with a command, not with {block[:40]!r}"
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Command(line[2:], []))
            elif found[-1].text.endswith("\\"):
                found[-1] = Command(f"{found[-1].text}\n{line}", [])
            else:
                found[-1].expected.append(line)
    return found


def run(document: Path, folder: Path, replacements: Mapping[str, str], **environ: str) -> list[Done]:
    """Run all commands of the document from top to bottom in one shell in the checkout, and return what each did.

    `replacements` are whole words, in commands and in what they print: a port, an address. What was started is ended.
    """
    replaced = [
        Command(
            _replace(command.text, replacements), [_replace(line, replacements) for line in command.expected]
        )
        for command in commands(document)
    ]
    script, log = folder / "commands.sh", folder / "output.txt"
    script.write_text("".join(f"{command.text}\nprintf '\\n\\036%s\\n' \"$?\"\n" for command in replaced))
    environment = {
        "PATH": f"{BIN}:/usr/bin:/bin:/usr/sbin",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
    }
    with log.open("wb") as output:
        shell = subprocess.Popen(
            leashed(["/bin/bash", "--norc", script], drop=False),
            cwd=ROOT,
            env=environment | environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            shell.wait(RUN_WITHIN_S)
        finally:
            _end_all(shell)
    return list(_done(replaced, log.read_text(errors="replace")))


def complaint(done: Done) -> str | None:
    """Say how a command differed from its document, or return None."""
    if done.status != 0:
        return f"$ {done.command.text}\nended with status {done.status} and printed:\n{done.output}"
    lines = iter(done.output.splitlines())
    for expected in done.command.expected:
        pattern = re.compile(".*".join(re.escape(part) for part in expected.split("...")))
        if not any(pattern.fullmatch(line.rstrip()) for line in lines):
            return f"$ {done.command.text}\ndid not print {expected!r} (in this order), but:\n{done.output}"
    return None


def _replace(text: str, replacements: Mapping[str, str]) -> str:
    for old, new in replacements.items():
        text = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", new, text)
    return text


def _done(replaced: list[Command], output: str) -> Iterator[Done]:
    """Cut the output where each command ended; a shell that was ended early ran the last one only in part."""
    parts = re.split(rf"\n{_END}(\d+)\n", output)
    for number, command in enumerate(replaced):
        if 2 * number + 1 >= len(parts):
            yield Done(command, -1, parts[-1] if 2 * number < len(parts) else "(not reached)")
            return
        yield Done(command, int(parts[2 * number + 1]), _STARTED.sub("", parts[2 * number]))


def _end_all(shell: "subprocess.Popen[bytes]") -> None:
    """End the shell and what it started; the leash made it the head of a process group of its own."""
    shell.kill()
    shell.wait()
    try:
        os.killpg(shell.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
