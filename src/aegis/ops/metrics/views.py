"""`GET /metrics`, for Prometheus alone."""

import ipaddress

import flask
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from aegis import errors, state, tokens
from aegis.ops.metrics.service import Metrics
from aegis.settings import Settings
from aegis.web import client

blueprint = flask.Blueprint("aegis_metrics", __name__)
EXTENSION = "aegis_metrics"


@blueprint.get("/metrics")
def metrics() -> flask.Response:
    """Tell how all processes are, to who has the token or an allowed address."""
    application = state.current()
    collected: Metrics | None = flask.current_app.extensions.get(EXTENSION)
    if collected is None or not _may_read(application.settings):
        raise errors.Forbidden("Metrics need the token (AEGIS_METRICS_TOKEN) or an allowed address.")
    registry = CollectorRegistry()
    registry.register(_Ready(collected.collect(application)))
    return flask.Response(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _may_read(settings: Settings) -> bool:
    token = settings.metrics_token
    given = flask.request.headers.get("Authorization", "")
    if token and tokens.equal(given.encode(), f"Bearer {token}".encode()):
        return True
    try:
        address = ipaddress.ip_address(client().address)
    except ValueError:
        return False
    return any(address in network for network in settings.metrics_addresses)


class _Ready(Collector):
    """Metrics that are collected already."""

    def __init__(self, found: list[Metric]) -> None:
        self._found = found

    def collect(self) -> list[Metric]:
        """Return them."""
        return self._found
