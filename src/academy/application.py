"""The application put together: the extension, and what the platform adds to it."""

from collections.abc import Mapping
from pathlib import Path

import flask

from academy import cli_courses, migrate, migrate_cli
from academy.courses import publishing
from academy.courses import service as courses_service
from academy.courses import views as courses_views
from academy.pages import views as pages_views
from aegis import Aegis
from aegis.db import Database
from aegis.ops import logs
from aegis.settings.declaration import DEVELOPMENT
from aegis.state import State

SAMPLE = Path(__file__).parent / "samples" / "safe-accounts"
"""The course that a newcomer finds."""


def create_app(config: object | None = None, *, environ: Mapping[str, str] | None = None) -> flask.Flask:
    """Return the platform under a configuration object and the environment.

    The templates belong to the application itself, because Flask looks there first: so the academy's
    `aegis/base.html` wins over the plain one. Raises ConfigurationError when the process could not run safely.
    """
    app = flask.Flask("academy", template_folder="pages/templates", static_folder=None)
    if config is not None:
        app.config.from_object(config)

    def prepare(database: Database) -> None:
        migrate.prepare_embedded(database)
        if application.settings.environment == DEVELOPMENT:
            with app.app_context():
                publishing.publish_first(SAMPLE)

    Aegis(
        app,
        environ=environ,
        prepare=prepare,
        is_current=migrate.is_current,
        personal=courses_service.personal,
    )
    application: State = app.extensions["aegis"]
    logs.configure(application.settings)
    app.register_blueprint(courses_views.blueprint)
    app.register_blueprint(pages_views.blueprint)
    app.cli.add_command(migrate_cli.db)
    app.cli.add_command(cli_courses.course)
    return app
