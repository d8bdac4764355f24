"""From tallies to metrics: drain what this process noted, add what the others wrote, and ask the database for the rest."""

import bisect
import importlib.metadata
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from aegis import errors, tally
from aegis.audit import Event
from aegis.ops.metrics import store
from aegis.ops.metrics.processes import Counted, Labels, Processes
from aegis.state import State

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of latencies in seconds, the client library's usual ones for requests."""

_COUNTERS = {
    "requests": ("Answered requests.", ("method", "route", "status")),
    "logins": ("Attempts to sign in.", ("outcome",)),
    "throttled": ("Attempts that a limit refused.", ("policy",)),
    "csrf_failures": ("Writes without a proof that a page of ours sent them.", ("reason",)),
    "events": ("Security events, by the name under which they are recorded.", ("event",)),
    "sessions_expired": ("Sessions that ended by a timeout.", ()),
    "busy": ("Requests sent away because the queue for costly work was full.", ("work",)),
    "mails": ("Mails that a sender was about.", ("outcome",)),
    "audit_heads": ("Times that the end of the record left the machine, or did not.", ("outcome",)),
    "database_errors": ("Statements that the database did not answer.", ("kind",)),
    "redis_errors": ("Times that Redis was found away.", ()),
}
_FROM_ZERO = {
    "busy": ("password", "picture"),
    "mails": ("sent", "postponed", "dead"),
    "audit_heads": ("sent", "failed"),
}
"""Shown before they happen: for Prometheus a series that begins with one has not increased."""

_DETAILED: dict[str, str] = {
    Event.LOGIN_FAILURE: "logins",
    Event.RATE_LIMITED: "throttled",
    Event.LOGIN_LIMITED: "throttled",
    Event.CSRF_REFUSED: "csrf_failures",
}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The metrics of one application in this process."""

    def __init__(self, folder: Path) -> None:
        """Take the folder that all processes share."""
        self._processes = Processes(folder)
        self._sums: Counter[Labels] = Counter()
        self._lock = threading.Lock()

    def write(self, application: State) -> None:
        """Store what this process counted so far, for whichever process is asked. Raises OSError."""
        with self._lock:
            for request in tally.drain():
                self._add(request)
            sums: dict[Labels, float] = {**self._sums, **tally.counts()}
        gate = application.hasher.gate
        states: dict[Labels, float] = {
            ("hashing", "running"): gate.running,
            ("hashing", "waiting"): gate.waiting,
        }
        self._processes.write(Counted(sums, states))

    def _add(self, request: tally.Request) -> None:
        method = request.method if request.method in _METHODS else "other"
        self._sums[("requests", method, request.route, request.status[:3])] += 1
        bucket = bisect.bisect_left(BUCKETS_S, request.seconds)
        self._sums[("seconds", request.route, str(bucket))] += 1
        self._sums[("seconds_sum", request.route)] += request.seconds  # type: ignore[assignment]  # a Counter of floats

    def collect(self, application: State) -> list[Metric]:
        """Return all metrics. Raises OSError when the folder cannot be used."""
        self.write(application)
        counted, processes = self._processes.total()
        return [*_counted(counted), *_of_processes(counted, processes), *_of_database()]


def _counted(counted: Counted) -> Iterator[Metric]:
    """Yield what was counted while requests were answered."""
    totals: Counter[tuple[str, Labels]] = Counter()
    totals.update({(name, (value,)): 0 for name, values in _FROM_ZERO.items() for value in values})
    for counter, value in counted.sums.items():
        for shown in _shown(counter[0], counter[1:]):
            totals[shown] += value  # type: ignore[assignment]  # a Counter of floats
    for name, (sentence, labels) in _COUNTERS.items():
        family = CounterMetricFamily(f"aegis_{name}", sentence, labels=labels)
        if not labels:
            family.add_metric([], totals[(name, ())])
        for (other, values), total in sorted(totals.items()):
            if other == name and labels:
                family.add_metric(values, total)
        yield family
    yield _latencies(counted)


def _shown(name: str, labels: Labels) -> Iterator[tuple[str, Labels]]:
    """Yield the counters in which a count is shown, and with which labels."""
    if name in _COUNTERS and name != "events":
        yield name, labels
    if name == "events":
        event, detail = labels
        yield "events", (event,)
        if event == Event.LOGIN_SUCCESS:
            yield "logins", ("success",)
        elif event in _DETAILED:
            yield _DETAILED[event], (detail,)


def _latencies(counted: Counted) -> HistogramMetricFamily:
    """Return how long requests waited for the beginning of their answer."""
    found = HistogramMetricFamily("aegis_request_seconds", "Seconds until an answer began.", labels=["route"])
    routes = {labels[1] for labels in counted.sums if labels[0] == "seconds"}
    bounds = [*(str(bound) for bound in BUCKETS_S), "+Inf"]
    for route in sorted(routes):
        so_far, buckets = 0.0, []
        for place, bound in enumerate(bounds):
            so_far += counted.sums.get(("seconds", route, str(place)), 0)
            buckets.append((bound, so_far))
        found.add_metric([route], buckets, counted.sums.get(("seconds_sum", route), 0))
    return found


def _of_processes(counted: Counted, processes: int) -> Iterator[Metric]:
    """Yield the states of the processes."""
    build = GaugeMetricFamily("aegis_build_info", "The release that runs.", labels=["version"])
    build.add_metric([importlib.metadata.version("aegis-academy")], 1)
    hashing = GaugeMetricFamily(
        "aegis_password_hashing", "Password hashes, by what they do now.", labels=["state"]
    )
    for state in ("running", "waiting"):
        hashing.add_metric([state], counted.states.get(("hashing", state), 0))
    yield from (build, GaugeMetricFamily("aegis_processes", "Serving processes.", value=processes), hashing)


def _of_database() -> Iterator[Metric]:
    """Yield what the database knows, or that it does not answer."""
    is_up = GaugeMetricFamily("aegis_database_up", "Whether the database answers: 1 or 0.")
    try:
        found = store.read()
    except errors.Unavailable:
        is_up.add_metric([], 0)
        yield is_up
        return
    is_up.add_metric([], 1)
    mails = GaugeMetricFamily("aegis_mail_queue", "Mails that have not left, by state.", labels=["state"])
    for state in ("waiting", "dead"):
        mails.add_metric([state], found.mails.get(state, 0))
    yield from (
        is_up,
        mails,
        GaugeMetricFamily("aegis_sessions_active", "Live sessions.", value=found.sessions),
        GaugeMetricFamily(
            "aegis_audit_last_row_timestamp_seconds",
            "When the record got its latest row, in seconds since 1970.",
            value=found.last_row_at,
        ),
    )
