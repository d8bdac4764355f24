"""What alembic does for us, on a connection that is passed in. Import it late: alembic costs 245 ms."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from academy.schema import metadata


def upgrade(connection: sa.Connection, scripts: Path) -> None:
    """Run all steps that the database lacks."""
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def list_differences(connection: sa.Connection) -> list[str]:
    """Return how the tables differ from the metadata, a line each."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return [str(difference) for difference in compare_metadata(context, metadata)]
