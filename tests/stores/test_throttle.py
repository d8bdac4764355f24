"""Counters on the three databases and in Valkey: one suite for the promise, then what an outage must not do to it."""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
import redis
from redis.cluster import RedisCluster

from aegis import clock as aegis_clock
from aegis import errors, throttle
from aegis.settings import Limit
from aegis.throttle import Subject, counters
from aegis.throttle.redis_counters import RedisCounters
from aegis.web import Client
from tests.factories import at_once, rows
from tests.fixtures import Clock, NewApp
from tests.services.process import Service, free_port
from tests.services.valkey import Valkey

CLIENT = Client("192.0.2.1", "test", "")
TEN = Limit(10, 9600)
STORES = ("sqlite", "postgresql", "mariadb", "valkey")
SINCE = "{aegis}:throttle:since"

NewProcess = Callable[[], flask.Flask]


@pytest.fixture(params=STORES)
def new_process(
    request: pytest.FixtureRequest, new_app: NewApp, migrated_database: Callable[[str], str]
) -> NewProcess:
    """Give a function that makes another application over the same counters, as another process has it."""
    is_valkey = request.param == "valkey"
    url = migrated_database("sqlite" if is_valkey else request.param)
    more = {"REDIS_URL": request.getfixturevalue("redis_url")} if is_valkey else {}
    return lambda: new_app(DATABASE_URL=url, AEGIS_DATABASE_TIMEOUT="20", **more)


@pytest.fixture
def platform(new_process: NewProcess) -> flask.Flask:
    """Give one application."""
    return new_process()


def account(name: str, limit: Limit = TEN) -> Subject:
    """Return an account to be guessed at."""
    return Subject("account", name, limit)


def wait_for(app: flask.Flask, *subjects: Subject, outcome: str = "fail") -> int:
    """Make an attempt; return 0 if it was let through, else the seconds to wait."""
    with app.app_context():
        try:
            with throttle.attempt("login", subjects, CLIENT) as attempt:
                if outcome != "fail":
                    getattr(attempt, outcome)()
        except errors.RateLimited as refusal:
            return int(refusal.headers["Retry-After"])
    return 0


def allowed(app: flask.Flask, *subjects: Subject, tries: int = 30) -> int:
    """Return how many wrong guesses in a row are let through."""
    return sum(not wait_for(app, *subjects) for _ in range(tries))


@pytest.mark.control("ASVS-5.0-2.3.2", "ASVS-5.0-6.3.1")
@pytest.mark.usefixtures("clock")
def test_parallel_guesses_over_two_processes_never_exceed_the_limit(new_process: NewProcess) -> None:
    processes = [new_process(), new_process()]
    subjects = [account("anna"), Subject("address", "192.0.2.1", Limit(12, 9600))]

    def guess(number: int) -> int:
        ordered = subjects if number % 2 else subjects[::-1]
        return wait_for(processes[number % 2], *ordered)

    waits = at_once([lambda number=number: guess(number) for number in range(16)])
    waits += at_once([lambda number=number: guess(number) for number in range(8)])

    assert waits.count(0) == 10
    assert set(waits) == {0, 960}
    other = Subject("address", "192.0.2.1", Limit(12, 9600))
    assert allowed(processes[0], other) == 2, "what was refused for the account counts for nothing else"


@pytest.mark.usefixtures("clock")
def test_many_new_buckets_at_once_are_all_counted(new_process: NewProcess) -> None:
    """Inserts of the same rows by many at once are where databases find deadlocks."""
    processes = [new_process(), new_process()]
    for turn in range(4):
        shared = account(f"shared {turn}", Limit(3, 9600))

        def guess(number: int, shared: Subject = shared) -> int:
            return wait_for(processes[number % 2], account(f"own {number}"), shared)

        waits = at_once([lambda number=number: guess(number) for number in range(10)])
        assert waits.count(0) == 3


@pytest.mark.usefixtures("clock")
def test_right_attempts_at_once_wait_for_each_other(platform: flask.Flask) -> None:
    one = account("anna", Limit(2, 9600))
    assert at_once([lambda: wait_for(platform, one, outcome="succeed")] * 8) == [0] * 8
    assert at_once([lambda: wait_for(platform, one)] * 8).count(0) == 2


