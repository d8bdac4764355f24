"""What alembic runs for each command: the steps, on the connection that `academy.migrate` passes in."""

from alembic import context

from academy.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
