"""${message}."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from academy.migrations import steps

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Say what changes."""
    ${upgrades if upgrades else "raise NotImplementedError"}
