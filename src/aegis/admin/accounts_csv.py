"""Accounts from and to CSV, with password hashes: how people move here without choosing new passwords.

Columns: username (required), email, role, is_active, password_hash. A hash is one of werkzeug (`scrypt:`, `pbkdf2:`) or
argon2 and is upgraded at the next sign-in; an account without one cannot sign in with a password.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TextIO

from aegis import audit, clock, db, tokens
from aegis.accounts import addresses, names, store
from aegis.audit import Event
from aegis.settings import ROLES
from aegis.web import OPERATOR, Client

COLUMNS = ("username", "email", "role", "is_active", "password_hash")
NO_PASSWORD = "!"  # noqa: S105 - a value that no password matches
_HASH = re.compile(
    r"scrypt:\d+:\d+:\d+\$[^$]+\$[0-9a-f]{128}"
    r"|pbkdf2:sha(1|256|512):\d+\$[^$]+\$[0-9a-f]{40,128}"
    r"|(hmac\$[0-9a-f]{16})?\$argon2(id|i|d)\$[A-Za-z0-9+/=,$.]+"
    r"|!"
)


class Refused(Exception):
    """The file has faults; nothing was stored. `problems` holds a line for each, with its line number."""

    def __init__(self, problems: list[str]) -> None:
        """Take all problems at once."""
        self.problems = problems
        super().__init__("\n".join(problems))


class _Line(NamedTuple):
    number: int
    fields: dict[str, str]


def load(
    file: TextIO, *, is_dry_run: bool = False, client: Client = OPERATOR, actor_id: str | None = None
) -> int:
    """Store the accounts of a CSV file, all or none, and return how many. Raises Refused."""
    problems: list[str] = []
    accounts = list(_accounts(_lines(file), problems))
    if problems:
        raise Refused(problems)
    if not is_dry_run:
        _store(accounts)
        audit.record(Event.ACCOUNTS_IMPORTED, client, account_id=actor_id, count=len(accounts))
    return len(accounts)


def dump(file: TextIO, *, with_hashes: bool) -> int:
    """Write all accounts as CSV and return how many."""
    columns = COLUMNS if with_hashes else COLUMNS[:-1]
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    rows = store.list_all()
    for row in rows:
        writer.writerow(_cell(getattr(row, column)) for column in columns)
    audit.record(Event.ACCOUNTS_EXPORTED, OPERATOR, count=len(rows), with_hashes=int(with_hashes))
    return len(rows)


def _cell(value: object) -> object:
    return int(value) if isinstance(value, bool) else value


def _lines(file: TextIO) -> Iterator[_Line]:
    reader = csv.reader(file, strict=True)
    try:
        header = [name.strip().lower().removeprefix("\ufeff") for name in next(reader, [])]
        _check_header(header)
        for cells in reader:
            if cells:
                yield _Line(reader.line_num, _fields(header, cells, reader.line_num))
    except (csv.Error, UnicodeDecodeError) as error:
        raise Refused([f"line {reader.line_num + 1}: this is not CSV in UTF-8 ({error})."]) from None


def _check_header(header: list[str]) -> None:
    unknown = [name for name in header if name not in COLUMNS]
    if "username" not in header or unknown or len(set(header)) != len(header):
        raise Refused([f"line 1: the columns must be username and any of {', '.join(COLUMNS[1:])}."])


def _fields(header: list[str], cells: list[str], number: int) -> dict[str, str]:
    if len(cells) != len(header):
        raise Refused([f"line {number}: has {len(cells)} cells where the first line has {len(header)}."])
    return {name: cell.strip(" ") for name, cell in zip(header, cells, strict=True)}


def _accounts(lines: Iterable[_Line], problems: list[str]) -> Iterator[dict[str, Any]]:
    seen: dict[tuple[str, str], int] = {}
    for number, fields in lines:
        faults: list[str] = []
        values = _values(fields, faults)
        for column in ("username_canonical", "email_canonical"):
            _check_unique(column, values[column], seen, number, faults)
        problems += [f"line {number}: {fault}" for fault in faults]
        yield values


def _values(fields: dict[str, str], faults: list[str]) -> dict[str, Any]:
    """Return the columns of an account; what is wrong with the line goes to `faults`."""
    username, email = fields["username"], fields.get("email", "")
    canonical = _try(faults, "username", lambda: names.canonical(username, allow_reserved=True))
    address = _try(faults, "email", lambda: addresses.parse(email)) if email else None
    role = fields.get("role") or "learner"
    if role not in ROLES:
        faults.append(f"role: must be one of {', '.join(ROLES)}.")
    password_hash = fields.get("password_hash") or NO_PASSWORD
    if not _HASH.fullmatch(password_hash) or len(password_hash) > 255:  # noqa: PLR2004 - the column's width
        faults.append("password_hash: is no hash of werkzeug or argon2.")
    is_active = fields.get("is_active") or "1"
    if is_active not in {"0", "1"}:
        faults.append("is_active: must be 1 or 0.")
    now = clock.now()
    return {
        "id": tokens.new_id(),
        "username": names.display(username) if canonical else username,
        "username_canonical": canonical,
        "email": address and address.display,
        "email_canonical": address and address.canonical,
        "email_verified_at": now if address else None,
        "password_hash": password_hash,
        "role": role,
        "is_active": is_active == "1",
        "display_name": "",
        "bio": "",
        "created_at": now,
        "password_changed_at": now,
    }


def _try(faults: list[str], field: str, rule: Any) -> Any:
    try:
        return rule()
    except names.Refused as refused:
        faults.append(f"{field}: {refused}")
        return None


def _check_unique(
    column: str, value: str | None, seen: dict[tuple[str, str], int], number: int, faults: list[str]
) -> None:
    if value is None:
        return
    field = column.removesuffix("_canonical")
    first = seen.setdefault((column, value), number)
    find = store.find_by_username if field == "username" else store.find_by_email
    if first != number:
        faults.append(f"{field}: is the same as in line {first}.")
    elif find(value) is not None:
        faults.append(f"{field}: is taken by an account that exists.")


def _store(accounts: list[dict[str, Any]]) -> None:
    try:
        with db.transaction():
            for values in accounts:
                store.add(values)
    except db.Duplicate:
        raise Refused(
            ["Somebody registered one of these names or addresses in the meantime: try again."]
        ) from None
