"""What every way into the application has in common: it starts safely, or it ends at once and says why.

`app.py`, `gunicorn.conf.py`, the command line and the extension call this module. It imports the settings and the
standard library alone, so that nothing else can fail before it had its say.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from aegis.settings import PRODUCTION, ConfigurationError, Configured, load

if TYPE_CHECKING:
    import flask

REFUSED = 1
_SERVERS = """\
ERROR: Flask development server must not run in production.
FLASK_ENV is {environment!r}. Start one of these servers instead:
  waitress:  waitress-serve --port=8000 --threads=4 app:app
  gunicorn:  gunicorn -w 4 -b 127.0.0.1:8000 app:app
  granian:   aegis serve --tls-cert cert.pem --tls-key key.pem
For development on your own machine, unset FLASK_ENV or set FLASK_ENV=development."""


def only_in_development() -> None:
    """End a program that is about to be the development server, unless this is development.

    Called before anything else is looked at, so that the advice is not buried under other problems.
    """
    environment = os.environ.get("FLASK_ENV", "development")
    if environment != "development":
        _refuse(environment)


def no_flask_run_in_production() -> None:
    """End `flask run` in production; the other commands of `flask` may go on."""
    if os.environ.get("FLASK_ENV") == PRODUCTION and _is_flask_run():
        _refuse(PRODUCTION)


def keep_development_server_out(app: "flask.Flask") -> None:
    """Refuse the development server for an application that runs under the rules of production."""
    if _is_flask_run():
        _refuse(PRODUCTION)
    app.run = _refuse_run  # type: ignore[method-assign]


def _is_flask_run() -> bool:
    """Tell whether the application is being loaded by `flask run`; without flask's command line it is not."""
    flask_cli, click = sys.modules.get("flask.cli"), sys.modules.get("click")
    context = click.get_current_context(silent=True) if click else None
    return flask_cli is not None and context is not None and context.command is flask_cli.run_command


def _refuse_run(*_positional: Any, **_named: Any) -> NoReturn:
    _refuse(PRODUCTION)


def _refuse(environment: str) -> NoReturn:
    say(_SERVERS.format(environment=environment))
    raise SystemExit(REFUSED)


@contextlib.contextmanager
def starting(config: object | None = None) -> Iterator[None]:
    """Make the application in this block: misconfiguration ends the process with every problem and its fix.

    The settings are judged first, under a configuration object and the environment, so that bad ones cost no time.

    The status is 78 (EX_CONFIG). A gunicorn worker that ends with it would be started again for ever, so there it
    is gunicorn's own status for "do not try again"; `gunicorn.conf.py` judges earlier and keeps the 78.
    """
    no_flask_run_in_production()
    if "granian" in sys.modules and multiprocessing.parent_process() is not None:
        # Until granian set its own, the handler is a copy of the parent's, which lets SIGTERM pass unheard.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        load(os.environ, _values(config))
        yield
    except ConfigurationError as error:
        say(str(error))
        arbiter = sys.modules.get("gunicorn.arbiter")
        raise SystemExit(arbiter.Arbiter.WORKER_BOOT_ERROR if arbiter else error.EXIT_STATUS) from None
    if "waitress" in sys.modules:
        _adapt_waitress(sys.modules["waitress.adjustments"].Adjustments)
    if "gunicorn.arbiter" not in sys.modules and {"waitress", "granian"} & sys.modules.keys():
        warn_of_development()


def warn_of_development() -> None:
    """Say that a server for production runs with settings for development, because FLASK_ENV was forgotten."""
    if os.environ.get("FLASK_ENV", "development") == "development":
        say("WARNING: these are the settings for development. On a public server, set FLASK_ENV=production.")


def judged(config: object | None = None) -> Configured:
    """Return the settings under a configuration object and the environment, or end the process with status 78."""
    try:
        return load(os.environ, _values(config))
    except ConfigurationError as error:
        say(str(error))
        raise SystemExit(error.EXIT_STATUS) from None


def _values(config: object | None) -> dict[str, Any]:
    return {name: getattr(config, name) for name in dir(config) if name.isupper()}


def say(text: str) -> None:
    """Print to standard error at once; a worker may be about to end."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - no logging is set up yet


def _adapt_waitress(defaults: Any) -> None:
    """Change what waitress does unless told otherwise; it reads no file in which that could be said.

    It deletes forwarded headers before Aegis could judge them by AEGIS_TRUSTED_PROXIES: all clients would have the
    proxy's address. And it does not know SIGTERM, which would cut off the requests in flight.
    """
    defaults.clear_untrusted_proxy_headers = False
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _end)


def _end(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(0)
