"""Counters in Redis or Valkey: all buckets of an attempt in one round trip and one atomic script.

The keys share a hash tag, so that the script also runs on Redis Cluster. Redis may forget: it tells since when it
remembers, so that the caller can ask SQL as well while that is too short.
"""

import functools
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.retry import Retry
from redis.sentinel import Sentinel

from aegis.throttle.counters import Answer, Key

TIMEOUT_S = 0.25
"""What a sign-in may lose to a Redis that does not answer, once; then it is left alone for a while."""

_PREFIX = "{aegis}:throttle:"
_SINCE = _PREFIX + "since"

# KEYS: the marker, then the buckets. ARGV: now, doubted, then interval and capacity of each bucket, in milliseconds.
_SPEND = """
local now = tonumber(ARGV[1])
if ARGV[2] == '1' then redis.call('SET', KEYS[1], ARGV[1]) else redis.call('SET', KEYS[1], ARGV[1], 'NX') end
local answer, full, refused = {redis.call('GET', KEYS[1])}, {}, false
for i = 2, #KEYS do
  local empty_at = tonumber(redis.call('GET', KEYS[i]) or now)
  if empty_at < now then empty_at = now end
  full[i] = empty_at + tonumber(ARGV[2 * i - 1])
  local wait = full[i] - now - tonumber(ARGV[2 * i])
  if wait > 0 then refused = true else wait = 0 end
  answer[i] = string.format('%.0f', wait)
end
if refused then return answer end
for i = 2, #KEYS do
  redis.call('SET', KEYS[i], string.format('%.0f', full[i]), 'PX', string.format('%.0f', full[i] - now))
end
return answer
"""
# KEYS: the buckets. ARGV: now, forgive, then the interval of each bucket.
_GIVE_BACK = """
local now, attempts = tonumber(ARGV[1]), 1
if ARGV[2] == '1' then
  local held = tonumber(redis.call('GET', KEYS[1]) or now) - now
  attempts = math.max(1, math.ceil(held / tonumber(ARGV[3])))
end
for i = 1, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then
    redis.call('DECRBY', KEYS[i], string.format('%.0f', attempts * tonumber(ARGV[i + 2])))
  end
end
return attempts
"""


def connect(url: str) -> Any:
    """Return a client for redis://, rediss://, redis+sentinel:// or redis+cluster://; all but a cluster's connect at first use."""
    limits: dict[str, Any] = {
        "socket_timeout": TIMEOUT_S,
        "socket_connect_timeout": TIMEOUT_S,
        "retry": _once_more(),
        "decode_responses": True,
    }
    parts = urlsplit(url)
    if parts.scheme in {"redis", "rediss"}:
        return redis.Redis.from_url(url, **limits)
    login: dict[str, Any] = {
        name: value for name, value in (("username", parts.username), ("password", parts.password)) if value
    }
    hosts = [_host(place) for place in parts.netloc.rpartition("@")[2].split(",")]
    if parts.scheme == "redis+cluster":
        return RedisCluster(startup_nodes=[ClusterNode(*host) for host in hosts], **login, **limits)
    service, _, database = parts.path.strip("/").partition("/")
    options = {**dict(parse_qsl(parts.query)), **login, **limits}
    sentinel = Sentinel(hosts, **{**limits, "retry": _once_more()})
    return sentinel.master_for(service or "mymaster", db=int(database or 0), **options)


def _once_more() -> Retry:
    """Try again where a connection had died while idle, but never after a wait: the wait was the answer."""
    return Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))


def _host(place: str) -> tuple[str, int]:
    name, _, port = place.rpartition(":")
    return (name.strip("[]"), int(port)) if name else (place, 26379)


class RedisCounters:
    """The buckets in one Redis."""

    def __init__(self, url: str) -> None:
        """Take the address; a cluster's client connects when it is made, so that is left to the first attempt."""
        self._url = url

    @functools.cached_property
    def _scripts(self) -> tuple[Any, Any]:
        client = connect(self._url)
        return client.register_script(_SPEND), client.register_script(_GIVE_BACK)

    def ping(self) -> None:
        """Ask whether Redis is there. Raises one of the client's many errors."""
        spend, _ = self._scripts
        spend.registered_client.ping()

    def spend(self, keys: Sequence[Key], now_ms: int, *, doubted: bool) -> Answer:
        """Take one from each bucket, or from none; `doubted` makes it remember from now on only."""
        numbers = (number for key in keys for number in (key.interval_ms, key.capacity_ms))
        names = [_SINCE, *(_PREFIX + key.name for key in keys)]
        spend, _ = self._scripts
        since_ms, *waits_ms = spend(keys=names, args=[now_ms, int(doubted), *numbers])
        return Answer([int(wait) for wait in waits_ms], int(since_ms))

    def give_back(self, keys: Sequence[Key], now_ms: int, *, forgive: bool) -> int:
        """Undo one `spend` of each bucket, or as many as the first one holds; return how many."""
        arguments = [now_ms, int(forgive), *(key.interval_ms for key in keys)]
        _, give_back = self._scripts
        return int(give_back(keys=[_PREFIX + key.name for key in keys], args=arguments))