@pytest.mark.usefixtures("clock")
def test_who_is_refused_while_the_holder_is_judged_asks_again(
    platform: flask.Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, counters = account("anna", Limit(1, 9600)), platform.extensions["aegis"].counters
    with platform.app_context():
        held = throttle.attempt("login", [one], Client("192.0.2.1", "", ""))
        holder, asked = held.__enter__(), counters.spend

    def spend(*args: Any) -> Any:
        """Answer, and let the holder be judged right after."""
        spent = asked(*args)
        if any(spent.waits_ms):
            monkeypatch.undo()
            holder.succeed()
            held.__exit__(None, None, None)
        return spent

    monkeypatch.setattr(counters, "spend", spend)
    assert wait_for(platform, one) == 0


@pytest.mark.control("NIST-63B4-3.2.2-2")
def test_the_wait_is_true_to_the_second(platform: flask.Flask, clock: Clock) -> None:
    assert allowed(platform, account("anna")) == 10
    wait_s = wait_for(platform, account("anna"))
    assert wait_s == 960
    clock.advance(wait_s - 1)
    assert wait_for(platform, account("anna")) == 1
    clock.advance(1)
    assert wait_for(platform, account("anna")) == 0
    assert wait_for(platform, account("anna")) == 960


@pytest.mark.control("NIST-63B4-3.2.2-1")
def test_a_day_of_guessing_comes_to_a_hundred(platform: flask.Flask, clock: Clock) -> None:
    let_through = allowed(platform, account("anna"), tries=11)
    for _ in range(90):
        clock.advance(960)
        let_through += allowed(platform, account("anna"), tries=2)
    assert let_through == 100


@pytest.mark.usefixtures("clock")
def test_of_several_full_budgets_the_longest_wait_is_told(platform: flask.Flask) -> None:
    short, long = Subject("address", "here", Limit(5, 50)), Subject("account", "anna", Limit(5, 5000))
    assert allowed(platform, short, long) == 5
    assert wait_for(platform, short, long) == wait_for(platform, long, short) == 1000
    assert wait_for(platform, short) == 10


@pytest.mark.control("NIST-63B4-3.2.2-3")
@pytest.mark.usefixtures("clock")
def test_a_success_forgives_what_the_same_hands_mistyped_and_nothing_else(platform: flask.Flask) -> None:
    anna, ben = Subject("pair", "here anna", TEN), Subject("pair", "here ben", TEN)
    here = Subject("address", "here", Limit(8, 9600))
    assert [wait_for(platform, one, here) for one in (anna, anna, anna, ben, ben)] == [0] * 5
    assert wait_for(platform, anna, here, outcome="succeed") == 0
    assert allowed(platform, here) == 6
    assert allowed(platform, anna) == 10
    assert allowed(platform, ben) == 8


@pytest.mark.usefixtures("clock")
def test_what_was_not_judged_counts_nothing_and_a_crash_counts(platform: flask.Flask) -> None:
    anna = account("anna")
    for fault in (errors.Busy(), errors.Unavailable()):
        for _ in range(12):
            with (
                platform.app_context(),
                pytest.raises(type(fault)),
                throttle.attempt("login", [anna], CLIENT),
            ):
                raise fault
    assert [wait_for(platform, anna, outcome="undo") for _ in range(12)] == [0] * 12
    for _ in range(4):
        with platform.app_context(), pytest.raises(ZeroDivisionError):
            crash(anna)
    assert allowed(platform, anna) == 6


def crash(subject: Subject) -> None:
    """Fail in the middle of an attempt."""
    with throttle.attempt("login", [subject], CLIENT):
        raise ZeroDivisionError


@pytest.mark.usefixtures("clock")
def test_limits_survive_a_restart(new_process: NewProcess) -> None:
    assert allowed(new_process(), account("anna"), tries=7) == 7
    assert allowed(new_process(), account("anna")) == 3


def test_purging_forgets_empty_buckets_only(platform: flask.Flask, clock: Clock) -> None:
    assert allowed(platform, account("anna")) == 10
    assert wait_for(platform, account("ben")) == 0
    clock.advance(961)
    with platform.app_context():
        assert throttle.purge(100) == 1
        assert throttle.purge(100) == 0
    assert allowed(platform, account("anna")) == 1
    assert allowed(platform, account("ben")) == 10


@pytest.mark.usefixtures("clock")
def test_purging_beside_guesses_loses_none(new_process: NewProcess) -> None:
    guessing, purging = new_process(), new_process()

    def purge() -> int:
        with purging.app_context():
            return sum(throttle.purge(100) for _ in range(10))

    results = at_once([purge, *([lambda: allowed(guessing, account("anna"), tries=5)] * 3)])
    assert sum(results[1:]) == 10


@pytest.mark.usefixtures("clock")
def test_counters_tell_neither_names_nor_addresses(platform: flask.Flask) -> None:
    assert wait_for(platform, account("anna"), Subject("address", "192.0.2.1", TEN)) == 0
    [one, other] = rows(platform, "counters")
    assert {len(one["name"]), len(other["name"])} == {32}
    assert "anna" not in str([one, other])


# Valkey comes, goes and hangs.


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """Give a server that the test may kill."""
    with Valkey() as server:
        yield server


class Watched:
    """The real counters in Valkey, and how often they were asked."""

    def __init__(self, url: str) -> None:
        self.asked = 0
        self.inner = RedisCounters(url)

    def spend(self, *arguments: Any, **named: Any) -> Any:
        self.asked += 1
        return self.inner.spend(*arguments, **named)

    def give_back(self, *arguments: Any, **named: Any) -> int:
        return self.inner.give_back(*arguments, **named)


@pytest.fixture
def skip_pause(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Give a function that lets the pause after a failure pass."""
    skipped = [0.0]
    monkeypatch.setattr(aegis_clock, "monotonic", lambda: time.monotonic() + skipped[0])

    def skip() -> None:
        skipped[0] += counters.PAUSE_S

    return skip


def with_valkey(new_app: NewApp, sqlite_url: str, url: str) -> tuple[flask.Flask, Watched]:
    """Return an application that counts in this Valkey."""
    app = new_app(DATABASE_URL=sqlite_url, REDIS_URL=url)
    watched = Watched(url)
    app.extensions["aegis"].counters = counters.Counters(watched)
    return app, watched


def outages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the log says of Redis."""
    return [record.message for record in caplog.records if record.message.startswith("redis_")]


@pytest.mark.parametrize("how", ["kill", "pause"])
@pytest.mark.usefixtures("clock")
def test_a_redis_that_dies_or_hangs_changes_no_limit(  # noqa: PLR0917 - all that takes part
    how: str,
    new_app: NewApp,
    sqlite_url: str,
    valkey: Valkey,
    skip_pause: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    app, watched = with_valkey(new_app, sqlite_url, valkey.url)
    assert allowed(app, account("anna"), tries=3) == 3
    getattr(valkey, how)()
    asked = watched.asked
    with caplog.at_level(logging.WARNING):
        assert allowed(app, account("anna"), tries=4) == 4
        assert watched.asked == asked + 1, "one attempt finds out, the others go on in SQL at once"
        assert outages(caplog) == ["redis_unavailable"]
        skip_pause()
        assert wait_for(app, account("ben"), outcome="succeed") == 0
        assert outages(caplog) == ["redis_unavailable"], "it is no news"
        valkey.resume() if how == "pause" else valkey.start()
        skip_pause()
        assert allowed(app, account("anna")) == 3, "the limit is the sum of before, during and after"
        assert outages(caplog) == ["redis_unavailable", "redis_back"]
    with redis.Redis.from_url(valkey.url) as client:
        assert client.exists(SINCE), "it is used again"


def test_an_old_redis_that_was_cut_off_is_not_trusted_alone(
    new_app: NewApp, sqlite_url: str, valkey: Valkey, skip_pause: Callable[[], None], clock: Clock
) -> None:
    """It remembers for long, but not what was counted without it."""
    app, _ = with_valkey(new_app, sqlite_url, valkey.url)
    assert wait_for(app, account("ben")) == 0
    clock.advance(10_000)
    assert wait_for(app, account("ben"), outcome="succeed") == 0
    with redis.Redis.from_url(valkey.url) as client:
        assert int(client.get(SINCE)) == (clock.now - 10_000) * 1000
    valkey.pause()
    assert allowed(app, account("anna"), tries=8) == 8
    valkey.resume()
    skip_pause()
    assert allowed(app, account("anna")) == 2
    other, _ = with_valkey(new_app, sqlite_url, valkey.url)
    assert wait_for(other, account("anna")) == 960, "other processes learn of it"


@pytest.mark.usefixtures("clock")
def test_a_redis_that_lost_its_memory_opens_nothing(
    new_app: NewApp, sqlite_url: str, valkey: Valkey, clock: Clock
) -> None:
    app, _ = with_valkey(new_app, sqlite_url, valkey.url)
    assert wait_for(app, account("ben")) == 0
    clock.advance(10_000)
    assert allowed(app, account("anna"), tries=9) == 9
    valkey.kill()
    valkey.start()
    assert allowed(app, account("anna")) == 1
    assert wait_for(app, account("anna")) == 960


def test_a_trusted_redis_alone_answers_and_notes_only_failures_in_sql(
    new_app: NewApp, sqlite_url: str, valkey: Valkey, clock: Clock
) -> None:
    app, watched = with_valkey(new_app, sqlite_url, valkey.url)
    assert wait_for(app, account("ben")) == 0
    clock.advance(10_000)
    before = rows(app, "counters")
    asked = watched.asked
    assert [wait_for(app, account("anna"), outcome="succeed") for _ in range(3)] == [0] * 3
    assert rows(app, "counters") == before
    assert watched.asked == asked + 3
    assert allowed(app, account("anna"), tries=3) == 3
    assert wait_for(app, account("anna"), outcome="succeed") == 0
    assert allowed(app, account("anna")) == 10
    [noted] = [row for row in rows(app, "counters") if row not in before]
    assert noted["empty_at_ms"] == (clock.now + 9600) * 1000, "forgiven in SQL as well"


def test_one_attempt_is_one_round_trip(
    valkey: Valkey, new_app: NewApp, sqlite_url: str, clock: Clock
) -> None:
    app, _ = with_valkey(new_app, sqlite_url, valkey.url)
    assert wait_for(app, account("anna"), outcome="succeed") == 0
    with redis.Redis.from_url(valkey.url) as client:
        before = client.info("commandstats")["cmdstat_evalsha"]["calls"]
        assert wait_for(app, account("anna"), Subject("address", "here", TEN)) == 0
        after = client.info("commandstats")["cmdstat_evalsha"]["calls"]
    assert after == before + 1


class Cluster(Valkey):
    """One node that is a whole cluster."""

    def __init__(self) -> None:
        super().__init__("--cluster-enabled", "yes", "--cluster-port", str(free_port()))

    def start(self) -> None:
        super().start()
        with redis.Redis(port=self.port) as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            while client.cluster("info")["cluster_state"] != "ok":
                time.sleep(0.02)


class Sentinel(Service):
    """A sentinel that watches one Valkey."""

    name = "sentinel"

    def __init__(self, watched: Valkey) -> None:
        super().__init__()
        self.watched = watched

    def command(self) -> list[str | Path]:
        config = self.folder / "sentinel.conf"
        config.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self.folder}\n"
            f"sentinel monitor school 127.0.0.1 {self.watched.port} 1\n"
        )
        config.chmod(0o666)
        return [self.watched.program, config, "--sentinel"]


@pytest.mark.usefixtures("clock")
def test_the_script_runs_on_a_cluster(new_app: NewApp, sqlite_url: str) -> None:
    with Cluster() as cluster:
        url = f"redis+cluster://127.0.0.1:{cluster.port}"
        app, watched = with_valkey(new_app, sqlite_url, url)
        assert allowed(app, account("anna"), Subject("address", "here", TEN)) == 10
        assert wait_for(app, account("ben"), Subject("address", "there", TEN), outcome="succeed") == 0
        assert not app.extensions["aegis"].counters._is_away
        with RedisCluster(host="127.0.0.1", port=cluster.port) as client:
            assert len(list(client.scan_iter("{aegis}:throttle:*"))) == 5
        cluster.pause()
        assert wait_for(app, account("anna")) == 960, "it hangs, SQL knows"
        asked = watched.asked
        assert wait_for(app, account("anna")) == 960
        assert watched.asked == asked


@pytest.mark.usefixtures("clock")
def test_the_master_is_found_through_sentinel(new_app: NewApp, sqlite_url: str, valkey: Valkey) -> None:
    with Sentinel(valkey) as sentinel:
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}/school/3"
        app, watched = with_valkey(new_app, sqlite_url, url)
        assert allowed(app, account("anna")) == 10
        with redis.Redis(port=valkey.port, db=3) as client:
            assert len(client.keys("{aegis}:throttle:*")) == 2
        valkey.pause()
        sentinel.pause()
        assert wait_for(app, account("anna")) == 960
        asked = watched.asked
        assert wait_for(app, account("anna")) == 960
        assert watched.asked == asked
