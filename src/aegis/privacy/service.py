"""The rules of the copy: everything that is kept of a person, and no secret that would sign somebody in."""

import io
import json
import zipfile
from collections.abc import Sequence
from typing import Any

from aegis import audit, clock, throttle
from aegis.accounts import service as accounts
from aegis.audit import Event, sentences
from aegis.login import devices
from aegis.mfa import service as authenticators
from aegis.passkeys import service as passkeys
from aegis.sessions import Session, remembrance
from aegis.sessions import service as sessions
from aegis.state import State
from aegis.throttle import Subject
from aegis.web import Client


def archive(application: State, session: Session, client: Client) -> bytes:
    """Return a ZIP of JSON files, and the picture. Raises RateLimited after too many in an hour."""
    subject = Subject("account", session.account_id, application.settings.limit_export_account)
    with throttle.attempt("export", [subject], client, session.account_id):
        parts = {**_own(application, session), **application.personal(session.account_id)}
        avatar = accounts.get(session.account_id).avatar
        picture = application.uploads.get(avatar) if avatar else None
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, part in parts.items():
            file.writestr(f"{name}.json", json.dumps(part, indent=2, ensure_ascii=False))
        if picture is not None:
            file.writestr("picture.webp", picture)
    audit.record(Event.DATA_EXPORTED, client, account_id=session.account_id)
    return content.getvalue()


def _own(application: State, session: Session) -> dict[str, Any]:
    """Return what the extension keeps."""
    account = accounts.get(session.account_id)
    named: dict[str, Sequence[Any]] = {
        "authenticators": authenticators.list_of(account.id),
        "passkeys": passkeys.list_of(account.id),
    }
    return {
        "account": {
            "username": account.username,
            "display_name": account.display_name,
            "bio": account.bio,
            "email": account.email,
            "pending_email": account.pending_email,
            "role": account.role,
            "created_at": clock.as_text(account.created_at),
        },
        "sessions": [
            {
                "user_agent": item.user_agent,
                "address": item.address,
                "started_at": clock.as_text(item.started_at),
                "last_used_at": clock.as_text(item.last_used_at),
            }
            for item in sessions.list_of(account.id, application.settings)
        ],
        "remembered_browsers": [
            {
                "user_agent": item.user_agent,
                "address": item.address,
                "created_at": clock.as_text(item.created_at),
                "used_at": clock.as_text(item.used_at),
            }
            for item in remembrance.list_of(account.id)
        ],
        "devices": [
            {
                "user_agent": item.user_agent,
                "first_seen_at": clock.as_text(item.first_seen_at),
                "last_seen_at": clock.as_text(item.last_seen_at),
            }
            for item in devices.list_of(account.id)
        ],
        "second_factors": {
            kind: [{"name": item.name, "created_at": clock.as_text(item.created_at)} for item in items]
            for kind, items in named.items()
        },
        "activity": [
            {
                "time": clock.as_text(seen.at),
                "sentence": sentences.for_owner(seen),
                "address": "" if sentences.is_by_others(seen) else seen.address,
            }
            for seen in audit.search(account_id=account.id, events=sentences.SHOWN, limit=EVENTS)
        ],
    }


EVENTS = 10_000
"""The latest events of an archive; more than an account has in years."""
