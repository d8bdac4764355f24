"""The extension: `Aegis(app)` wires every room, in the order in which a request meets them."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import flask
import sqlalchemy as sa

from aegis import audit, csrf, errors, flask_login, mail, pages, settings, state, uploads
from aegis.accounts import views as accounts_views
from aegis.admin import views as admin_views
from aegis.audit import Audit, Event
from aegis.db import Database
from aegis.login import factors, flood, machine
from aegis.login import views as login_views
from aegis.mfa import views as mfa_views
from aegis.ops import entry, housekeeping
from aegis.ops import views as ops_views
from aegis.ops.metrics import views as metrics_views
from aegis.ops.metrics.service import Metrics
from aegis.passkeys import views as passkeys_views
from aegis.passwords import Hasher
from aegis.privacy import views as privacy_views
from aegis.reset import views as reset_views
from aegis.schema import metadata
from aegis.sessions import check
from aegis.sessions import views as sessions_views
from aegis.sessions.interface import was_asked
from aegis.throttle import Counters
from aegis.tokens import Keyring
from aegis.web import bodies, client, faults, openapi, places
from aegis.web.edge import Edge


class Aegis:
    """Account and session security for a Flask application."""

    def __init__(self, app: flask.Flask | None = None, **options: Any) -> None:
        """Wire `app` at once if given; `options` are those of `init_app`."""
        if app is not None:
            self.init_app(app, **options)

    def init_app(
        self,
        app: flask.Flask,
        *,
        environ: Mapping[str, str] | None = None,
        prepare: Callable[[Database], None] | None = None,
        is_current: Callable[[Database], bool] | None = None,
        personal: Callable[[str], Mapping[str, Any]] | None = None,
    ) -> None:
        """Read and judge the settings, then wire the rooms.

        `prepare` brings an embedded SQLite up to date at its first use; without it the tables are created.
        `personal` returns what the application keeps of an account, by file name, for the copy that its owner takes along; rows of
        the application's that hang on an account by a foreign key are erased with it.
        `is_current` tells whether the schema has all steps of this release; without it, whether all tables are there.
        Raises ConfigurationError with every problem when the process could not run safely.
        """
        chosen = {
            name: value for name, value in app.config.items() if value != flask.Flask.default_config.get(name)
        }
        configured = settings.load(os.environ if environ is None else environ, chosen)
        values = configured.settings
        if values.is_production:
            entry.keep_development_server_out(app)
        app.config.update(
            {item.name: getattr(values, field) for field, item in settings.declarations().items()}
        )
        app.config["SESSION_COOKIE_NAME"] = values.cookie_prefix + "session"
        app.config["MAX_CONTENT_LENGTH"] = values.body_limit
        app.config["MAX_FORM_MEMORY_SIZE"] = values.body_limit
        app.config["MAX_FORM_PARTS"] = values.input_fields
        keyring = Keyring(values.secret_key, values.secret_key_fallbacks)
        app.extensions["aegis"] = state.State(
            configured,
            keyring,
            _database(values, prepare),
            _hasher(values),
            _counters(values),
            Audit(keyring),
            uploads.make(values),
            mail.Sender(app, values),
            _places(values),
            factors.of,
            machine.resume,
            personal or (lambda _: {}),
            is_current or _has_tables,
        )
        app.session_interface = flask_login.AdoptedSessions()
        app.request_class = bodies.request_class(app.request_class)
        app.before_request(bodies.limit)
        app.before_request(csrf.check)
        app.jinja_env.globals["csrf_token"] = csrf.token
        faults.register(app)
        for rejection in (errors.InvalidInput, errors.BadRequest):
            app.register_error_handler(rejection, _record_rejection)
        for blueprint in (
            sessions_views.blueprint,
            login_views.blueprint,
            accounts_views.blueprint,
            accounts_views.pictures,
            passkeys_views.blueprint,
            reset_views.blueprint,
            reset_views.undoing,
            privacy_views.blueprint,
            admin_views.blueprint,
            mfa_views.blueprint,
            ops_views.blueprint,
            metrics_views.blueprint,
            openapi.blueprint,
        ):
            app.register_blueprint(blueprint)
        if values.metrics_token or values.metrics_addresses:
            app.extensions[metrics_views.EXTENSION] = Metrics(Path(values.metrics_folder).absolute())
        pages.register(app)
        starts = (housekeeping.starter(app), app.extensions["aegis"].sender.start)
        edge = Edge(
            app.wsgi_app,
            configured,
            was_asked,
            {**check.fast_paths(app), **flood.fast_paths(app)},
            lambda: _run_all(starts),
        )
        app.wsgi_app = edge  # type: ignore[method-assign]


def _run_all(starts: Iterable[Callable[[], None]]) -> None:
    """Start what runs beside the requests of this process."""
    for start in starts:
        start()


def _record_rejection(error: errors.AegisError) -> flask.Response:
    """Note which operation refused its input, and for which of its fields; what was sent is told nowhere."""
    view = flask.current_app.view_functions.get(flask.request.endpoint or "")
    declared = getattr(view, "operation", None)
    known = declared.body.model_fields if declared is not None and declared.body else {}
    fields = sorted({name if name in known else "other" for name in error.fields})
    audit.record(
        Event.INPUT_REJECTED,
        client(),
        endpoint=flask.request.endpoint,
        reason=error.code,
        fields=",".join(fields) or None,
    )
    return faults.answer(error)


def _database(values: settings.Settings, prepare: Callable[[Database], None] | None) -> Database:
    return Database(
        values.database_url,
        pool_size=values.database_pool_size,
        timeout_s=values.database_timeout_s,
        prepare=prepare or _create_tables,
    )


def _create_tables(database: Database) -> None:
    metadata.create_all(database.engine)


def _has_tables(database: Database) -> bool:
    """Tell whether all tables are there, for a host that keeps no migrations."""
    try:
        return set(metadata.tables) <= set(sa.inspect(database.engine).get_table_names())
    except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
        raise errors.Unavailable from error


def _places(values: settings.Settings) -> places.Places:
    try:
        return places.Places(values.geoip)
    except ValueError as fault:
        raise settings.ConfigurationError([f"AEGIS_GEOIP: {fault}."]) from None


def _counters(values: settings.Settings) -> Counters:
    if not values.redis_url:
        return Counters(None)
    from aegis.throttle.redis_counters import RedisCounters  # noqa: PLC0415 - 100 ms that only Redis users pay

    return Counters(RedisCounters(values.redis_url))


def _hasher(values: settings.Settings) -> Hasher:
    return Hasher(
        memory_kib=values.argon2_memory_kib,
        passes=values.argon2_passes,
        parallel=values.argon2_parallel,
        queue=values.argon2_queue,
        pepper_keys=[key.encode() for key in values.password_pepper],
    )
