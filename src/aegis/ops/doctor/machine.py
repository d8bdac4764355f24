"""Checks of this machine."""

import stat
import time
from pathlib import Path

import flask

from aegis.ops.doctor.checklist import check, state_of
from aegis.ops.findings import Result, finding, not_applicable, ok

OWASP_MEMORY_KIB, OWASP_PASSES = 19_456, 2
"""OWASP Password Storage Cheat Sheet, argon2id."""

SLOW_S = 1.0
_SECRET_FILES = (".env", "aegis.env", "instance/.env")


@check("argon2-cost", "A password hash is costly for a thief and bearable for the server")
def argon2_cost(app: flask.Flask) -> Result:
    """Compare the parameters with OWASP's, and measure one hash on this machine."""
    held = state_of(app)
    memory, passes = held.settings.argon2_memory_kib, held.settings.argon2_passes
    if memory < OWASP_MEMORY_KIB or passes < OWASP_PASSES:
        return finding(
            f"{memory} KiB and {passes} passes.", "Remove AEGIS_ARGON2_MEMORY and AEGIS_ARGON2_PASSES."
        )
    begun = time.perf_counter()
    held.hasher.hash("measured, never stored")
    taken = time.perf_counter() - begun
    detail = f"{memory} KiB, {passes} passes: {taken * 1000:.0f} ms on this machine."
    if taken > SLOW_S:
        return finding(
            detail, "Signing in will be slow: use a faster machine, or lower what is above OWASP's values."
        )
    return ok(detail)


@check("file-permissions", "Files with secrets are closed to other users")
def file_permissions(app: flask.Flask) -> Result:
    """Look at the embedded database and at environment files in this folder."""
    database = state_of(app).database
    files = [Path(name) for name in _SECRET_FILES]
    if database.is_embedded and database.url.database not in {None, "", ":memory:"}:
        files.append(Path(str(database.url.database)))
    there = [file for file in files if file.is_file()]
    if not there:
        return not_applicable(
            "No file with secrets here: the database is a server, the settings come from outside."
        )
    is_open = [str(file) for file in there if file.stat().st_mode & stat.S_IRWXO]
    if is_open:
        return finding(f"Open to everybody: {', '.join(is_open)}.", f"Run `chmod o= {' '.join(is_open)}`.")
    return ok(f"Closed: {', '.join(str(file) for file in there)}.")
