"""Queries that only a reset needs."""

import sqlalchemy as sa

from aegis import db
from aegis.schema import devices


def remove_devices(account_id: str) -> None:
    """Make every device a stranger."""
    db.change(sa.delete(devices).where(devices.c.account_id == account_id))
