"""`aegis serve`."""

from pathlib import Path

import click

from aegis.ops import server
from aegis.ops.cli.host import Host

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--host", "address", help="Address to listen at.  [default: 127.0.0.1]", default="127.0.0.1")
@click.option(
    "--port", type=click.IntRange(0, 65_535), help="Port to listen at.  [default: 5000, in production 8000]"
)
@click.option(
    "--workers", type=click.IntRange(1, 256), help="Processes, in production.  [default: AEGIS_WORKERS]"
)
@click.option(
    "--threads", type=click.IntRange(1, 256), help="Threads of each process.  [default: AEGIS_THREADS]"
)
@click.option("--tls-cert", type=_FILE, help="Certificate with its chain (PEM): serve HTTPS and HTTP/2.")
@click.option("--tls-key", type=_FILE, help="Private key of the certificate (PEM).")
@click.pass_obj
def serve(  # noqa: PLR0913 - one for each option
    host: Host,
    *,
    address: str,
    port: int | None,
    workers: int | None,
    threads: int | None,
    tls_cert: Path | None,
    tls_key: Path | None,
) -> None:
    """Serve the platform, in development and in production.

    FLASK_ENV decides: in development this is a server for one person at http://localhost:5000, in production granian
    with several processes, TLS 1.2 and 1.3, and HTTP/2. An embedded SQLite is brought up to date first, a database
    server never is. SIGTERM lets requests in flight finish.
    """
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key belong together.")
    app = host.app()
    settings = app.extensions["aegis"].settings
    if not settings.is_production:
        server.develop(app, server.Place(address, 5000 if port is None else port))
        return
    place = server.Place(
        address,
        8000 if port is None else port,
        workers or settings.workers,
        threads or settings.threads,
        (tls_cert, tls_key) if tls_cert and tls_key else None,
    )
    server.produce(host.app, app, place)
